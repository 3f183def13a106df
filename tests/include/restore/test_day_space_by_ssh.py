"""Targets behind SSH that fill up, are too small, or can't be written: disks that only their host sees."""

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from include.errors import BackupError, TargetError
from tests.include.machine import own_mounts
from tests.include.restore.work import Work, publish
from tests.include.wire import Wire
from tests.site.sshd import SshServer

MB = 1 << 20
DAY = ["a", "b", "empty", "link", "link out"]


@dataclass(frozen=True)
class OtherHost:
    """A host with a disk of 3 MB of its own at the target's folder; all of it ends with its server.

    Args:
        server: its sshd, within its mounts.
        work: a day of 2 MB, and the way to that folder.
    """

    server: SshServer
    work: Work

    @property
    def disk(self) -> Path:
        """The disk, seen from here."""
        assert self.server.leader
        return Path(f"/proc/{self.server.leader}/root{self.work.folder}")

    @property
    def there(self) -> list[str]:
        """What the disk has of the day, by its own names."""
        return sorted(path.name for path in (self.disk / "2026" / "268").glob("**/*"))

    def remount(self, options: str) -> None:
        """Change the disk's size, or whether it can be written."""
        user = ["--user", "--preserve-credentials"] if os.geteuid() else []
        within = ["nsenter", f"--target={self.server.leader}", "--mount", *user]
        subprocess.run([*within, "mount", "-o", f"remount,{options}", self.work.folder], check=True)

    def refused(self) -> str:
        """Give the sentence that refuses the day; it names the host, and nothing has its name there."""
        with pytest.raises(BackupError) as told:
            self.work.restore()
        assert type(told.value) is TargetError
        assert str(told.value).startswith(f"target_host:{self.work.folder} ")
        assert self.there == []
        return str(told.value)

    def takes_it(self) -> None:
        """Have the day restored, and see that nothing is left of the tries before."""
        self.work.restore()
        assert self.there == DAY
        assert list(self.disk.rglob("*.restoring")) == []


@pytest.fixture
def host(here: Work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OtherHost]:
    """Give it, with nothing on its disk."""
    publish(here.vault, {"a": os.urandom(MB), "b": os.urandom(MB)})
    mounted = 'mount -t tmpfs -o size=3m tmpfs "$1" && shift && exec "$@"'
    enter = [*own_mounts(), "sh", "-ec", mounted, "sh", here.folder]
    with SshServer(tmp_path / "sshd", lambda: enter) as server:
        monkeypatch.setenv("AIRFLOW_CONN_TARGET_HOST", json.dumps(server.connection))
        yield OtherHost(server, here.but(connection="target_host"))
    assert list(Path(here.folder).iterdir()) == []


def test_a_host_without_room_isnt_sent_anything(host: OtherHost) -> None:
    """It says how much is missing, and takes the day once there is room."""
    host.remount("size=1500k")
    told = host.refused()
    assert "needs 2.1 MB for the day, and has 1.5 MB free: " in told
    assert told.endswith(" are missing. Nothing was written. Make room there.")
    assert list(host.disk.iterdir()) == []
    host.remount("size=8m")
    host.takes_it()


def test_a_host_that_fills_up_under_the_copy_goes_on_with_more_room(
    host: OtherHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else writes to its disk once it has said what is free; no half file gets a name of the day."""
    others = host.disk / "others"

    def fill(_: Wire) -> None:
        others.write_bytes(b"x" * (MB + MB // 2))

    begun = host.disk / "2026" / ".268.restoring"
    with Wire(host.server, lambda _: begun.exists(), fill) as wire:
        monkeypatch.setenv("AIRFLOW_CONN_TARGET_HOST", json.dumps(wire.connection))
        told = host.refused()
    assert " is full" in told
    assert "clear the task" in told
    host.remount("size=8m")
    monkeypatch.setenv("AIRFLOW_CONN_TARGET_HOST", json.dumps(host.server.connection))
    host.takes_it()


def test_a_host_whose_disk_is_mounted_read_only_is_told(host: OtherHost) -> None:
    """As the kernel does with a disk that has errors."""
    host.remount("ro")
    assert " is mounted read-only: " in host.refused()
    host.remount("rw")
    host.takes_it()
