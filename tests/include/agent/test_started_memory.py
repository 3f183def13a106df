"""Memory is rounded up as libvirt does it: to whole MiB in each NUMA cell and module, and in all."""

import pytest

from include.agent.restart_changes import restart_changes
from include.agent.started_memory import as_started

DOMAIN = "<domain>{}<os><type arch='{}'>hvm</type></os>{}</domain>"


def texts(definition: str) -> list[str | None]:
    """Return the sizes of a definition, as started."""
    domain = as_started(definition)
    paths = ("memory", "maxMemory", "./devices/memory/target/size")
    cells = [cell.get("memory") for cell in domain.findall("./cpu/numa/cell")]
    return [*(found.text for path in paths for found in domain.findall(path)), *cells]


@pytest.mark.parametrize(
    ("memory", "arch", "more", "started"),
    [
        ("<memory unit='KiB'>16500</memory>", "x86_64", "", ["17408"]),
        ("<memory unit='KiB'>1048576</memory>", "x86_64", "", ["1048576"]),
        ("<memory unit='KiB'>16500</memory>", "ppc64le", "", ["262144"]),
        ("<maxMemory slots='2' unit='KiB'>200001</maxMemory><memory>1024</memory>", "x86_64", "",
         ["1024", "200704"]),
        ("<memory>33000</memory>", "x86_64",
         "<cpu><numa><cell memory='16500'/><cell memory='16500'/></numa></cpu>", ["34816", "17408", "17408"]),
        ("<memory>2049</memory>", "x86_64",
         "<devices><memory><target><size>1025</size></target></memory></devices>", ["3072", "2048"]),
        ("", "x86_64", "", []),
    ],
)  # fmt: skip
def test_memory_is_rounded_up(memory: str, arch: str, more: str, started: list[str]) -> None:
    """As a libvirt of this kind does it."""
    assert texts(DOMAIN.format(memory, arch, more)) == started


def test_a_vm_whose_memory_libvirt_rounded_up_isnt_changed() -> None:
    """Recorded from libvirt 9.0: 16500 KiB run as 17408."""
    defined, running = (
        DOMAIN.format(f"<memory unit='KiB'>{kib}</memory>", "x86_64", "") for kib in (16500, 17408)
    )
    assert restart_changes(defined, running) == []
    assert restart_changes(running, defined) == [
        "memory is 16500 KiB in the running VM, 17408 KiB in its definition"
    ]
