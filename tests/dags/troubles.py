"""What can happen to the institute, each for as long as a block: afterwards it's mended."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from tests.site import Institute, SshServer


@contextmanager
def vault_unmounted(institute: Institute) -> Iterator[Path]:
    """The vault's disk is away: an empty folder, which is given, is in its place."""
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
    """Nobody takes mail."""
    institute.mail.stop()
    try:
        yield
    finally:
        institute.mail.start()


@contextmanager
def source_down(institute: Institute) -> Iterator[None]:
    """The cluster is off; sessions that it had are cut."""
    institute.cluster.stop()
    try:
        yield
    finally:
        institute.cluster.start()


@contextmanager
def key_refused(institute: Institute) -> Iterator[None]:
    """The cluster lets nobody in."""
    institute.cluster.refuse_key()
    try:
        yield
    finally:
        institute.cluster.accept_key()


@contextmanager
def another_host_key(institute: Institute) -> Iterator[None]:
    """Another machine answers in the cluster's place."""
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
    """Every copy from a server stands still half-way; a context manager.

    The server's sshd runs a command of ours in place of the one asked for (sshd(8), ``command=``): of what
    is sent, so many pieces pass, and the rest waits.

    Args:
        server: whose.
        sending: the shell pattern of the commands that copy.
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
        """Let what stands still go on, and what comes pass."""
        self._gate.unlink(missing_ok=True)


_SCRIPT = """\
gate() {{ dd bs=64k count=60; while [ -e {gate} ]; do sleep 0.1; done; cat; }}
case "$SSH_ORIGINAL_COMMAND" in
{sending}) sh -c "$SSH_ORIGINAL_COMMAND" | gate ;;
*) exec sh -c "$SSH_ORIGINAL_COMMAND" ;;
esac
"""


def parent(pid: int) -> int:
    """Give the process that started another one."""
    return int(Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[1])


def rsyncs(into: Path) -> list[int]:
    """Give the processes that copy into a folder here, those that others of them started last."""
    parents = dict(_copying(into))
    return sorted(parents, key=lambda pid: parents[pid] in parents)


def commands() -> Iterator[tuple[int, list[str]]]:
    """Give this machine's processes, and the words of their commands."""
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended just now
            yield int(entry.name), os.fsdecode((entry / "cmdline").read_bytes()).rstrip("\0").split("\0")


def _copying(into: Path) -> Iterator[tuple[int, int]]:
    for pid, words in commands():
        with suppress(OSError):  # the same
            if words[0] == "rsync" and words[-1] == f"{into}/":
                yield pid, parent(pid)
