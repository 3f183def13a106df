"""A day copied over SSH on loopback: ours with verification, against commands that people would use."""

import json
import os
import random
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from unittest.mock import patch

from bench.row import Row, medians
from include.days.backup import DayBackup
from include.days.source import Source
from include.ordinal_day import FolderPattern, OrdinalDay
from include.vault.vault import Vault
from inpe_backup.ssh_transport import SshTransport
from tests.site.sshd import SshServer

DAY = OrdinalDay(2026, 268)
SHAPES = {"24 files of 18 MB": (24, 18_000_000), "3,000 files of 50 KB": (3_000, 50_000)}
CONNECTION = "supim_cluster"


def rows(scratch: Path, rounds: int) -> Iterator[Row]:
    """Measure each shape of a day."""
    with cluster(scratch) as (options, port):
        for shape, (files, size) in SHAPES.items():
            source = _write_day(scratch / "source", files, size)
            copies = Copies(source, scratch / "copies", options, port)
            took = medians({"ours": copies.ours, "rsync": copies.rsync, "scp": copies.scp}, rounds)
            shutil.rmtree(scratch / "source")
            name = f"{shape}: copied, verified, published"
            yield Row(name, took["ours"], "rsync -a", took["rsync"], 1.25)
            yield Row(name, took["ours"], "scp -r, sha256sum at both ends", took["scp"], 1.0)


@contextmanager
def cluster(scratch: Path) -> Iterator[tuple[list[str], int]]:
    """Start an SSH server and make it the connection's; yield the options of ``ssh`` and the port."""
    with SshServer(scratch / "sshd") as server:
        known = scratch / "known_hosts"
        known.write_text(server.known_hosts, encoding="utf-8")
        environment = {f"AIRFLOW_CONN_{CONNECTION.upper()}": json.dumps(server.connection)}
        with patch.dict(os.environ, environment):
            options = ["-i", str(server.key_file), "-o", f"UserKnownHostsFile={known}", "-o", "BatchMode=yes"]
            yield options, server.port


def _write_day(root: Path, files: int, size: int) -> Path:
    folder = root / FolderPattern("{year}/{day:03d}").folder(DAY)
    folder.mkdir(parents=True)
    noise = random.Random(1)  # noqa: S311 - incompressible data
    for number in range(files):
        (folder / f"step{number}").write_bytes(noise.randbytes(size))
    return folder


class Copies:
    """Copies of one day, by different tools; each call removes the last copy and makes a new one."""

    def __init__(self, source: Path, copies: Path, ssh_options: list[str], port: int) -> None:
        self._source = source
        self._copies = copies
        self._options = ssh_options
        self._port = str(port)
        self._numbers = count()

    def ours(self) -> None:
        """Copy, verify, publish."""
        vault = Vault.create(self._new_folder())
        root = str(self._source.parents[1])
        with Source(SshTransport(CONNECTION), root, FolderPattern("{year}/{day:03d}"), False, None) as source:  # noqa: FBT003
            backup = DayBackup(vault, source, DAY, "bench", 0, 0, datetime.now(UTC), lambda _line: None)
            backup.copy()
            backup.verify()
            backup.publish()

    def rsync(self) -> Path:
        """Copy without verification, and return the copy."""
        shell = shlex.join(["ssh", *self._options, "-p", self._port])
        into = self._new_folder()
        subprocess.run(["rsync", "-a", "-e", shell, f"127.0.0.1:{self._source}/", f"{into}/"], check=True)
        return into

    def rsync_verified(self) -> None:
        """Copy, and compare the SHA-256 of both ends."""
        self._compare_sums(self.rsync())

    def scp(self) -> None:
        """Copy as the old scripts did, and compare the SHA-256 of both ends."""
        into = self._new_folder()
        scp = ["scp", "-q", "-r", *self._options, "-P", self._port, f"127.0.0.1:{self._source}", str(into)]
        subprocess.run(scp, check=True)
        self._compare_sums(into / self._source.name)

    def _compare_sums(self, copy: Path) -> None:
        there = f"cd {shlex.quote(str(self._source))} && find . -type f -exec sha256sum {{}} +"
        ssh = ["ssh", *self._options, "-p", self._port, "127.0.0.1", there]
        sums = subprocess.run(ssh, check=True, capture_output=True).stdout
        subprocess.run(["sha256sum", "--check", "--quiet"], input=sums, cwd=copy, check=True)

    def clear(self) -> None:
        """Remove the last copy."""
        shutil.rmtree(self._copies, ignore_errors=True)

    def _new_folder(self) -> Path:
        self.clear()
        folder = self._copies / str(next(self._numbers))
        folder.mkdir(parents=True)
        return folder
