"""rsync over OpenSSH, resumable: pulls days into the vault's staging, pushes restores to their targets."""

import os
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from include.errors import TargetError
from include.names import checked, shown
from include.remote.failures import PULL_MEANINGS, PUSH_MEANINGS, failure
from include.remote.ssh import DIE_WITH_PARENT, HOST, STDERR_BYTES

IO_TIMEOUT_S = 60
PROGRESS_EVERY_S = 5
RSYNC = (
    *DIE_WITH_PARENT,
    "rsync",
    "--links", "--times", "--perms", "--chmod=D755,F644",  # no special files or owners
    "--inplace",  # into a folder of its own, where an interrupted transfer resumes
    "--secluded-args",  # the remote shell sees no path
    "--info=progress2", "--no-human-readable", "--outbuf=L",
    f"--timeout={IO_TIMEOUT_S}",
)  # fmt: skip
_PULL = (
    "--recursive",
    "--delete",
    "--delete-excluded",
)  # staging drops what the source has dropped since the last try
_PUSH = ("--omit-dir-times", "--from0")  # a name may contain a line feed
WILDCARDS = frozenset("*?[\\")
"""The characters that the remote rsync would expand in a folder's name."""
_PROGRESS = re.compile(r"\s*(?P<bytes>\d+)\s+(?P<percent>\d+)%\s+(?P<rate>\S+)\s+(?P<left>[\d:]+)")
_PROGRESS_LINE = "{percent} % · {megabytes:,.0f} MB · {rate} · {left} left"


def pull(
    config: Path, folder: str, into: Path, progress: Callable[[str], None], exclude: Iterable[str] = ()
) -> None:
    """Copy the content of a remote folder into a local one; resumes an interrupted transfer.

    Args:
        config: the OpenSSH configuration, from ``ssh.connected``.
        folder: absolute path at the source.
        into: local folder; what the source doesn't have is removed from it.
        progress: called every few seconds with a line of progress.
        exclude: patterns of the names of files and folders that aren't copied.

    Raises:
        SourceUnreachableError: network, timeout, or a server that disconnected; transient.
        NotSettledError: files vanished during the copy; transient.
        SourceRefusedError: the key or the host key is refused.
        DayUnusableError: the source's user can't read all files.
        NoSpaceError, VaultError: the vault's file system is full, or can't be written.
    """
    into.mkdir(parents=True, exist_ok=True)
    excluded = [f"--exclude={pattern}" for pattern in exclude]
    command = [*RSYNC, *_PULL, *excluded, f"--rsh=ssh -F {config}", f"{HOST}:{folder}/", f"{into}/"]
    status, errors = run(command, progress)
    if status:
        raise failure(status, errors, "rsync", "the source", PULL_MEANINGS)


@dataclass(frozen=True)
class Destination:
    """The destination of a push.

    Args:
        folder: absolute path of an existing folder on the host, or on this machine.
        name: the target's name, for messages.
        config: the OpenSSH configuration of the host, from ``ssh.connected``; None means this machine.
    """

    folder: str
    name: str
    config: Path | None = None


def push(folder: Path, paths: Iterable[str], into: Destination, progress: Callable[[str], None]) -> None:
    """Copy some files, links and folders of a local folder; resumes an interrupted transfer.

    Args:
        folder: the local folder.
        paths: relative paths of what is copied.
        into: the destination.
        progress: called every few seconds with a line of progress.

    Raises:
        SourceUnreachableError: network, timeout, or a server that disconnected; transient.
        SourceRefusedError: the key or the host key is refused.
        TargetError: the destination is full, or can't be written.
        VaultError: the local files can't be read.
    """
    if into.config and WILDCARDS & set(into.folder):
        raise TargetError(
            f"{shown(into.folder)} must not contain * ? [ or a backslash: rsync would expand them."
        )
    with tempfile.NamedTemporaryFile() as names:  # thousands of paths don't fit into a command line
        names.writelines(_list_entry(path) for path in paths)
        names.flush()
        rsh, host = ([f"--rsh=ssh -F {into.config}"], f"{HOST}:") if into.config else ([], "")
        command = [*RSYNC, *_PUSH, f"--files-from={names.name}", *rsh, f"{folder}/", f"{host}{into.folder}/"]
        status, errors = run(command, progress)
    if status:
        raise failure(status, errors, "rsync", into.name, PUSH_MEANINGS)


def _list_entry(path: str) -> bytes:
    # "./" keeps rsync from taking a name that begins with # or ; for a comment.
    return b"./" + checked(path).encode("utf-8", "surrogateescape") + b"\0"


def run(command: list[str], progress: Callable[[str], None]) -> tuple[int, str]:
    """Run rsync, report its progress every few seconds, and return its exit status and its standard error."""
    # Progress lines don't end in a line feed, so errors in the same pipe would be appended to them.
    with tempfile.TemporaryFile() as stderr:
        with subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=stderr,
            encoding="utf-8",
            errors="backslashreplace",
            env={**os.environ, "LC_ALL": "C"},
        ) as rsync:
            try:
                _report(rsync.stdout or (), progress)
            except BaseException:
                rsync.terminate()  # the task is ending and mustn't wait for the copy
                raise
        stderr.seek(0)
        return rsync.returncode, stderr.read(STDERR_BYTES).decode("utf-8", "backslashreplace").strip()


def _report(lines: Iterable[str], progress: Callable[[str], None]) -> None:
    next_s = time.monotonic() + PROGRESS_EVERY_S
    for line in lines:
        if (match := _PROGRESS.match(line)) and time.monotonic() >= next_s:
            next_s = time.monotonic() + PROGRESS_EVERY_S
            progress(_PROGRESS_LINE.format(megabytes=int(match["bytes"]) / 1e6, **match.groupdict()))
