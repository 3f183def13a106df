"""A PostgreSQL server of Debian's package, with a database of its own in one folder."""

import subprocess
import time
from pathlib import Path

from tests.site import processes
from tests.site.accounts import as_account, give
from tests.site.ports import LOOPBACK, kept_port
from tests.site.switched import Switched

PROGRAMS = Path("/usr/lib/postgresql")
_ACCOUNT = "postgres"  # it refuses to run as root
_PATIENCE_S = 60.0


class PostgresServer(Switched):
    """A PostgreSQL on 127.0.0.1; a context manager.

    Args:
        folder: has its data, log and port; another start continues with them.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server: subprocess.Popen[bytes] | None = None
        self._port = kept_port(folder / "port")

    @property
    def address(self) -> str:
        """Where its database is, without the driver: ``airflow@127.0.0.1:5432/postgres``."""
        return f"airflow@{LOOPBACK}:{self._port}/postgres"

    def start(self) -> None:
        """Start it, with a new database at the first time, and wait until it answers."""
        data = give(self._folder / "data", _ACCOUNT)
        if not (data / "PG_VERSION").exists():
            made = [_program("initdb"), "--auth=trust", "--username=airflow", "--no-sync", f"--pgdata={data}"]
            subprocess.run([*as_account(_ACCOUNT), *made], check=True, capture_output=True, cwd="/")
        # No socket: its folder may have too long a name. -F: no sync; a test doesn't outlive its machine.
        server = [
            _program("postgres"),
            "-D",
            str(data),
            "-p",
            str(self._port),
            "-h",
            LOOPBACK,
            "-k",
            "",
            "-F",
        ]
        self._server = processes.start([*as_account(_ACCOUNT), *server], log=self._log, cwd=Path("/"))
        self._wait_until_it_answers()

    def stop(self) -> None:
        """Kill it, as a crash does: it recovers at the next start."""
        if self._server is not None:
            server, self._server = self._server, None
            processes.end([], lambda: processes.family([server.pid]), patience_s=0)
            server.wait()

    def _wait_until_it_answers(self) -> None:
        ready = [_program("pg_isready"), "-q", "-h", LOOPBACK, "-p", str(self._port)]
        deadline = time.monotonic() + _PATIENCE_S
        while subprocess.run(ready, check=False).returncode:
            if time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"PostgreSQL didn't come up:\n{processes.tail(self._log)}")
            time.sleep(0.05)

    @property
    def _log(self) -> Path:
        return self._folder / "postgres.log"


def _program(name: str) -> str:
    """Return a program of the newest version that is installed."""
    found = max(PROGRAMS.glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    return str(found)
