"""A process that has loaded Airflow, from which all services and commands of a home are forked.

Loading Airflow takes 3 s of a CPU, and a home has four services and some commands. A fork runs the same as
``airflow scheduler`` does: the command line's ``main``, in a session of its own, with its output in a log.
Only Airflow and libraries are loaded beforehand; the project's modules are loaded by the forks that use them.

It reads a request per line, ``{"arguments", "log", "wait"}``, and answers each with a line, ``{"pid"}`` or,
if it waited, ``{"status"}``. It ends with its standard input.
"""

import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.site import processes

_MODULES = (
    "airflow.cli.cli_parser",
    "airflow.jobs.scheduler_job_runner",
    "airflow.jobs.triggerer_job_runner",
    "airflow.dag_processing.manager",
    "airflow.dag_processing.processor",
    "airflow.executors.local_executor",
    "airflow.sdk.execution_time.task_runner",
    "airflow.api_fastapi.app",
    "airflow.api_fastapi.core_api.app",
    "airflow.api_fastapi.execution_api.app",
    "airflow.providers.smtp.operators.smtp",
    "airflow.providers.ssh.operators.ssh",
    "airflow.providers.standard.operators.python",
    "uvicorn",
)


class Forked:
    """A forked process of Airflow."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def is_alive(self) -> bool:
        """Return whether it runs."""
        with suppress(OSError):
            return (
                Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
                not in "ZX"
            )
        return False


class LoadedAirflow:
    """The process that has Airflow loaded.

    Args:
        environment: the whole environment of all its processes.
        folder: their working directory.
        log: the file for its own errors.
    """

    def __init__(self, environment: Mapping[str, str], folder: Path, log: Path) -> None:
        self._environment, self._folder, self._log = environment, folder, log
        self._process: subprocess.Popen[str] | None = None

    def start(self, arguments: Sequence[str], log: Path) -> Forked:
        """Start ``airflow ...``, with its output appended to a log."""
        return Forked(self._ask({"arguments": list(arguments), "log": str(log), "wait": False})["pid"])

    def run(self, arguments: Sequence[str], output: Path) -> int:
        """Run ``airflow ...``, appending to ``output`` and ``output.err``; return its status."""
        status: int = self._ask({"arguments": list(arguments), "log": str(output), "wait": True})["status"]
        return status

    def end(self) -> None:
        """End the process; its forks continue."""
        if self._process is not None:
            self._process.communicate()
            self._process = None

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        process = self._process = self._process or self._load()
        assert process.stdin
        assert process.stdout
        try:
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            answer: dict[str, Any] = json.loads(process.stdout.readline())
        except (OSError, ValueError):
            self.end()
            raise RuntimeError(
                f"Airflow couldn't be loaded. {self._log} ends:\n{processes.tail(self._log)}"
            ) from None
        return answer

    def _load(self) -> "subprocess.Popen[str]":
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as errors:
            return subprocess.Popen(
                [sys.executable, "-m", __name__],
                env=self._environment,
                cwd=self._folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,
            )


def main() -> int:
    """Load Airflow, then answer requests until there are no more."""
    requests, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # keep what modules print while loading out of the answers
    for module in _MODULES:
        import_module(module)
    for line in requests:
        request = json.loads(line)
        answer = {"status": _run(request)} if request["wait"] else {"pid": _start(request)}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
    return 0


def _run(request: dict[str, Any]) -> int:
    """Fork, wait for the end, and return the exit status."""
    child = os.fork()
    if not child:
        _become(request, errors=f"{request['log']}.err")
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _start(request: dict[str, Any]) -> int:
    """Fork twice, so that nobody has to reap the new process; return its PID."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            grandchild = os.fork()
            if not grandchild:
                _become(request, errors=request["log"])
            os.write(writer, str(grandchild).encode())
        finally:
            os._exit(0)  # it must not continue as its parent
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader) as pipe:
        return int(pipe.read())


def _become(request: dict[str, Any], errors: str) -> None:
    """Become ``airflow ...`` in a session of its own; never return."""
    status = 1
    try:
        os.setsid()
        _redirect(request["log"], errors)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.argv = ["airflow", *request["arguments"]]
        status = _command_line()
    except BaseException:  # noqa: BLE001 - this fork must not continue as its parent
        traceback.print_exc()
    finally:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _redirect(output: str, errors: str) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    files = [os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644) for path in (output, errors)]
    for number, opened in enumerate((nothing, *files)):
        os.dup2(opened, number)
    os.closerange(3, 256)  # among them the parent's requests


def _command_line() -> int:
    from airflow.__main__ import main as airflow  # noqa: PLC0415 - loaded before, called only here

    try:
        airflow()  # type: ignore[no-untyped-call]
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(bool(ended.code))
    return 0


if __name__ == "__main__":
    sys.exit(main())
