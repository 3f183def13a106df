"""Moving a day: rsync over OpenSSH, pulled into the vault's staging, resumable."""

import os
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from include.errors import (
    BackupError,
    DayUnusableError,
    NoSpaceError,
    NotSettledError,
    PassingError,
    SourceRefusedError,
    SourceUnreachableError,
    VaultError,
)

IO_TIMEOUT_S = 60
PROGRESS_EVERY_S = 5
REASONS_BYTES = 4000
# SIGTERM reaches it when the task's process dies, even by SIGKILL: no orphan goes on copying.
WITH_THE_TASK = ("setpriv", "--pdeathsig", "TERM", "--")
RSYNC = (
    *WITH_THE_TASK,
    "rsync",
    "--recursive", "--links", "--times", "--perms", "--chmod=D755,F644",  # no special files or owners
    "--inplace",  # a broken transfer goes on where it was; staging never shares a file with the vault
    "--delete",  # staging only: what the source dropped since the try before
    "--secluded-args",  # no path meets the remote shell
    "--info=progress2", "--no-human-readable", "--outbuf=L",
    f"--timeout={IO_TIMEOUT_S}",
)  # fmt: skip
_PROGRESS = re.compile(r"\s*(?P<bytes>\d+)\s+(?P<percent>\d+)%\s+(?P<rate>\S+)\s+(?P<left>[\d:]+)")
_PROGRESS_TOLD = "{percent} % · {megabytes:,.0f} MB · {rate} · {left} left"


@dataclass(frozen=True)
class Route:
    """How OpenSSH reaches a source: what an Airflow SSH connection says.

    Args:
        host: name or address.
        port: TCP port.
        user: login there.
        host_key: type and base64 of the one host key that is accepted.
        key_file: path of the private key, or None with ``private_key``.
        private_key: the private key itself.
    """

    host: str
    port: int
    user: str
    host_key: str
    key_file: str | None = None
    private_key: str | None = None

    def __post_init__(self) -> None:
        for value in (self.host, self.user, self.host_key, self.key_file or ""):
            if any(sign in '"\n\r\0' for sign in value):
                raise BackupError(f"{value!r} can't stand in an SSH configuration.")


