"""The reference of a VM: the clones of its last published generation, which stay on the host.

What lies at the same place in the reference and in the next clones hasn't changed, and needn't be read. A
reference is used only if all is as it was when it was kept; any doubt means that the disk is read. It is kept
by publication alone: until then the one before stays, too. What it costs is bounded by ``reference_timer``.

    <state>/vms/<uuid>/reference.json    its label; or, if it was dropped, why
"""

from __future__ import annotations

import math
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from include.agent.disks.extent_map import UncertainError, equal_ranges, exclusive_bytes, settled_maps
from include.agent.disks.file_systems import is_mounted, mapped_file_system
from include.agent.durable_files import write_json
from include.agent.journal import now
from include.agent.state_folder import VmFolder, locked, read_json

_NO_REFERENCE = "the host has no reference"
_LOCK_S = 5.0
_LONGEST_DOUBT = 300  # characters; systemd's errors, or paths, may be longer


class Unchanged(NamedTuple):
    """What hasn't changed in a disk since the reference.

    Args:
        ranges: of bytes, in order.
        doubt: why nothing is known, as a phrase; else an empty text.
        exclusive_bytes: what the reference doesn't share with the disk.
    """

    ranges: list[tuple[int, int]]
    doubt: str = ""
    exclusive_bytes: int = 0


