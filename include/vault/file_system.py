"""What a vault's file system can do, tried when the vault is made, and what follows from what it can't."""

import fcntl
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from include.errors import VaultError
from include.text import size

_MODE = 0o440
_MTIME_NS = 1_000_000_001_123_456_789
_SPARSE_BYTES = 1 << 24
_LARGE_BYTES = (1 << 32) + 1  # FAT32 ends at 4 GiB
_FICLONE = 0x40049409  # ioctl_ficlone(2)

Probe = Callable[[Path], bool]


def limits(root: Path) -> list[str]:
    """Return what follows from the limits of a folder's file system, as sentences; leave nothing behind.

    Raises:
        VaultError: a vault can't be kept there at all.
    """
    for probe, lack in _NEEDED:
        if not _tried(probe, root):
            raise VaultError(f"The file system of {root} {lack}. Choose another one for the vault.")
    return [sentence for probe, sentence in _USEFUL if not _tried(probe, root)]


def _tried(probe: Probe, root: Path) -> bool:
    with tempfile.TemporaryDirectory(prefix=".inpe-probe-", dir=root) as folder:
        try:
            return probe(Path(folder))
        except OSError:
            return False


def _renames_folders(folder: Path) -> bool:
    (folder / "a").mkdir()
    (folder / "a" / "file").write_bytes(b"x")
    (folder / "a").rename(folder / "b")
    return (folder / "b" / "file").read_bytes() == b"x"


def _replaces_files(folder: Path) -> bool:
    (folder / "old").write_bytes(b"old")
    (folder / "new").write_bytes(b"new")
    (folder / "new").replace(folder / "old")
    return (folder / "old").read_bytes() == b"new"


def _flushes(folder: Path) -> bool:
    for path, flags in ((folder / "file", os.O_WRONLY | os.O_CREAT), (folder, os.O_RDONLY)):
        opened = os.open(path, flags)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)
    return True


def _locks(folder: Path) -> bool:
    with (folder / "lock").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return True


def _has_hard_links(folder: Path) -> bool:
    (folder / "file").write_bytes(b"x")
    os.link(folder / "file", folder / "link")
    return True


def _has_symbolic_links(folder: Path) -> bool:
    (folder / "link").symlink_to("target")
    return True


def _keeps_modes(folder: Path) -> bool:
    (folder / "file").touch()
    (folder / "file").chmod(_MODE)
    return (folder / "file").stat().st_mode & 0o777 == _MODE


def _keeps_times(folder: Path) -> bool:
    (folder / "file").touch()
    os.utime(folder / "file", ns=(_MTIME_NS, _MTIME_NS))
    return (folder / "file").stat().st_mtime_ns == _MTIME_NS


def _is_sparse(folder: Path) -> bool:
    return _extended(folder / "file", _SPARSE_BYTES).st_blocks * 512 < _SPARSE_BYTES // 2


def _has_large_files(folder: Path) -> bool:
    return _extended(folder / "file", _LARGE_BYTES).st_size == _LARGE_BYTES


def _extended(path: Path, to_bytes: int) -> os.stat_result:
    with path.open("wb") as file:
        file.truncate(to_bytes)
    return path.stat()


def _has_any_name(folder: Path) -> bool:
    names = {b"a", b"A", b"a:b?*", b"ends with.", b"\xff"}
    for name in names:
        (folder / os.fsdecode(name)).touch()
    return set(os.listdir(os.fsencode(folder))) == names  # noqa: PTH208 - names in bytes


def _shares_blocks(folder: Path) -> bool:
    (folder / "file").write_bytes(bytes(1 << 16))
    with (folder / "file").open("rb") as old, (folder / "clone").open("wb") as new:
        fcntl.ioctl(new, _FICLONE, old.fileno())
    return True


_NEEDED: tuple[tuple[Probe, str], ...] = (
    (_renames_folders, "can't rename folders"),
    (_replaces_files, "can't replace a file by renaming another"),
    (_flushes, "can't flush files and folders to the disk (fsync)"),
    (_locks, "has no locks (flock)"),
)
_USEFUL: tuple[tuple[Probe, str], ...] = (
    (_has_hard_links, "It has no hard links: a later version of a day takes the space of the whole day."),
    (_has_symbolic_links, "It has no symbolic links: days that contain any can't be copied."),
    (_keeps_modes, "It keeps no file modes: nothing in it can be made read-only or private."),
    (_keeps_times, "It rounds file times: unchanged files of a day aren't shared with its later versions."),
    (_is_sparse, "It has no sparse files: an image takes the whole size of its disk."),
    (_has_large_files, f"It has no files over {size(_LARGE_BYTES - 2)}: larger disks can't be backed up."),
    (_has_any_name, "It refuses or changes some names: days and VMs that have them can't be backed up."),
    (_shares_blocks, "It can't share blocks between files (reflink): each image takes its whole space."),
)
