"""Runs a suite of tests: ``python -m tests.session test``, followed by options of pytest."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.session import isolation, leftovers
from tests.session.recording import RUNS
from tests.session.suites import SUITE, SUITES
from tests.site import processes

_ENDING_S = 3.0  # for processes that are about to end
_ALL_RAN = (0, 1)  # pytest's exit status: all passed, some failed
_BEGAN = "INPE_TEST_BEGAN"


def main(arguments: list[str]) -> int:
    """Run a suite; return pytest's exit status, or 1 if something was left behind."""
    name, *options = arguments
    os.environ.setdefault(_BEGAN, str(time.time()))
    signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs of a shell ignore it
    if isolation.has_namespaces():
        return isolation.run_in_namespaces(arguments)
    isolation.set_up()
    with isolation.temporary_folder() as folder:
        before = leftovers.Traces.now()
        status = _pytest(name, options, folder)
        _wait(lambda: not processes.family([os.getpid()]))
        left = leftovers.left(before, str(folder), mine=os.getpid())
        processes.end([], lambda: processes.family([os.getpid()]), patience_s=0)
    _print("".join(f"Left behind: {line}\n" for line in left))
    status = status or int(bool(left))
    _print(_summary(name, status, whole=options[:1] == ["-n"] and len(options) == len(["-n", "3"])))
    return status


def _pytest(name: str, options: list[str], folder: Path) -> int:
    """Run pytest, and adopt the orphans of its children; return its exit status."""
    suite = SUITES[name]
    longer = [f"--timeout={suite.timeout_s}"] if suite.timeout_s else []
    command = [sys.executable, "-m", "pytest", "-m", suite.marks, *longer, *options]
    pytest = subprocess.Popen(command, env={**os.environ, SUITE: name, "TMPDIR": str(folder)})
    signal.signal(signal.SIGTERM, lambda *_: os.kill(pytest.pid, signal.SIGINT))
    while True:
        with suppress(KeyboardInterrupt):  # the terminal has interrupted pytest, too
            pid, ended = os.wait()
            if pid == pytest.pid:
                pytest.returncode = os.waitstatus_to_exitcode(ended)
                return pytest.returncode if pytest.returncode >= 0 else 128 - pytest.returncode


def _wait(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _ENDING_S
    while not reached() and time.monotonic() < deadline:
        with suppress(ChildProcessError):
            os.waitpid(-1, os.WNOHANG)
        time.sleep(0.05)


def _summary(name: str, status: int, *, whole: bool) -> str:
    """Return a one-line summary; store how long a complete run took, for the next announcement."""
    suite, seconds = SUITES[name], time.time() - float(os.environ[_BEGAN])
    took = f"{int(seconds) // 60} min {int(seconds) % 60} s"
    prefix = "" if status == 0 else "FAILED: "
    result = RUNS / f"{name}.json"
    try:
        found = json.loads(result.read_text(encoding="utf-8"))
    except OSError:
        return f"{prefix}{suite.title} ended after {took}, with exit status {status}."
    passed, failed = found.get("passed", 0), found.get("failed", 0)
    if whole and status in _ALL_RAN:
        result.write_text(json.dumps(found | {"tests": passed + failed, "seconds": seconds}), "utf-8")
    parts = [f"{passed:,} passed", f"{failed} failed"]
    parts += [f"{found['not_run']} not run on this machine"] if found["not_run"] else []
    more = f" {suite.rest} runs {found['slow']:,} more." if suite.rest and found["slow"] else ""
    return f"{prefix}{suite.title}: {', '.join(parts)}, in {took}.{more}"


def _print(text: str) -> None:
    if text:
        print(text, flush=True)  # noqa: T201 - a command


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
