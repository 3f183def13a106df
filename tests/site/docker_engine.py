"""A real Docker engine on a machine of its own; this machine's engine, if it has one, is never touched.

That machine is a copy of this one in mounts of its own (``docker/machine.sh``): users that are added there,
and files that are written, end with it. Only the engine's data stay, in a folder, with the images for the
next start. Its bridges and rules of iptables(8) are those of the network namespace that it is started in:
never start it in the machine's.
"""

import json
import os
import subprocess
import time
from pathlib import Path

from tests.site import processes
from tests.site.switched import Switched

GATEWAY = "172.17.0.1"
"""The address at which containers reach what listens on the loopback address of the engine's namespace."""
CACHE = Path(__file__).parents[2] / ".docker_cache"
"""The folder of the engine whose images ``make compose-test`` makes."""

_START_PATIENCE_S = 60.0
_STOP_PATIENCE_S = 30.0
_MACHINE = ["unshare", "--mount", "--", str(Path(__file__).parent / "docker" / "machine.sh")]
_TO_LOOPBACK = (
    "sysctl --quiet --write net.ipv4.conf.all.route_localnet=1",
    f"iptables -t nat -I PREROUTING -d {GATEWAY} -p tcp -j DNAT --to-destination 127.0.0.1",
)


class DockerEngine(Switched):
    """An engine; a context manager.

    Args:
        folder: has its data, socket, log and the client's settings with Compose.
    """

    def __init__(self, folder: Path = CACHE) -> None:
        self.folder = folder.resolve()
        self._engine: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """The environment of ``docker`` commands for it."""
        ours = {
            "DOCKER_HOST": f"unix://{self.folder}/docker.sock",
            "DOCKER_CONFIG": str(self.folder / "client"),
            "DOCKER_BUILDKIT": "1",  # the builder that Compose has, and so its cache
            "PATH": f"/usr/bin:{os.environ['PATH']}",  # Debian's client, not a newer one
        }
        return {**os.environ, **ours}

    def start(self) -> None:
        """Start the engine, and wait until it answers.

        Raises:
            RuntimeError: it didn't start; the message has the end of its log.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        config = self.folder / "daemon.json"
        config.write_text(json.dumps(self._settings()), encoding="utf-8")
        self._engine = processes.start([*_MACHINE, str(self.folder)], log=self._log)
        deadline = time.monotonic() + _START_PATIENCE_S
        while self._asked("version").returncode:
            if self._engine.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"dockerd didn't start. {self._log} ends:\n{processes.tail(self._log)}")
            time.sleep(0.1)
        for command in _TO_LOOPBACK:
            subprocess.run(command.split(), check=True, capture_output=True)

    def stop(self) -> None:
        """Stop the engine and its containers; do nothing if it doesn't run."""
        if self._engine is None:
            return
        leader, self._engine = self._engine, None
        processes.end([leader.pid], lambda: processes.family([leader.pid]), patience_s=_STOP_PATIENCE_S)
        leader.wait()

    def run(self, *arguments: str, cwd: Path | None = None) -> str:
        """Run a ``docker`` command; return what it prints.

        Raises:
            RuntimeError: it failed; the message has its output.
        """
        done = self._asked(*arguments, cwd=cwd)
        if done.returncode:
            raise RuntimeError(f"docker {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def clear(self) -> None:
        """Remove the containers and volumes that a killed run has left; images stay."""
        for kind, forced in (("container", ["--force"]), ("network", []), ("volume", [])):
            own = ["--filter", "type=custom"] if kind == "network" else ["--all"] * (kind == "container")
            if found := self.run(kind, "ls", "--quiet", *own).split():
                self.run(kind, "rm", *forced, *found)

    def enter(self) -> list[str]:
        """Return the prefix of a command that runs on its machine."""
        assert self._engine, "The engine doesn't run."
        return ["nsenter", f"--target={self._engine.pid}", "--mount", "--root", "--"]

    def path(self, there: str) -> Path:
        """Return a path of its machine as it can be read from here."""
        assert self._engine, "The engine doesn't run."
        return Path(f"/proc/{self._engine.pid}/root{there}")

    @property
    def _log(self) -> Path:
        return self.folder / "dockerd.log"

    def _settings(self) -> dict[str, object]:
        return {
            "data-root": str(self.folder / "data"),
            "exec-root": str(self.folder / "exec"),
            "pidfile": str(self.folder / "docker.pid"),
            "hosts": [f"unix://{self.folder}/docker.sock"],
            "bip": f"{GATEWAY}/16",
        }

    def _asked(self, *arguments: str, cwd: Path | None = None) -> "subprocess.CompletedProcess[str]":
        command = ["docker", *arguments]
        return subprocess.run(
            command, env=self.environment, cwd=cwd, capture_output=True, text=True, check=False
        )
