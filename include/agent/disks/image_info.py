"""What ``qemu-img info`` has about a disk: its size, options and snapshots, and every file it lies in."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
from collections.abc import Iterator
from typing import Any

from include.agent.disks import qcow2_options
from include.agent.errors import LibvirtError

_INFO_S = 60.0
_JSON = "json:"  # before a name that is a JSON object of QEMU's options


def disk_info(disk: dict[str, Any]) -> dict[str, Any]:
    """Return what is known of a disk.

    Args:
        disk: its ``path``, its ``format``, and its ``kind``: ``file`` or ``block``.

    Returns:
        ``chain``: its files: its own, those of its backing chain, and those that either keeps data in;
        ``backing``: those of its backing chain alone, by the headers;
        ``bytes``: its size; ``allocated``: the bytes that it occupies; ``qcow2``: the options that it was
        made with (``qcow2_options.py``), None if it isn't QCOW2; ``snapshots``: its internal snapshots.

    Raises:
        LibvirtError: qemu-img can't read it.
    """
    chain = _info(disk["path"], disk["format"], "--backing-chain")
    if any(image.get("encrypted") for image in chain):
        raise LibvirtError("it is encrypted by QEMU with a key that only libvirt has.")
    for image in chain:
        _require_absolute(image)
    own, *backing = (list(files_of(image)) for image in chain)
    files = list(dict.fromkeys([*own[:1], *(file for below in backing for file in below), *own[1:]]))
    size = int(chain[0]["virtual-size"])
    return {
        "chain": files,
        "backing": [below[0] for below in backing],
        "bytes": size,
        "allocated": size if disk["kind"] == "block" else _allocated(files, size),
        "qcow2": qcow2_options.of_image(chain[0]),
        "snapshots": [snapshot["name"] for snapshot in chain[0].get("snapshots", [])],
    }


def kept_inside(path: str, form: str) -> tuple[set[str], set[str]]:
    """Return the names of an image's internal snapshots, and those of its dirty bitmaps.

    Raises:
        LibvirtError: qemu-img can't read it.
    """
    [image] = _info(path, form)
    bitmaps = _details(image).get("bitmaps", [])
    snapshots = image.get("snapshots", [])
    return {str(found["name"]) for found in snapshots}, {str(found["name"]) for found in bitmaps}


def files_below(path: str, form: str) -> Iterator[str]:
    """Yield the files below an image: those of its backing chain, and those that any of them keeps data in.

    Args:
        path: the image.
        form: its format; empty if it isn't known, which QEMU then finds out.

    Raises:
        LibvirtError: one that exists can't be read, after what is known was yielded.
    """
    seen = {path}
    while os.path.exists(path):  # noqa: PTH110
        [image] = _info(path, form)
        yield from (file for file in files_of(image) if file != path)
        named = _local(str(image.get("full-backing-filename", "")))
        yield from (file for file in named[1:] if file.startswith("/"))
        path = named[0] if named else ""
        form = str(image.get("backing-filename-format", ""))
        if not path.startswith("/") or path in seen:
            return
        seen.add(path)
        yield path


def files_of(image: dict[str, Any]) -> Iterator[str]:
    """Yield the files of one image, its own first: an external data file, and extents (VMDK), are others.

    Args:
        image: what ``qemu-img info`` has about it. What isn't a file of this host is yielded as it is named.

    Raises:
        LibvirtError: a name can't be understood.
    """
    own = str(image["filename"])
    paths = _local(own)
    yield from paths or [own]
    details = _details(image)
    others = [details.get("data-file"), *(extent.get("filename") for extent in details.get("extents", []))]
    for other in filter(None, others):
        folder = os.path.dirname(paths[0] if paths else own)  # noqa: PTH120
        yield from (os.path.join(folder, path) for path in _local(other) if path not in paths)  # noqa: PTH118


def _require_absolute(image: dict[str, Any]) -> None:
    """Check that QEMU finds an image's data file wherever it runs; only backing files are beside the image.

    Raises:
        LibvirtError: it may find another one.
    """
    named = str(_details(image).get("data-file", ""))
    if not all(path.startswith("/") for path in _local(named)):
        raise LibvirtError(
            f"{image['filename']} names its data file {named}, which QEMU looks for in the folder that it "
            "runs in. Name it by its whole path (qemu-img amend -f qcow2 -o data_file=/...)."
        )


def _allocated(files: list[str], size: int) -> int:
    """Return what files occupy; how much of a device, or of what is elsewhere, is in use is unknown."""
    try:
        found = [os.stat(file) for file in files]  # noqa: PTH116 - the text may be no path at all
    except OSError:
        return size
    if not all(stat.S_ISREG(one.st_mode) for one in found):
        return size
    return sum(one.st_blocks * 512 for one in found)


def _details(image: dict[str, Any]) -> dict[str, Any]:
    return dict(image.get("format-specific", {}).get("data", {}))


def _local(name: str) -> list[str]:
    """Return the paths in QEMU's name of an image; nothing if none is of this host.

    Raises:
        LibvirtError: the name can't be understood.
    """
    if not name.startswith(_JSON):
        return [re.sub(r"^(file|host_device):", "", name)] if name else []
    try:
        return list(_filenames(json.loads(name[len(_JSON) :])))
    except (ValueError, AttributeError) as error:
        raise LibvirtError(f"The name of an image can't be understood: {name}") from error


def _filenames(options: dict[str, Any]) -> Iterator[str]:
    for key, value in options.items():
        if isinstance(value, dict):
            yield from _filenames(value)
        elif isinstance(value, list):  # the children of quorum
            yield from (path for one in value if isinstance(one, dict) for path in _filenames(one))
        elif key.rsplit(".", maxsplit=1)[-1] == "filename":
            yield str(value)


def _info(path: str, form: str, *options: str) -> list[dict[str, Any]]:
    command = ["qemu-img", "info", "--output=json", "--force-share", *([f"-f{form}"] if form else [])]
    try:
        done = subprocess.run(
            [*command, *options, "--", path], capture_output=True, timeout=_INFO_S, check=False
        )
    except FileNotFoundError as error:
        raise LibvirtError("this host has no qemu-img. Install it (Debian: qemu-utils).") from error
    except subprocess.TimeoutExpired as error:
        raise LibvirtError(f"qemu-img gave no answer within {_INFO_S:.0f} s.") from error
    if done.returncode:
        raise LibvirtError(" ".join(done.stderr.decode(errors="replace").split()))
    found = json.loads(done.stdout)
    return found if isinstance(found, list) else [found]
