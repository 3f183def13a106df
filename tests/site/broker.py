"""A Redis server of Debian's package: Celery's broker."""

import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from tests.site import processes
from tests.site.accounts import as_account, give
from tests.site.ports import LOOPBACK, kept_port
from tests.site.switched import Switched

_ACCOUNT = "redis"
_PASSWORD = "only-tests"  # noqa: S105 - of a server that lives as long as a test
_PATIENCE_S = 30.0


class Broker(Switched):
    """A Redis on 127.0.0.1 that keeps its queues in a file, as in docker-compose.celery.yaml.

    Args:
        folder: has its file, log and port; another start continues with them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server: subprocess.Popen[bytes] | None = None
        self._port = kept_port(folder / "port")

    @property
    def url(self) -> str:
        """Its address for Celery."""
        return f"redis://:{_PASSWORD}@{LOOPBACK}:{self._port}/0"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        data = give(self._folder / "data", _ACCOUNT)
        options = {
            "bind": LOOPBACK,
            "port": self._port,
            "dir": data,
            "requirepass": _PASSWORD,
            "appendonly": "yes",
        }
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        self._server = processes.start([*as_account(_ACCOUNT), "redis-server", *words], log=self._log)
        self._wait_until_it_answers()

    def stop(self) -> None:
        """Kill it, as a crash does."""
        if self._server is not None:
            server, self._server = self._server, None
            processes.end([], lambda: processes.family([server.pid]), patience_s=0)
            server.wait()

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while not self._answers():
            if time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"Redis didn't come up:\n{processes.tail(self._log)}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        """Return whether it has read its file: until then it answers with an error."""
        with suppress(OSError), socket.create_connection((LOOPBACK, self._port), timeout=1) as client:
            client.sendall(f"AUTH {_PASSWORD}\r\nPING\r\n".encode())
            answers = client.makefile("rb")
            return [answers.readline(), answers.readline()] == [b"+OK\r\n", b"+PONG\r\n"]
        return False

    @property
    def _log(self) -> Path:
        return self._folder / "redis.log"
