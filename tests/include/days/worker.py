"""A worker in a process of its own: it can be killed, run as a plain user, and have its own mounts.

The process reads requests, one per line, forks for each, and answers with two lines: the child's process id
and, at its end, the outcome. Forking saves each request the second that importing Airflow takes.
"""

import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from include.errors import BackupError
from tests.include.days.day_tasks import Rehearsal, Step
from tests.include.project_process import environment

CHANGES = {
    *("open", "os.chmod", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink"),
    *("os.truncate", "os.utime", "shutil.rmtree", "subprocess.Popen"),
}
"""The audit events of changes that another process could see (``sys.addaudithook``)."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of a request.

    Args:
        error: the name of the error's class; empty if there was none.
        message: the error's message.
        killed: whether a signal ended it.
        record: the record that the last step returned, if any.
    """

    error: str = ""
    message: str = ""
    killed: bool = False
    record: dict[str, Any] | None = None


class Worker:
    """The worker's process; a context manager.

    Args:
        prefix: the beginning of its command, such as ``unshare``.
    """

    def __init__(self, prefix: Sequence[str] = ()) -> None:
        self._prefix = prefix

    def __enter__(self) -> Self:
        command = [*self._prefix, sys.executable, "-m", "tests.include.days.worker"]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment(), text=True)
        self.run("true")  # it is ready: a test may hold a connection while it asks
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def begin(self, rehearsal: Rehearsal, *steps: Step, **options: Any) -> int:  # noqa: ANN401 - see ``_run``
        """Start some steps, and return the id of the process that runs them."""
        self._ask({"rehearsal": rehearsal.as_json(), "steps": steps, **options})
        return int(self._answer()["pid"])

    def end(self) -> Outcome:
        """Wait for the started steps."""
        return Outcome(**self._answer())

    def do(self, rehearsal: Rehearsal, *steps: Step, **options: Any) -> Outcome:  # noqa: ANN401 - see ``_run``
        """Run some steps, or all three."""
        self.begin(rehearsal, *steps, **options)
        return self.end()

    def run(self, *command: str) -> None:
        """Run a command in the worker's own mounts."""
        self._ask({"run": command})
        assert self._answer() == {"status": 0}, command

    def path(self, path: Path) -> Path:
        """Return where this process finds a path of the worker's own mounts."""
        return Path(f"/proc/{self._process.pid}/root{path}")

    def _ask(self, request: dict[str, Any]) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, f"the worker ended with {self._process.wait()}; its output is above"
        answer: dict[str, Any] = json.loads(line)
        return answer


def serve() -> None:
    """Answer requests until the input ends."""
    import inpe_backup.ssh_transport  # noqa: F401, PLC0415 - once, for all the forks to come

    # Airflow logs to standard output, where answers go.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        request = json.loads(line)
        if "run" in request:
            status = subprocess.run(request["run"], check=False).returncode
            print(json.dumps({"status": status}), file=answers, flush=True)
            continue
        with _forked(request) as (pid, result):
            print(json.dumps({"pid": pid}), file=answers, flush=True)
            print(result(), file=answers, flush=True)


@contextmanager
def _forked(request: dict[str, Any]) -> Iterator[Any]:
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(write_end, json.dumps(_run(**request)).encode())
        os._exit(0)
    os.close(write_end)

    def result() -> str:
        with os.fdopen(read_end) as pipe:
            outcome = pipe.read()
        _, status = os.waitpid(pid, 0)
        return json.dumps({"killed": True}) if os.WIFSIGNALED(status) else outcome

    yield pid, result


def _run(
    rehearsal: dict[str, Any], steps: list[Step], die_before: int = 0, fill: Sequence[Any] = ()
) -> dict[str, Any]:
    """Run some steps.

    Args:
        rehearsal: a ``Rehearsal`` as JSON.
        steps: the steps.
        die_before: the number of the change before which the process is killed; 0 means never.
        fill: a path and the number of bytes that are written there when rsync starts.
    """
    if die_before or fill:
        sys.addaudithook(Fate(rehearsal["vault_root"], die_before, fill))
    try:
        record = Rehearsal(**rehearsal).do(*steps)
    except BackupError as error:
        return {"error": type(error).__name__, "message": str(error)}
    except BaseException as error:  # noqa: BLE001 - a test must see it
        traceback.print_exc()
        return {"error": type(error).__name__, "message": str(error)}
    return {"record": record.model_dump(mode="json") if record else None}


class Fate:
    """An audit hook (``sys.addaudithook``) that kills the process or fills its disk; see ``_run``."""

    def __init__(self, vault_root: str, die_before: int = 0, fill: Sequence[Any] = ()) -> None:
        self._vault_root = vault_root
        self._left = die_before
        self._fill = fill

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Count the changes of the vault, and the programs that are started."""
        if event == "subprocess.Popen" and "rsync" in arguments[1] and self._fill:
            path, size = self._fill
            self._fill = ()
            Path(path).write_bytes(b"\0" * size)
        if self._left and event in CHANGES and self._counts(event, arguments):
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def _counts(self, event: str, arguments: tuple[Any, ...]) -> bool:
        if event == "subprocess.Popen":
            return True
        if event == "open" and not (
            isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        ):
            return False
        if isinstance(arguments[0], int):  # an open file, such as one in memory
            return False
        path = str(arguments[0])
        if not path.startswith("/") and isinstance(arguments[-1], int) and arguments[-1] >= 0:
            path = str(Path(f"/proc/self/fd/{arguments[-1]}").readlink())  # relative to an open folder
        return path.startswith(self._vault_root) and not path.endswith("/.lock")


if __name__ == "__main__":
    serve()
