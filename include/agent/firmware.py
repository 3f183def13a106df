"""The files of a VM besides its disks: definition, UEFI variables (NVRAM) and TPM state."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from include.agent.durable_files import fsync, fsync_all, write_whole
from include.agent.errors import BackupNotBegunError, NotRestoredError
from include.agent.left_out import one_left_out

_TRIES = 5

# Members get their modes and owners here. Older versions of Python know no filters.
_NO_FILTER: Any = {"filter": "fully_trusted"} if hasattr(tarfile, "fully_trusted_filter") else {}
_FOLDER_MODE, _FILE_MODE = 0o711, 0o600  # libvirt gives all to swtpm's account, which must pass through


def save_definition(folder: Path, definition: str) -> None:
    """Make the folder anew, with a VM's definition as ``domain.xml`` in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    (folder / "domain.xml").write_text(definition + "\n", encoding="utf-8")


def examine(nvram: str | None, tpm: str | None) -> tuple[list[str], list[dict[str, str]]]:
    """Look for a VM's UEFI variables and TPM state, before anything is touched.

    Args:
        nvram: the path of the file or device with its UEFI variables, if it has any.
        tpm: the path of the folder with its TPM's state, if it has any.

    Returns:
        why they can't be read, as sentences; what isn't there, as ``left_out.py`` lists it.
    """
    problems, absent = [], []
    for kind, name, path in (("nvram", "NVRAM", nvram), ("tpm", "TPM", tpm)):
        try:
            _require_readable(path)
        except FileNotFoundError as error:
            if path and error.filename == path:  # and not a file that the TPM has replaced just now
                absent.append(one_left_out(kind, "", path, "It doesn't exist."))
        except OSError as error:
            problems.append(
                f"Its {name} ({error.filename}) can't be read: {error.strerror}. Let the login read it."
            )
    return problems, absent


def save_firmware(folder: Path, vm: dict[str, Any]) -> None:
    """Save ``nvram.fd`` and ``tpm.tar`` if the VM has such state; what a running VM changes is copied again.

    Raises:
        BackupNotBegunError: it keeps changing.
    """
    if vm["nvram"]:
        _save(Path(vm["nvram"]), lambda source: shutil.copyfile(source, str(folder / "nvram.fd")))
    if vm["tpm"]:
        _save(Path(vm["tpm"]), lambda source: _pack(source, folder / "tpm.tar"))


def _require_readable(path: str | None) -> None:
    if not path:
        return
    files = [path] if not os.path.isdir(path) else _files_below(path)  # noqa: PTH112 - no error on a bad path
    for file in files:
        with open(file, "rb"):  # noqa: PTH123 - its errors have the file's name
            pass


def _files_below(folder: str) -> list[str]:
    def fail(error: OSError) -> None:
        raise error

    walked = os.walk(folder, onerror=fail)
    return [os.path.join(parent, name) for parent, _, names in walked for name in names]  # noqa: PTH118


def _save(source: Path, copy: Callable[[str], object]) -> None:
    for _ in range(_TRIES):
        if not source.exists():
            return  # it is listed as left out
        with suppress(FileNotFoundError):  # something in it was replaced just now
            before = _stamps(source)
            copy(str(source))
            if _stamps(source) == before:
                return
    raise BackupNotBegunError(f"{source} changed each time that it was copied.")


def _stamps(source: Path) -> list[tuple[str, int, int]]:
    """Return name, mtime and size of a file, or of everything in a folder."""
    found = [(path, path.stat()) for path in sorted([source, *source.rglob("*")])]
    return [(str(path), stat.st_mtime_ns, stat.st_size) for path, stat in found]


def _pack(folder: str, target: Path) -> None:
    with tarfile.open(str(target), "w") as archive:
        archive.add(folder, arcname=".")


def write_nvram(content: bytes, new: Path) -> None:
    """Write UEFI variables, flushed to the disk; replace what an earlier attempt left."""
    write_whole(new, content, 0o600)


def unpack_tpm(archive: bytes, new: Path) -> None:
    """Unpack the state of an emulated TPM; replace what an earlier attempt left.

    No mode or owner of the archive is taken over: another host may have made it. When the VM starts, libvirt
    gives the files to the account of swtpm on this one.

    Raises:
        NotRestoredError: it isn't a plain tar archive, or a member isn't a file or folder in its folder.
    """
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700)
    try:
        # One that is compressed could fill the host's disk.
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as packed:
            _extract(packed, new)
    except tarfile.TarError as error:
        raise NotRestoredError(f"tpm.tar isn't a tar archive: {error}.") from error
    fsync_all(new)
    fsync(new.parent)


def _extract(packed: tarfile.TarFile, new: Path) -> None:
    for member in packed.getmembers():
        is_outside = member.name.startswith("/") or ".." in member.name.split("/")
        if is_outside or not (member.isfile() or member.isdir()):
            raise NotRestoredError(
                f"Unexpected member {member.name!r} in tpm.tar: it isn't a file inside its folder."
            )
        member.mode = _FOLDER_MODE if member.isdir() else _FILE_MODE
        member.uid, member.gid, member.uname, member.gname = os.geteuid(), os.getegid(), "", ""
    packed.extractall(new, **_NO_FILTER)  # noqa: S202 - every member was checked
