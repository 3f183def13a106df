"""The memory of a VM that is started: libvirt rounds up what its definition states."""

from __future__ import annotations

import xml.etree.ElementTree as ET

_STEP_KIB, _POWER_STEP_KIB = 1 << 10, 256 << 10  # of qemuDomainGetMemorySizeAlignment


def as_started(definition: str) -> ET.Element:
    """Parse a domain's definition; its memory is then as that of a running VM that was started with it.

    Args:
        definition: the XML of the persistent definition.
    """
    domain = ET.fromstring(definition)  # noqa: S314 - libvirt's own output
    step = _POWER_STEP_KIB if domain.find("./os/type[@arch='ppc64le']") is not None else _STEP_KIB
    modules = domain.findall("./devices/memory/target/size")
    cells = domain.findall("./cpu/numa/cell[@memory]")
    initial = _kib(domain.find("memory")) - sum(map(_kib, modules))
    for cell in cells:
        stated = int(cell.get("memory", "0"))
        cell.set("memory", str(_rounded(stated, step)))
        initial += _rounded(stated, step) - stated
    for size in [*modules, *domain.findall("maxMemory")]:
        size.text = str(_rounded(_kib(size), step))
    for total in domain.findall("memory"):
        total.text = str((initial if cells else _rounded(initial, step)) + sum(map(_kib, modules)))
    return domain


def _kib(size: ET.Element | None) -> int:
    return int((size.text if size is not None else None) or 0)


def _rounded(kib: int, step: int) -> int:
    return -(-kib // step) * step
