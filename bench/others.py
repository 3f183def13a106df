"""The tools that people would copy a disk with instead; each has its own folder."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from include.remote.ssh import HOST
from tests.include.agent.agent_on_host import wait_until

_CLIENT = ("ssh", "-F")


class Others:
    """Copies of a disk by other tools.

    Args:
        config: OpenSSH's configuration, the same as ours, in which the disk's host is ``HOST``.
        disk: the path of a raw disk, on the host and here.
        folder: where the copies are made.
        here: the disk's path here, if it's another one than on the host.
    """

    def __init__(self, config: Path, disk: Path, folder: Path, here: Path | None = None) -> None:
        self._config = str(config)
        self._disk = disk
        self._here = str(here or disk)
        self.folder = folder

    def fresh(self) -> None:
        """Remove all copies, and flush the disk, so that nothing is left to write for the next tool."""
        shutil.rmtree(self.folder, ignore_errors=True)
        for tool in ("rsync", "scp", "nbdcopy", "borg", "restic"):
            (self.folder / tool).mkdir(parents=True)
        os.sync()

    def ssh_cat(self, file: Path) -> None:
        """Send a file over SSH, and discard it."""
        command = [*_CLIENT, self._config, HOST, f"cat {shlex.quote(str(file))}"]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)

    def rsync(self, *options: str) -> None:
        """Copy over SSH; where there is a copy, only what changed."""
        shell = f"ssh -F {self._config}"
        subprocess.run(
            ["rsync", *options, "-e", shell, f"{HOST}:{self._disk}", self._into("rsync")], check=True
        )

    def scp(self) -> None:
        """Copy as the old scripts did."""
        command = ["scp", "-q", "-F", self._config, f"{HOST}:{self._disk}", self._into("scp")]
        subprocess.run(command, check=True)

    def scp_verified(self) -> None:
        """Copy as the old scripts did, and compare the SHA-256 of both ends."""
        self.scp()
        there = [*_CLIENT, self._config, HOST, f"sha256sum <{shlex.quote(str(self._disk))}"]
        here = ["sha256sum", self._into("scp")]
        hashes = {subprocess.run(end, check=True, capture_output=True).stdout[:64] for end in (there, here)}
        if len(hashes) != 1:
            raise AssertionError("Nothing was measured: the copy by scp differs.")

    def nbdcopy(self, socket: Path) -> None:
        """Copy an NBD export, which reports holes, through a tunnel."""
        subprocess.run(["nbdcopy", f"nbd+unix:///vda?socket={socket}", self._into("nbdcopy")], check=True)

    @contextmanager
    def tunnel(self, socket: str) -> Iterator[Path]:
        """Forward a socket of the host for the time of a block, and yield its path here."""
        here = self.folder.with_name("nbd.sock")
        command = [*_CLIENT, self._config, "-N", "-S", "none", "-L", f"{here}:{socket}", HOST]
        with subprocess.Popen(command) as client:
            wait_until(here.exists, "a tunnel to the host")
            yield here
            client.terminate()

    def borg(self, archive: str) -> None:
        """Back the disk up to a repository on the same machine, without a network; create it if needed."""
        repository = self.folder / "borg" / "repository"
        if not repository.exists():
            self._borg("init", "--encryption=none", str(repository))
        options = ["--compression=none", "--chunker-params=fixed,4194304", "--sparse"]
        self._borg("create", *options, f"{repository}::{archive}", self._here)

    def restic(self) -> None:
        """Back the disk up to a repository on the same machine, without a network; create it if needed."""
        if not (self.folder / "restic" / "repository").exists():
            self._restic("init")
        self._restic("backup", "--compression=off", self._here)

    def _into(self, tool: str) -> str:
        return str(self.folder / tool / self._disk.name)

    def _borg(self, *words: str) -> None:
        environment = {**os.environ, "BORG_BASE_DIR": str(self.folder / "borg" / "base")}
        subprocess.run(["borg", *words], env=environment, check=True, capture_output=True)

    def _restic(self, *words: str) -> None:
        folders = {"RESTIC_REPOSITORY": "repository", "RESTIC_CACHE_DIR": "cache"}
        environment = {name: str(self.folder / "restic" / folder) for name, folder in folders.items()}
        environment = {**os.environ, **environment, "RESTIC_PASSWORD": "bench"}
        subprocess.run(["restic", "--quiet", *words], env=environment, check=True)
