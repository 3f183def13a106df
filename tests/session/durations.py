"""``make durations``: the time of the last runs, by file and phase.

python -m tests.session.durations          print it
python -m tests.session.durations keep     store it in durations.json, for the order of the next runs
"""

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tests.session.recording import DURATIONS, RUNS
from tests.session.suites import SUITES

PHASES = ("setup", "call", "teardown")


class Phase(NamedTuple):
    """A phase of a test.

    Args:
        test: its node id.
        group: the group of tests that ran together.
        phase: ``setup``, ``call`` or ``teardown``.
        seconds: how long it took.
        worker: the worker that ran it.
    """

    test: str
    group: str
    phase: str
    seconds: float
    worker: str


def recorded(suite: str) -> list[Phase]:
    """Return the phases of a suite's last run; none if there was none."""
    try:
        lines = (RUNS / f"{suite}.jsonl").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    return [Phase(**json.loads(line)) for line in lines]


def table(phases: Iterable[Phase]) -> Iterator[str]:
    """Yield a line for each file, the longest first: seconds by phase, number of tests, file."""
    files: dict[str, dict[str, float]] = defaultdict(lambda: dict.fromkeys(PHASES, 0.0))
    tests: dict[str, set[str]] = defaultdict(set)
    for phase in phases:
        if phase.phase not in PHASES:  # xdist's report of a worker that died
            continue
        file = phase.test.partition("::")[0]
        files[file][phase.phase] += phase.seconds
        tests[file].add(phase.test)
    yield f"{'all':>8}{''.join(f'{name:>10}' for name in PHASES)}{'tests':>7}  file"
    for file, seconds in sorted(files.items(), key=lambda entry: -sum(entry[1].values())):
        columns = "".join(f"{seconds[name]:10.1f}" for name in PHASES)
        yield f"{sum(seconds.values()):8.1f}{columns}{len(tests[file]):7}  {file}"


def updated_durations() -> dict[str, dict[str, object]]:
    """Return the new content of durations.json: the duration of each suite, and of its groups."""
    known: dict[str, dict[str, object]] = json.loads(DURATIONS.read_text(encoding="utf-8"))
    for suite in ("test", "slow"):
        if phases := recorded(suite):
            known["groups"][suite] = _by_group(phases)
        result = RUNS / f"{suite}.json"
        found = json.loads(result.read_text(encoding="utf-8")) if result.exists() else {}
        if "seconds" in found:
            known["suites"][suite] = {"tests": found["tests"], "seconds": round(found["seconds"])}
    return known


def _by_group(phases: Iterable[Phase]) -> dict[str, int]:
    """Return the seconds of each group that took at least one."""
    groups: dict[str, float] = defaultdict(float)
    for phase in phases:
        groups[phase.group] += phase.seconds
    return {group: round(seconds) for group, seconds in sorted(groups.items()) if seconds >= 1}


def main(arguments: list[str]) -> None:
    """Print a table for each suite that was run; or store the durations."""
    if arguments == ["keep"]:
        DURATIONS.write_text(json.dumps(updated_durations(), indent=1) + "\n", encoding="utf-8")
        return
    for name, suite in SUITES.items():
        if phases := recorded(name):
            _print(f"{suite.title}, {len({phase.worker for phase in phases})} workers, seconds:")
            for line in table(phases):
                _print(line)


def _print(text: str) -> None:
    print(text)  # noqa: T201 - a command


if __name__ == "__main__":
    main(sys.argv[1:])
