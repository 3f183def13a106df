"""The pytest plugin of a run: the longest group first, how long each test took, what can't run here.

A group is run by one worker: the tests of a file, or of several files that share something costly
(the mark ``worker_group``). Groups start in the order of their durations in the last run of the suite, so
that no long one is left at the end.
"""

import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import is_hypothesis_test

from tests.session.needs import REASON
from tests.session.suites import SUITE

PROJECT = Path(__file__).parents[2]
RUNS = Path(os.environ.get("INPE_TEST_RUNS") or PROJECT / ".test" / "runs")
DURATIONS = Path(__file__).with_name("durations.json")


_WITH_AIRFLOW = ("days", "vms")


def group_of(item: pytest.Item) -> str:
    """Return a test's group: that of its mark, or its file.

    The two groups that need an Airflow are one in ``make test``: it is short enough for one worker, and
    another Airflow would need half a minute of a CPU to start. The slow tests have one each.
    """
    mark = item.get_closest_marker("worker_group")
    group = str(mark.args[0]) if mark else item.nodeid.split("::")[0]
    return "airflow" if group in _WITH_AIRFLOW and os.environ.get(SUITE) == "test" else group


def _last_durations() -> dict[str, float]:
    """Return the seconds of each group in the last run of this suite; for others, of the slow one."""
    groups: dict[str, dict[str, float]] = json.loads(DURATIONS.read_text(encoding="utf-8"))["groups"]
    return groups.get(os.environ.get(SUITE, ""), groups["slow"])


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the longest group first, mark property tests, and count slow tests."""
    seconds = _last_durations()
    groups = {item: group_of(item) for item in items}
    items.sort(key=lambda item: -seconds.get(groups[item], 0))  # stable: a group's tests keep their order
    for item in items:
        if is_hypothesis_test(getattr(item, "obj", None)):
            item.add_marker(pytest.mark.endurance)
        item.add_marker(pytest.mark.xdist_group(groups[item]))
    slow = sum(item.get_closest_marker("slow") is not None for item in items)
    output: dict[str, Any] = getattr(config, "workeroutput", {})
    output["slow"] = slow


def pytest_configure(config: pytest.Config) -> None:
    """Register the recorder in the process that gets all reports."""
    suite = os.environ.get(SUITE)
    if suite and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder(suite), "recorder")


class Recorder:
    """Records each test, and the totals at the end.

    Args:
        suite: the suite; its files are ``.test/runs/<suite>.jsonl`` and ``.json``.
    """

    def __init__(self, suite: str) -> None:
        RUNS.mkdir(parents=True, exist_ok=True)
        self._result = RUNS / f"{suite}.json"
        self._result.unlink(missing_ok=True)
        self._phases: list[str] = []
        self._outcomes: Counter[str] = Counter()
        self._not_run: Counter[str] = Counter()
        self._slow = 0

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Record a phase of a test."""
        phase = {
            "test": report.nodeid.rpartition("@")[0],
            "group": report.nodeid.rpartition("@")[2],
            "phase": report.when,
            "seconds": round(report.duration, 3),
            "worker": getattr(report, "worker_id", ""),
        }
        self._phases.append(json.dumps(phase))
        if report.when == "call" or report.outcome != "passed":
            self._outcomes[report.outcome] += 1
        if report.skipped and isinstance(report.longrepr, tuple) and REASON in report.longrepr[2]:
            self._not_run[report.longrepr[2].partition(REASON)[2]] += 1

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:  # noqa: ANN401 - xdist's, which has no types
        """Take the count of a worker."""
        self._slow = max(self._slow, getattr(node, "workeroutput", {}).get("slow", 0))

    @pytest.hookimpl(wrapper=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
        """Print the list of what wasn't run, and write the files."""
        yield
        if self._not_run:
            terminalreporter.section("not run on this machine")
            for reason, tests in sorted(self._not_run.items()):
                terminalreporter.line(f"{tests} {'test' if tests == 1 else 'tests'}: {reason}")
        totals = dict(self._outcomes) | {"not_run": self._not_run.total(), "slow": self._slow}
        _write(self._result, json.dumps(totals))
        _write(self._result.with_suffix(".jsonl"), "\n".join(self._phases))


def _write(path: Path, text: str) -> None:
    """Write a file atomically: two runs of a checkout may end at the same time."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
        file.write(text)
    Path(file.name).replace(path)
