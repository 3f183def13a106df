"""Targets behind SSH that fill up, are too small, or can't be written, on disks that only their host sees."""

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from include.errors import BackupError, TargetError
from tests.include.restore.day_restores import Work, publish
from tests.include.tcp_proxy import Wire
from tests.session import needs
from tests.session.needs import own_mounts
from tests.site.sshd import SshServer

MB = 1 << 20
DAY = ["a", "b", "empty", "link", "link out"]


@dataclass(frozen=True)
class OtherHost:
    """A host with a disk of 3 MB at the target's folder, which ends with its server.

    Args:
        server: its sshd, with mounts of its own.
        work: a vault with a day of 2 MB, and that folder.
    """

    server: SshServer
    work: Work

    @property
    def disk(self) -> Path:
        """The disk's path on this machine."""
        assert self.server.leader
        return Path(f"/proc/{self.server.leader}/root{self.work.folder}")

    @property
    def there(self) -> list[str]:
        """The names of the day's files on the disk."""
        return sorted(path.name for path in (self.disk / "2026" / "268").glob("**/*"))

    def remount(self, options: str) -> None:
        """Change the disk's size, or whether it is writable."""
        within = ["nsenter", f"--target={self.server.leader}", "--mount"]
        subprocess.run([*within, "mount", "-o", f"remount,{options}", self.work.folder], check=True)

    def refused(self) -> str:
        """Return the message that refuses the day; it names the host, and no file has its name there."""
        with pytest.raises(BackupError) as refused:
            self.work.restore()
        assert type(refused.value) is TargetError
        assert str(refused.value).startswith(f"target_host:{self.work.folder} ")
        assert self.there == []
        return str(refused.value)

    def require_restored(self) -> None:
        """Restore the day, and check that no staging folder is left."""
        self.work.restore()
        assert self.there == DAY
        assert list(self.disk.rglob("*.restoring")) == []


@pytest.fixture
def host(here: Work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OtherHost]:
    """The host, with an empty disk; only root may give sshd mounts of its own."""
    needs.root()
    publish(here.vault, {"a": os.urandom(MB), "b": os.urandom(MB)})
    mounted = 'mount -t tmpfs -o size=3m tmpfs "$1" && shift && exec "$@"'
    enter = [*own_mounts(), "sh", "-ec", mounted, "sh", here.folder]
    with SshServer(tmp_path / "sshd", lambda: enter) as server:
        monkeypatch.setenv("AIRFLOW_CONN_TARGET_HOST", json.dumps(server.connection))
        yield OtherHost(server, here.but(ssh_conn_id="target_host"))
    assert list(Path(here.folder).iterdir()) == []


def test_a_host_without_enough_space_is_sent_nothing(host: OtherHost) -> None:
    """The message has how much is missing; with more space the day is restored."""
    host.remount("size=1500k")
    message = host.refused()
    assert "needs 2.1 MB for the day, and has 1.5 MB free: " in message
    assert message.endswith(" short. Nothing was written. Free space there.")
    assert list(host.disk.iterdir()) == []
    host.remount("size=8m")
    host.require_restored()


def test_a_host_that_fills_up_during_the_transfer_resumes_with_more_space(
    host: OtherHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another program writes to its disk after the survey; no partial file gets its name."""
    others = host.disk / "others"

    def fill(_: Wire) -> None:
        others.write_bytes(b"x" * (MB + MB // 2))

    begun = host.disk / "2026" / ".268.restoring"
    with Wire(host.server, lambda _: begun.exists(), fill) as wire:
        monkeypatch.setenv("AIRFLOW_CONN_TARGET_HOST", json.dumps(wire.connection))
        message = host.refused()
    assert " is full" in message
    assert "clear the task" in message
    host.remount("size=8m")
    monkeypatch.setenv("AIRFLOW_CONN_TARGET_HOST", json.dumps(host.server.connection))
    host.require_restored()


def test_a_host_with_a_read_only_disk_is_an_error(host: OtherHost) -> None:
    """The kernel remounts a disk with errors read-only."""
    host.remount("ro")
    assert " is mounted read-only: " in host.refused()
    host.remount("rw")
    host.require_restored()
