"""Sending files to where they are restored: rsync, over OpenSSH or to a folder of this machine; resumable."""

import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from include import transfer
from include.errors import SourceRefusedError, TargetError, VaultError
from include.names import checked, shown

RSYNC = (
    *transfer.WITH_THE_TASK,
    "rsync",
    "--links", "--times", "--omit-dir-times", "--perms", "--chmod=D755,F644",  # who gets them may change them
    "--inplace",  # into a folder of their own, where a broken transfer goes on
    "--secluded-args", "--from0",  # no path meets a shell, or ends at a line's end
    "--info=progress2", "--no-human-readable", "--outbuf=L",
    f"--timeout={transfer.IO_TIMEOUT_S}",
)  # fmt: skip
WILDCARDS = frozenset("*?[\\")
"""What rsync's other end would expand in a folder's name."""


@dataclass(frozen=True)
class Destination:
    """Where files go.

    Args:
        folder: absolute path of a folder that is there: on the route's host, or on this machine.
        told: what people call the target.
        config: of ``transfer.connected``; None is this machine.
    """

    folder: str
    told: str
    config: Path | None = None


def push(folder: Path, paths: Iterable[str], into: Destination, progress: Callable[[str], None]) -> None:
    """Copy some files, links and folders of a local folder, going on where a try before ended.

    Args:
        folder: where they are.
        paths: what, below it.
        into: where to.
        progress: told, every few seconds, how far it is.

    Raises:
        SourceUnreachableError: network, time-out, a server that went away; worth another try.
        SourceRefusedError: key or host key.
        TargetError: it's full, or can't be written.
        VaultError: what is to be sent can't be read.
    """
    if into.config and WILDCARDS & set(into.folder):
        raise TargetError(
            f"{shown(into.folder)} must hold none of * ? [ and backslash: rsync would expand them."
        )
    with tempfile.NamedTemporaryFile() as names:  # no arguments: there may be thousands
        names.writelines(_listed(path) for path in paths)
        names.flush()
        rsh, host = ([f"--rsh=ssh -F {into.config}"], "source:") if into.config else ([], "")
        command = [*RSYNC, f"--files-from={names.name}", *rsh, f"{folder}/", f"{host}{into.folder}/"]
        status, words = transfer.run(command, progress)
    if status:
        raise transfer.failure(status, words, there=into.told, meanings=_MEANINGS)


def _listed(path: str) -> bytes:
    # With "./" before it, rsync takes a name that begins with # or ; for no comment.
    return b"./" + checked(path).encode("utf-8", "surrogateescape") + b"\0"


_MEANINGS: transfer.Meanings = (
    (
        ("No space left on device",),
        TargetError,
        "{There} is full. Make room there and clear the task: what was sent is kept, and goes on.",
    ),
    (
        ("Disk quota exceeded",),
        TargetError,
        "{There} has no quota left. Make room there, and clear the task.",
    ),
    (
        ("Read-only file system",),
        TargetError,
        "{There} is mounted read-only. Mount it to be written, and clear the task.",
    ),
    (
        ("Host key verification failed",),
        SourceRefusedError,
        "{There} shows another host key than the connection's host_key. Find out why first.",
    ),
    (("Permission denied (publickey",), SourceRefusedError, "{There} refuses the connection's key."),
    (("[sender]", "Permission denied (13)"), VaultError, "The vault's copy can't be read."),
    (
        ("Permission denied (13)",),
        TargetError,
        "{There} can't be written by this user. Mend that, and clear the task.",
    ),
    (("rsync: command not found",), TargetError, "rsync isn't installed at {there}. Install it there."),
    (("rsync: not found",), TargetError, "rsync isn't installed at {there}. Install it there."),
)
