"""The tests of each command. Tests without a mark belong to ``make test``.

``slow``: only in ``make test-all``; a cheaper test in ``make test`` covers the same guarantee. ``endurance``:
property tests, which ``make endurance`` runs with many more examples. ``exhaustive``: only in
``make endurance``; the critical ones of their kind are in ``make test-all``.
"""

from typing import NamedTuple

SUITE = "INPE_TEST_SUITE"
"""The environment variable that names the running suite; without it, nothing is recorded."""


class Suite(NamedTuple):
    """The tests of a command.

    Args:
        marks: an expression for pytest's ``-m``.
        title: its name in messages.
        rest: the command that runs the other tests.
        timeout_s: the time-out of a test; None for the usual one.
    """

    marks: str
    title: str
    rest: str = ""
    timeout_s: int | None = None


SUITES = {
    "test": Suite("not (slow or exhaustive)", "make test", "make test-all"),
    "slow": Suite("slow", "slow tests"),
    "endurance": Suite("endurance or exhaustive", "make endurance", timeout_s=3600),
    "all": Suite("", "make unit"),
}