@contextmanager
def connected(route: Route) -> Iterator[Path]:
    """Give an OpenSSH configuration in which ``source`` is the route; all of it is gone after the block.

    A master connection is made in the background meanwhile (ssh_config(5), ControlPath): rsync rides on it
    if it is up by then, and else connects by itself.
    """
    # In /tmp whatever TMPDIR says: a socket's path is short, and ssh's has no spaces and no %.
    private_folder = tempfile.TemporaryDirectory(prefix="inpe-backup-", dir="/tmp")
    with private_folder as private, _key_file(route) as key_file:
        config = _write_config(route, key_file, Path(private))
        master = subprocess.Popen(
            [*WITH_THE_TASK, "ssh", "-F", str(config), "-M", "-N", "source"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield config
        finally:
            master.terminate()
            master.wait()


def pull(config: Path, folder: str, into: Path, progress: Callable[[str], None]) -> None:
    """Copy a remote folder's content into a local one, going on where a try before ended.

    Args:
        config: of :func:`connected`.
        folder: absolute path at the source.
        into: local folder; what the source doesn't have is removed from it.
        progress: told, every few seconds, how far it is.

    Raises:
        SourceUnreachableError: network, time-out, a server that went away; worth another try.
        NotSettledError: files vanished while they were copied.
        SourceRefusedError: key or host key.
        DayUnusableError: the source's user can't read all of it.
        NoSpaceError, VaultError: the vault's file system is full, or can't be written.
    """
    into.mkdir(parents=True, exist_ok=True)
    command = [*RSYNC, f"--rsh=ssh -F {config}", f"source:{folder}/", f"{into}/"]
    status, words = run(command, progress)
    if status:
        raise failure(status, words)


def run(command: list[str], progress: Callable[[str], None]) -> tuple[int, str]:
    """Run rsync, telling every few seconds how far it is; gives its exit status and its reasons."""
    # A progress line has no end of its own; in a pipe shared with them, rsync's reasons would stick to it.
    with tempfile.TemporaryFile() as reasons:
        with subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=reasons,
            encoding="utf-8",
            errors="backslashreplace",
            env={**os.environ, "LC_ALL": "C"},
        ) as rsync:
            try:
                _tell(rsync.stdout or (), progress)
            except BaseException:
                rsync.terminate()  # the task is being ended; waiting for the copy would keep it
                raise
        reasons.seek(0)
        return rsync.returncode, reasons.read(REASONS_BYTES).decode("utf-8", "backslashreplace").strip()


def _tell(lines: Iterable[str], progress: Callable[[str], None]) -> None:
    next_s = time.monotonic() + PROGRESS_EVERY_S
    for line in lines:
        if (told := _PROGRESS.match(line)) and time.monotonic() >= next_s:
            next_s = time.monotonic() + PROGRESS_EVERY_S
            progress(_PROGRESS_TOLD.format(megabytes=int(told["bytes"]) / 1e6, **told.groupdict()))


@contextmanager
def _key_file(route: Route) -> Iterator[str]:
    if not route.private_key:
        yield route.key_file or "none"
        return
    # In memory, under a name that ends with this process: no kill can leave the key on a disk.
    with os.fdopen(os.memfd_create("key"), "w", encoding="utf-8") as key:
        os.fchmod(key.fileno(), 0o600)
        key.write(route.private_key.rstrip("\n") + "\n")
        key.flush()
        yield f"/proc/{os.getpid()}/fd/{key.fileno()}"


def _write_config(route: Route, key_file: str, private: Path) -> Path:
    known, config = private / "known_hosts", private / "config"
    known.write_text(f"source {route.host_key}\n", encoding="utf-8")
    lines = {
        "HostName": f'"{_literal(route.host)}"',
        "Port": str(route.port),
        "User": f'"{route.user}"',
        "IdentityFile": f'"{_literal(key_file)}"',
        "IdentitiesOnly": "yes",
        "UserKnownHostsFile": str(known),
        "GlobalKnownHostsFile": "none",
        "HostKeyAlias": "source",
        "StrictHostKeyChecking": "yes",
        "BatchMode": "yes",
        "ConnectTimeout": "20",
        "ServerAliveInterval": "15",
        "ControlPath": str(private / "master"),
        "Ciphers": "^aes128-gcm@openssh.com",  # the fastest on CPUs with AES instructions
    }
    text = "Host source\n" + "".join(f"  {word} {value}\n" for word, value in lines.items())
    config.write_text(text, encoding="utf-8")
    return config


def _literal(value: str) -> str:
    return value.replace("%", "%%")  # ssh_config(5), TOKENS


Meanings = tuple[tuple[tuple[str, ...], type[BackupError], str], ...]
"""Words that a line holds, the error that they stand for, and its sentence, in which ``{there}`` is the other
end, and ``{There}`` the same at a sentence's beginning."""


def failure(
    status: int,
    said: str,
    program: str = "rsync",
    there: str = "the source",
    meanings: Meanings | None = None,
) -> BackupError:
    """Give the error that an exit status of rsync or ssh and its words stand for (rsync(1), EXIT VALUES).

    Args:
        status: how it ended; below 0 by a signal.
        said: its words.
        program: which of the two it was.
        there: what people call the other end: ``the source``, or ``cluster:/data``.
        meanings: what its words stand for, where it isn't a day that is pulled.
    """
    words = f"{program} ended with status {status}: {said or 'it said nothing'}"
    for signs, error, meaning in meanings or _MEANINGS:
        if any(all(sign in line for sign in signs) for line in said.splitlines()):
            named = {"there": there, "There": re.sub("^the ", "The ", there)}
            return error(f"{meaning.format_map(named)} {words}")
    if status < 0:
        return PassingError(f"{program} was killed by signal {-status}. What was copied is kept.")
    if status == 24:  # noqa: PLR2004 - "partial transfer due to vanished source files"
        return NotSettledError(f"Files vanished at the source while they were copied. {words}")
    if status in (10, 12, 20, 30, 35, 255):
        return SourceUnreachableError(f"The connection to {there} broke. What was copied is kept. {words}")
    return BackupError(f"The copy failed. {words}")


_MEANINGS: Meanings = (
    (
        ("No space left on device",),
        NoSpaceError,
        "The vault's disk is full. Add space and clear the task.",
    ),
    (("Disk quota exceeded",), NoSpaceError, "The vault's quota is used up; add space and clear the task."),
    (("Read-only file system",), VaultError, "The vault is mounted read-only."),
    (
        ("Host key verification failed",),
        SourceRefusedError,
        "{There} shows another host key than the connection's host_key. Find out why first.",
    ),
    (("Permission denied (publickey",), SourceRefusedError, "{There} refuses the connection's key."),
    (("[receiver]", "Permission denied (13)"), VaultError, "The vault can't be written."),
    (("[generator]", "Permission denied (13)"), VaultError, "The vault can't be written."),
    (("Permission denied (13)",), DayUnusableError, "The source's user can't read all of the day."),
    (
        ("change_dir", "No such file or directory"),
        NotSettledError,
        "The day isn't settled: it has just gone.",
    ),
    (
        ("read errors mapping", "No data available"),
        NotSettledError,
        "The day isn't settled: a file was cut short.",
    ),
    (("rsync: command not found",), BackupError, "rsync isn't installed at {there}."),
    (("rsync: not found",), BackupError, "rsync isn't installed at {there}."),
    (("python3: command not found",), BackupError, "python3 isn't installed at {there}."),
    (("python3: not found",), BackupError, "python3 isn't installed at {there}."),
)
