"""Sending files to where they are restored: rsync, over OpenSSH or to a folder of this machine; resumable."""

import tempfile
from collections.abc import Callable, Iterable
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


def push(
    folder: Path, paths: Iterable[str], into: str, progress: Callable[[str], None], config: Path | None = None
) -> None:
    """Copy some files, links and folders of a local folder, going on where a try before ended.

    Args:
        folder: where they are.
        paths: what, below it.
        into: absolute path of a folder that is there: on the route's host, or on this machine.
        progress: told, every few seconds, how far it is.
        config: of ``transfer.connected``; None is this machine.

    Raises:
        SourceUnreachableError: network, time-out, a server that went away; worth another try.
        SourceRefusedError: key or host key.
        TargetError: it's full, or can't be written.
        VaultError: what is to be sent can't be read.
    """
    if config and WILDCARDS & set(into):
        raise TargetError(f"{shown(into)} must hold none of * ? [ and backslash: rsync would expand them.")
    with tempfile.NamedTemporaryFile() as names:  # no arguments: there may be thousands
        names.writelines(_listed(path) for path in paths)
        names.flush()
        rsh, host = ([f"--rsh=ssh -F {config}"], "source:") if config else ([], "")
        command = [*RSYNC, f"--files-from={names.name}", *rsh, f"{folder}/", f"{host}{into}/"]
        status, words = transfer.run(command, progress)
    if status:
        raise transfer.failure(status, words, there="the target", meanings=_MEANINGS)


def _listed(path: str) -> bytes:
    # With "./" before it, rsync takes a name that begins with # or ; for no comment.
    return b"./" + checked(path).encode("utf-8", "surrogateescape") + b"\0"


_MEANINGS: transfer.Meanings = (
    (
        ("No space left on device",),
        TargetError,
        "The target is full. Make room there and clear the task: what was sent is kept, and goes on.",
    ),
    (
        ("Disk quota exceeded",),
        TargetError,
        "The target has no quota left. Make room there, and clear the task.",
    ),
    (("Read-only file system",), TargetError, "The target is mounted read-only."),
    (
        ("Host key verification failed",),
        SourceRefusedError,
        "The target shows another host key than the connection's host_key. Find out why first.",
    ),
    (("Permission denied (publickey",), SourceRefusedError, "The target refuses the connection's key."),
    (("[sender]", "Permission denied (13)"), VaultError, "The vault's copy can't be read."),
    (("Permission denied (13)",), TargetError, "The target can't be written by this user."),
    (("rsync: command not found",), TargetError, "rsync isn't installed at the target."),
    (("rsync: not found",), TargetError, "rsync isn't installed at the target."),
)
