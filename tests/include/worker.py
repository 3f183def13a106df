"""A worker in a process of its own: it can be killed, run as a plain user, and have its own file systems.

The process reads one request a line, forks for each, and answers with two lines: the child's number and, at
its end, what came of it. Forking spares each request the second in which Airflow is imported.
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
from tests.include.machine import environment
from tests.include.rehearsal import Rehearsal, Step

CHANGES = {
    *("open", "os.chmod", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink"),
    *("os.truncate", "os.utime", "shutil.rmtree", "subprocess.Popen"),
}
"""The audit events that stand for something that another process could see."""


@dataclass(frozen=True)
class Outcome:
    """What came of a request.

    Args:
        error: the name of the error's class; empty when there was none.
        message: its sentence.
        killed: whether a signal ended it.
        gave: the record, where there was one.
    """

    error: str = ""
    message: str = ""
    killed: bool = False
    gave: dict[str, Any] | None = None


class Worker:
    """The process, as a test sees it; a context manager.

    Args:
        prefix: what its command begins with, such as ``unshare``.
    """

    def __init__(self, prefix: Sequence[str] = ()) -> None:
        self._prefix = prefix

    def __enter__(self) -> Self:
        command = [*self._prefix, sys.executable, "-m", "tests.include.worker"]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment(), text=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def begin(self, rehearsal: Rehearsal, *steps: Step, **facts: Any) -> int:  # noqa: ANN401 - see ``_take``
        """Begin to take steps, and give the number of the process that takes them."""
        self._ask({"rehearsal": rehearsal.facts(), "steps": steps, **facts})
        return int(self._answer()["pid"])

    def end(self) -> Outcome:
        """Wait for what was begun."""
        return Outcome(**self._answer())

    def do(self, rehearsal: Rehearsal, *steps: Step, **facts: Any) -> Outcome:  # noqa: ANN401 - see ``_take``
        """Take steps, all three if none is named."""
        self.begin(rehearsal, *steps, **facts)
        return self.end()

    def run(self, *command: str) -> None:
        """Run a command where the worker is."""
        self._ask({"run": command})
        assert self._answer() == {"status": 0}, command

    def path(self, path: Path) -> Path:
        """Give the way to a path as the worker sees it, in its own file systems."""
        return Path(f"/proc/{self._process.pid}/root{path}")

    def _ask(self, request: dict[str, Any]) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, f"the worker ended with {self._process.wait()}; its words are above"
        answer: dict[str, Any] = json.loads(line)
        return answer


def serve() -> None:
    """Answer requests until there are no more."""
    import inpe_backup.ssh  # noqa: F401, PLC0415 - once, for all the forks to come

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
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writing, json.dumps(_taken(**request)).encode())
        os._exit(0)
    os.close(writing)

    def result() -> str:
        with os.fdopen(reading) as answer:
            told = answer.read()
        _, status = os.waitpid(pid, 0)
        return json.dumps({"killed": True}) if os.WIFSIGNALED(status) else told

    yield pid, result


def _taken(
    rehearsal: dict[str, Any], steps: list[Step], die_before: int = 0, fill: Sequence[Any] = ()
) -> dict[str, Any]:
    """Take steps.

    Args:
        rehearsal: a ``Rehearsal`` as JSON.
        steps: which.
        die_before: be killed before the change of this number; 0 is never.
        fill: a path and a number of bytes, written there when rsync starts, by somebody else as it were.
    """
    if die_before or fill:
        sys.addaudithook(Fate(rehearsal["vault_root"], die_before, fill))
    try:
        gave = Rehearsal(**rehearsal).do(*steps)
    except BackupError as error:
        return {"error": type(error).__name__, "message": str(error)}
    except BaseException as error:  # noqa: BLE001 - a test must see it
        traceback.print_exc()
        return {"error": type(error).__name__, "message": str(error)}
    return {"gave": gave.model_dump(mode="json") if gave else None}


class Fate:
    """Watches what a process does, and strikes (``sys.addaudithook``); see ``_taken`` for when."""

    def __init__(self, vault_root: str, die_before: int = 0, fill: Sequence[Any] = ()) -> None:
        self._vault_root = vault_root
        self._left = die_before
        self._fill = fill

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Count what changes the vault, or starts a program."""
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
        path = str(arguments[0])
        if not path.startswith("/") and isinstance(arguments[-1], int) and arguments[-1] >= 0:
            path = str(Path(f"/proc/self/fd/{arguments[-1]}").readlink())  # relative to an open folder
        return path.startswith(self._vault_root) and not path.endswith("/.lock")


if __name__ == "__main__":
    serve()
