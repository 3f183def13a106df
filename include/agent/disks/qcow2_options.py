"""The options that a QCOW2 image was made with (qemu-img's manual page, "qcow2"), to make another like it.

Only those below: others lead to files, such as ``backing_file`` and ``data_file``, or are of no use to
another image.
"""

from __future__ import annotations

import os
import subprocess
from typing import Any

_VALUES: dict[str, tuple[Any, ...]] = {
    "cluster_size": tuple(1 << bits for bits in range(9, 22)),
    "compat": ("0.10", "1.1"),
    "compression_type": ("zlib", "zstd"),
    "extended_l2": (False, True),
    "lazy_refcounts": (False, True),
    "refcount_bits": tuple(1 << bits for bits in range(7)),
}

_PATIENCE_S = 60  # for a disk of nothing in memory

# What a disk is made with by a qemu-img that doesn't know the option yet.
_ALWAYS = {"compression_type": "zlib", "extended_l2": False, "lazy_refcounts": False, "refcount_bits": 16}


def of_image(image: dict[str, Any]) -> dict[str, Any] | None:
    """Return the options of an image by what ``qemu-img info`` has about it; None if it isn't QCOW2."""
    if image.get("format") != "qcow2":
        return None
    found = {"cluster-size": image.get("cluster-size"), **image.get("format-specific", {}).get("data", {})}
    named = {name: found.get(name.replace("_", "-")) for name in _VALUES}
    return {name: value for name, value in named.items() if _is_allowed(name, value)}


def checked(options: object) -> dict[str, Any]:
    """Return options from another host unchanged if each is allowed; nothing for None.

    Raises:
        ValueError: one isn't.
    """
    if options is None:
        return {}
    if not isinstance(options, dict) or not all(_is_allowed(*option) for option in options.items()):
        raise ValueError(f"invalid options of a qcow2 image: {options!r}")
    return options


def possible(options: dict[str, Any], size: int) -> dict[str, Any]:
    """Return those options that this machine's qemu-img can make a disk with: older ones can't with all.

    Args:
        options: the options, checked.
        size: the disk's size in bytes.
    """
    if not options or _can_make(options, size):
        return options
    found: dict[str, Any] = {}
    for name, value in options.items():
        if _can_make({**found, name: value}, size):
            found[name] = value
    return found


def lost(options: dict[str, Any], made: dict[str, Any]) -> dict[str, Any]:
    """Return those options that a disk lacks; an old qemu-img makes it with what it has no choice of.

    Args:
        options: the options that it should have.
        made: those that it is made with, as :func:`possible` returns them.
    """
    return {name: value for name, value in options.items() if name not in made and value != _ALWAYS.get(name)}


def arguments(options: dict[str, Any]) -> list[str]:
    """Return options as arguments of ``qemu-img create`` or ``convert``."""
    return ["-o", described(options)] if options else []


def described(options: dict[str, Any]) -> str:
    """Return options as qemu-img takes and a person reads them: ``cluster_size=131072,extended_l2=on``."""
    words = {True: "on", False: "off"}
    return ",".join(
        f"{name}={words[value] if isinstance(value, bool) else value}" for name, value in options.items()
    )


def _is_allowed(name: str, value: object) -> bool:
    return any(type(value) is type(allowed) and value == allowed for allowed in _VALUES.get(name, ()))


def _can_make(options: dict[str, Any], size: int) -> bool:
    # In memory (memfd_create(2)): a folder for temporary files may be full, which would look like a refusal.
    disk = os.memfd_create("disk")
    path = f"/proc/self/fd/{disk}"
    command = ["qemu-img", "create", "-q", "-f", "qcow2", *arguments(options), "--", path, str(size)]
    try:
        return not subprocess.run(
            command, pass_fds=[disk], capture_output=True, check=False, timeout=_PATIENCE_S
        ).returncode
    except (FileNotFoundError, subprocess.TimeoutExpired):  # whoever makes the disk reports that
        return True
    finally:
        os.close(disk)