def labels(made: list[dict[str, str]], disks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the labels of clones that were just synced: what they are, and that nobody wrote to them since.

    Args:
        made: the clones, as :func:`clones.clone` returns them.
        disks: the disks, as :func:`survey.vm_of` returns them.
    """
    sources = {disk["name"]: disk["path"] for disk in disks}
    return [_label(clone, sources[clone["name"]]) for clone in made]


def _label(clone: dict[str, str], source: str) -> dict[str, Any]:
    label: dict[str, Any] = {"disk": clone["name"], "path": clone["path"], "source": source}
    try:
        with _opened(clone["path"]) as opened:
            label["stamp"] = _stamp(opened)
        label["source_inode"] = os.stat(source).st_ino  # noqa: PTH116 - links are followed
    except OSError as error:
        label["doubt"] = f"{clone['path']}: {error.strerror or error}"
    return label


def unchanged(folder: VmFolder, clones: list[dict[str, Any]], base: dict[str, Any]) -> dict[str, Unchanged]:
    """Return what hasn't changed since the vault's base in the disks of an open backup, by disk.

    Args:
        folder: the VM's folder.
        clones: their labels, of the journal's step ``ready``.
        base: ``generation``, and ``chunks``: the SHA-256 of its ``.chunks`` by disk.
    """
    return {clone["disk"]: _unchanged(folder, clone, base) for clone in clones}


def _unchanged(folder: VmFolder, clone: dict[str, Any], base: dict[str, Any]) -> Unchanged:
    try:
        reference = _of_disk(folder, clone, base)
        with _opened(reference["path"]) as old, _opened(clone["path"]) as new:
            _require_untouched(old, new, reference, clone)
            before, after = settled_maps(old, new)
            _require_untouched(old, new, reference, clone)
        size = clone["stamp"]["size"]
        return Unchanged(list(equal_ranges(before, after, size)), "", exclusive_bytes(before, after, size))
    except UncertainError as doubt:
        return _doubted(str(doubt))
    except OSError as error:
        return _doubted(f"the reference can't be used: {error.strerror or error}")
    except (AttributeError, KeyError, TypeError) as damaged:
        return _doubted(f"the reference's label is damaged: {damaged!r}")


def _doubted(why: str) -> Unchanged:
    """Return that nothing is known; a reason that the worker would refuse mustn't fail a backup."""
    return Unchanged([], why.encode("utf-8", "backslashreplace").decode()[:_LONGEST_DOUBT])


def _of_disk(folder: VmFolder, clone: dict[str, Any], base: dict[str, Any]) -> dict[str, Any]:
    """Return the label of the reference of a disk, which is of the vault's base.

    Raises:
        UncertainError: there is none, or it's of another generation, disk or VM.
    """
    kept = read_json(folder.reference)
    if not kept.get("folders"):
        raise UncertainError(kept.get("dropped") or _NO_REFERENCE)
    if kept["uuid"] != folder.uuid:
        raise UncertainError("the reference is of another VM")
    if kept["generation"] != base["generation"]:
        raise UncertainError(f"the reference is of {kept['generation']}, the vault's of {base['generation']}")
    found = next((disk for disk in kept["disks"] if disk["disk"] == clone["disk"]), None)
    if not found:
        raise UncertainError("the reference hasn't this disk")
    if found["chunks"] != base["chunks"].get(clone["disk"]):
        raise UncertainError("the reference is of other data than the vault's")
    if found["stamp"]["size"] != clone["stamp"]["size"]:
        raise UncertainError("its size has changed")
    if (found["source"], found["source_inode"]) != (clone["source"], clone["source_inode"]):
        raise UncertainError("its disk is another file than before")
    return dict(found)


def _require_untouched(old: int, new: int, reference: dict[str, Any], clone: dict[str, Any]) -> None:
    if _stamp(old) != reference["stamp"]:
        raise UncertainError("the reference was touched")
    if _stamp(new) != clone["stamp"]:
        raise UncertainError("its clone was touched")
    if os.fstat(old).st_dev != os.fstat(new).st_dev or not (
        clone["stamp"]["file_system"] == reference["stamp"]["file_system"]
    ):
        raise UncertainError("the reference is on another file system")


def keep(folder: VmFolder, request: dict[str, Any]) -> str:
    """Keep the clones of an open backup as the reference, in place of the one before; the VM is locked.

    Args:
        folder: the VM's folder.
        request: ``run``; ``generation``, as which it was published; ``chunks``: the SHA-256 of its
            ``.chunks`` by disk.

    Returns:
        why they can't be kept, as a phrase; an empty text if they are.
    """
    before, ready = read_json(folder.reference), folder.journal.entry("ready")
    if before.get("folders") and (before["run"], before["generation"]) == (
        request["run"], request["generation"]
    ):  # fmt: skip
        return ""  # an earlier call did
    if folder.journal.run != request["run"] or not ready.get("clones"):
        return "its backup isn't open any more, or its disks weren't cloned"
    disks = [{**clone, "chunks": request["chunks"].get(clone["disk"])} for clone in ready["clones"]]
    if doubt := next(filter(None, map(_doubt, disks)), ""):
        return doubt
    kept, earlier = folder.clone_folders(), [*before.get("folders", []), *before.get("replaced", [])]
    replaced = [path for path in earlier if path not in kept]
    on = {path: on for path, on in before.get("file_systems", {}).items() if path in replaced}
    write_json(
        folder.reference,
        {
            "uuid": folder.uuid,
            "run": request["run"],
            "generation": request["generation"],
            "renewed": time.time(),
            "folders": kept,
            "replaced": replaced,
            "file_systems": {**on, **_file_systems(disks)},
            "disks": disks,
        },
    )
    remove_replaced(folder)
    return ""


def _doubt(clone: dict[str, Any]) -> str:
    if "doubt" in clone or not clone["chunks"]:
        return str(clone.get("doubt") or f"{clone['disk']}: the vault has no such disk")
    try:
        with _opened(clone["path"]) as opened:
            return "" if _stamp(opened) == clone["stamp"] else f"{clone['path']} was touched"
    except OSError as error:
        return f"{clone['path']}: {error.strerror or error}"


def _file_systems(disks: list[dict[str, Any]]) -> dict[str, str]:
    return {str(Path(disk["path"]).parent): disk["stamp"]["file_system"] for disk in disks}


def remove_replaced(folder: VmFolder, *, forget_after_s: float = math.inf) -> None:
    """Remove the clones of references before, which a crash may have left, or couldn't be removed.

    Args:
        folder: the VM's folder.
        forget_after_s: how old a label is whose clones are given up: their file system may be gone for ever.
    """
    kept = read_json(folder.reference)
    if not (found := kept.get("replaced")):
        return
    left = _not_removed(folder, found, kept)
    if time.time() - folder.reference.stat().st_mtime > forget_after_s:
        left = [path for path in left if Path(path).exists()]
    if left != found:
        write_json(folder.reference, {**kept, "replaced": left})


def _not_removed(folder: VmFolder, paths: list[str], kept: dict[str, Any]) -> list[str]:
    """Remove clones; return the folders that are left, be it on a file system that isn't mounted now."""
    on = kept.get("file_systems", {})
    return [
        path
        for path in paths
        if not folder.remove_clone_folder(path) or (path in on and not is_mounted(path, on[path]))
    ]


def folders(folder: VmFolder) -> list[str]:
    """Return the folders with the clones of a VM's reference."""
    return list(read_json(folder.reference).get("folders", []))


def are_left(folder: VmFolder) -> bool:
    """Return whether there are clones of a VM's reference, or of one before; also if that can't be read."""
    try:
        kept = read_json(folder.reference)
    except OSError:
        return True
    return bool(kept.get("folders") or kept.get("replaced"))


def drop(folder: VmFolder, why: str) -> bool:
    """Remove a VM's reference, and note why, as a phrase; return whether there was one."""
    kept = read_json(folder.reference)
    if not kept.get("folders"):
        return False
    left = _not_removed(folder, [*kept["folders"], *kept.get("replaced", [])], kept)
    if read_json(folder.reference) != kept:
        return True  # removing them took minutes, and a next one was kept meanwhile
    try:
        _note(folder, f"the host's reference was removed on {now()[:10]}: {why}", {**kept, "replaced": left})
    except OSError:  # the disk is full, and what was removed isn't free yet
        folder.reference.unlink(missing_ok=True)
    return True


def note_refusal(folder: VmFolder, generation: str, why: str) -> None:
    """Note why the clones of a published generation don't stay; the reference before it is of no use then.

    One of a later generation is: an earlier run's publication may be repeated.
    """
    if str(read_json(folder.reference).get("generation", "")) > generation:
        return
    if not drop(folder, why):
        with suppress(OSError):
            _note(folder, f"the host kept no reference: {why}", read_json(folder.reference))


def _note(folder: VmFolder, dropped: str, kept: dict[str, Any]) -> None:
    """Note why there is no reference, and which clones of earlier ones still have to be removed."""
    left = ("replaced", "file_systems") if kept.get("replaced") else ()
    write_json(folder.reference, {"dropped": dropped, **{key: kept[key] for key in left if key in kept}})


def drop_locked(folder: VmFolder, why: str) -> bool:
    """Do the same, once nobody keeps another one at the moment."""
    if not folder.path.exists():
        return False
    with locked(folder.lock, timeout_s=_LOCK_S):  # if it stays locked, its space counts for more
        return drop(folder, why)


def _stamp(opened: int) -> dict[str, Any]:
    """Return what differs once a file was written to, replaced, or is on another file system.

    Raises:
        OSError: it's no regular file, or on a file system whose extents don't tell where data are.
    """
    found = os.fstat(opened)
    if not stat.S_ISREG(found.st_mode):
        raise OSError("not a regular file")
    return {
        "inode": found.st_ino,
        "size": found.st_size,
        "mtime_ns": found.st_mtime_ns,
        "ctime_ns": found.st_ctime_ns,
        "file_system": mapped_file_system(opened),
    }


@contextmanager
def _opened(path: str) -> Iterator[int]:
    opened = os.open(Path(path), os.O_RDONLY | os.O_NOFOLLOW)
    try:
        yield opened
    finally:
        os.close(opened)
