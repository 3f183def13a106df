"""What people would image a disk with instead of ours; each way has a folder of its own."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.include.agent.on_host import wait_until

_CLIENT = ("ssh", "-F")


class Others:
    """Their ways.

    Args:
        config: OpenSSH's configuration, in which the disk's host is ``source``: the same as ours.
        disk: a raw disk's path, there and here.
        folder: where to.
    """

    def __init__(self, config: Path, disk: Path, folder: Path) -> None:
        self._config = str(config)
        self._disk = disk
        self.folder = folder

    def fresh(self) -> None:
        """Remove what they made; what is still to be written to the machine's disk is no way's burden."""
        shutil.rmtree(self.folder, ignore_errors=True)
        for way in ("rsync", "scp", "nbdcopy", "borg", "restic"):
            (self.folder / way).mkdir(parents=True)
        os.sync()

    def ssh_cat(self, file: Path) -> None:
        """Carry a file's bytes over the wire, and do nothing with them."""
        command = [*_CLIENT, self._config, "source", f"cat {shlex.quote(str(file))}"]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)

    def rsync(self, *how: str) -> None:
        """Copy over SSH; or, where a copy is there, what changed."""
        shell = f"ssh -F {self._config}"
        subprocess.run(["rsync", *how, "-e", shell, f"source:{self._disk}", self._into("rsync")], check=True)

    def scp(self) -> None:
        """Copy as the scripts did."""
        command = ["scp", "-q", "-F", self._config, f"source:{self._disk}", self._into("scp")]
        subprocess.run(command, check=True)

    def scp_proven(self) -> None:
        """Copy as the scripts did, and hash both ends."""
        self.scp()
        there = [*_CLIENT, self._config, "source", f"sha256sum <{shlex.quote(str(self._disk))}"]
        here = ["sha256sum", self._into("scp")]
        hashes = {subprocess.run(end, check=True, capture_output=True).stdout[:64] for end in (there, here)}
        if len(hashes) != 1:
            raise AssertionError("scp made a copy that differs: nothing was measured.")

    def nbdcopy(self, socket: Path) -> None:
        """Copy an export that holes can be told from, through a tunnel."""
        subprocess.run(["nbdcopy", f"nbd+unix:///vda?socket={socket}", self._into("nbdcopy")], check=True)

    @contextmanager
    def tunnel(self, there: str) -> Iterator[Path]:
        """Have a socket of the host here for the time of a block."""
        here = self.folder.with_name("nbd.sock")
        command = [*_CLIENT, self._config, "-N", "-S", "none", "-L", f"{here}:{there}", "source"]
        with subprocess.Popen(command) as client:
            wait_until(here.exists, "a tunnel to the host")
            yield here
            client.terminate()

    def borg(self, archive: str) -> None:
        """Put it into a repository of its own machine: no wire. It is made when it isn't there."""
        repository = self.folder / "borg" / "repository"
        if not repository.exists():
            self._borg("init", "--encryption=none", str(repository))
        how = ["--compression=none", "--chunker-params=fixed,4194304", "--sparse"]
        self._borg("create", *how, f"{repository}::{archive}", str(self._disk))

    def restic(self) -> None:
        """Put it into a repository of its own machine: no wire. It is made when it isn't there."""
        if not (self.folder / "restic" / "repository").exists():
            self._restic("init")
        self._restic("backup", "--compression=off", str(self._disk))

    def _into(self, way: str) -> str:
        return str(self.folder / way / self._disk.name)

    def _borg(self, *words: str) -> None:
        environment = {**os.environ, "BORG_BASE_DIR": str(self.folder / "borg" / "base")}
        subprocess.run(["borg", *words], env=environment, check=True, capture_output=True)

    def _restic(self, *words: str) -> None:
        where = {"RESTIC_REPOSITORY": "repository", "RESTIC_CACHE_DIR": "cache"}
        environment = {name: str(self.folder / "restic" / folder) for name, folder in where.items()}
        environment = {**os.environ, **environment, "RESTIC_PASSWORD": "bench"}
        subprocess.run(["restic", "--quiet", *words], env=environment, check=True)
