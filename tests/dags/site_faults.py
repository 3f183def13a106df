"""Faults of the institute, each for the length of a block."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from tests.site import Institute, SshServer


@contextmanager
def vault_unmounted(institute: Institute) -> Iterator[Path]:
    """Unmount the vault's disk; yield the empty folder in its place."""
    vault = institute.vault
    disk = vault.rename(vault.with_name("disk"))
    vault.mkdir()
    try:
        yield vault
    finally:
        vault.rmdir()
        disk.rename(vault)


@contextmanager
def mail_server_down(institute: Institute) -> Iterator[None]:
    """Stop the mail server."""
    institute.mail.stop()
    try:
        yield
    finally:
        institute.mail.start()


@contextmanager
def source_down(institute: Institute) -> Iterator[None]:
    """Stop the cluster's SSH server, and cut its sessions."""
    institute.cluster.stop()
    try:
        yield
    finally:
        institute.cluster.start()


@contextmanager
def key_refused(institute: Institute) -> Iterator[None]:
    """Refuse the key at the cluster."""
    institute.cluster.refuse_key()
    try:
        yield
    finally:
        institute.cluster.accept_key()


@contextmanager
def another_host_key(institute: Institute) -> Iterator[None]:
    """Let another host key answer in the cluster's place."""
    cluster = institute.cluster
    keys = [cluster.folder / name for name in ("host_key", "host_key.pub")]
    kept = [Path(shutil.copy2(key, key.with_name(f"{key.name}.kept"))) for key in keys]
    cluster.change_host_key()
    try:
        yield
    finally:
        cluster.stop()
        for old, key in zip(kept, keys, strict=True):
            old.replace(key)
        cluster.start()


class Standstill:
    """Stalls every transfer from a server half-way; a context manager.

    The server's sshd runs a script in place of the requested command (sshd(8), ``command=``): it passes the
    first 60 blocks of the output on, and holds back the rest.

    Args:
        server: the server.
        sending: the shell pattern of the commands to stall.
    """

    def __init__(self, server: SshServer, sending: str = "rsync*") -> None:
        self._gate = server.folder / "gate"
        self._script = server.folder / "gate.sh"
        self._keys = server.folder / "authorized_keys"
        self._sending = sending
        self._entry = ""

    def __enter__(self) -> Self:
        self._gate.touch()
        self._script.write_text(_SCRIPT.format(gate=self._gate, sending=self._sending), encoding="ascii")
        self._entry = self._keys.read_text(encoding="ascii")
        self._keys.write_text(f'command="sh {self._script}" {self._entry}', encoding="ascii")
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        self._keys.write_text(self._entry, encoding="ascii")

    def end(self) -> None:
        """Let stalled and new transfers continue."""
        self._gate.unlink(missing_ok=True)


_SCRIPT = """\
gate() {{ dd bs=64k count=60; while [ -e {gate} ]; do sleep 0.1; done; cat; }}
case "$SSH_ORIGINAL_COMMAND" in
{sending}) sh -c "$SSH_ORIGINAL_COMMAND" | gate ;;
*) exec sh -c "$SSH_ORIGINAL_COMMAND" ;;
esac
"""


def parent(pid: int) -> int:
    """Return a process's parent."""
    return int(Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[1])


def rsyncs(into: Path) -> list[int]:
    """Return the rsync processes that copy into a local folder, parents first."""
    parents = dict(_copying(into))
    return sorted(parents, key=lambda pid: parents[pid] in parents)


def commands() -> Iterator[tuple[int, list[str]]]:
    """Yield this machine's processes, each with its command line."""
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended just now
            yield int(entry.name), os.fsdecode((entry / "cmdline").read_bytes()).rstrip("\0").split("\0")


def _copying(into: Path) -> Iterator[tuple[int, int]]:
    for pid, command in commands():
        with suppress(OSError):  # as above
            if command[0] == "rsync" and command[-1] == f"{into}/":
                yield pid, parent(pid)
