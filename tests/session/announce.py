"""Announces what a command will do and how long that takes, before anything is installed or loaded.

It runs with any Python: ``python3 tests/session/announce.py test``.
"""

import json
import sys
from pathlib import Path

_HERE = Path(__file__).parent
_PROJECT = _HERE.parents[1]
_DOES = {
    "test": "style and types, then {tests:,} tests with an end-to-end run of each DAG",
    "slow": "{tests:,} slow tests: faults at all critical steps, killed processes, production, the demo",
    "demo": "a stand-in institute with days and VMs, a complete Airflow, and each DAG once",
    "endurance": "{tests:,} tests: properties with many more examples, every fault at every step",
}


def measured(suite: str) -> dict[str, float]:
    """Return the number of tests and the seconds of a suite's last run, here or elsewhere."""
    known = json.loads((_HERE / "durations.json").read_text(encoding="utf-8"))["suites"]
    last = _PROJECT / ".test" / "runs" / f"{suite}.json"
    found: dict[str, float] = known[suite]
    if last.exists():
        here = json.loads(last.read_text(encoding="utf-8"))
        found |= {key: here[key] for key in found if key in here}
    return found


def main(suites: list[str]) -> None:
    """Print a line for each suite."""
    if not (_PROJECT / ".venv" / "installed").exists():
        _print("First the set-up, once: system packages, and Airflow in .venv; about a minute.")
    for suite in suites:
        last = measured(suite)
        does = _DOES[suite].format(tests=int(last["tests"]))
        _print(f"{does[0].upper()}{does[1:]}: about {max(1, round(last['seconds'] / 60))} min on 2 cores.")


def _print(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a command


if __name__ == "__main__":
    main(sys.argv[1:])
