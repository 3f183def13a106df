"""Facts to make reports from: each builder gives a good day's or machine's, and takes what differs."""

from datetime import UTC, date, datetime, timedelta

from include.report import Coverage, CoveredDay, Item, KeptWeeks, Outcome, Report, Space, State, WeekState

GB = 10**9
OWN = "2026-268"
_ALL = tuple(Outcome)
_FIRST_OF_MACHINES, _FIRST_OF_BACKUPS = _ALL.index(Outcome.IMAGED), _ALL.index(Outcome.PROVEN_AGAIN)
OF_DAYS = _ALL[:_FIRST_OF_MACHINES]
OF_MACHINES = _ALL[_FIRST_OF_MACHINES:_FIRST_OF_BACKUPS]
OF_BACKUPS = _ALL[_FIRST_OF_BACKUPS:]
STATES = {
    **dict.fromkeys(Outcome, State.FAILED),
    **dict.fromkeys((outcome for outcome in Outcome if outcome.proven), State.PASSED),
    **dict.fromkeys(
        (*(outcome for outcome in Outcome if outcome.planned), Outcome.EXCLUDED), State.NOT_CHECKED
    ),
}
MONDAYS = tuple(date(2026, 8, 3) + timedelta(weeks=number) for number in range(8))
PROOF = "SHA-256 of 48 files equal at both ends; 24 of 24 descriptors hold."


def copied(name: str = OWN, **facts: object) -> Item:
    """Give the run's own day, copied and proven."""
    given = {"state": State.PASSED, "outcome": Outcome.COPIED, "size_bytes": 412_000_000, "files": 48}
    said = {"reason": "The vault lacked it.", "seconds": 22.1, "proof": PROOF, "own": name == OWN}
    return Item.model_validate({"name": name, **given, **said, **facts})


def safe(name: str, **facts: object) -> Item:
    """Give a day that was in the vault before."""
    given = {"name": name, "state": "passed", "outcome": "already safe", "reason": "Nothing changed."}
    return Item.model_validate({**given, **facts})


def bad(outcome: str, name: str = OWN, state: str = "failed", **facts: object) -> Item:
    """Give a day that is not safe, the run's own unless another is named."""
    given = {"name": name, "state": state, "outcome": outcome, "reason": "It went wrong.", "own": name == OWN}
    return Item.model_validate({**given, **facts})


def planned(name: str = OWN, **facts: object) -> Item:
    """Give a day that a dry run would have copied."""
    return bad("would copy", name, "not checked", **{"size_bytes": 412_000_000, **facts})


def space(**facts: object) -> Space:
    """Give a vault of 8 TB with 3 TB free, 1 TB of it in reserve, growing by 1 GB a day."""
    room = {"total_bytes": 8000 * GB, "used_bytes": 5000 * GB, "free_bytes": 3000 * GB}
    rest = {"path": "/backup", "reserve_bytes": 1000 * GB, "growth_bytes_per_day": GB}
    return Space.model_validate({**room, **rest, **facts})


def covered(day: str, state: str = "safe") -> CoveredDay:
    """Give one cell of the calendar."""
    return CoveredDay.model_validate({"day": day, "state": Coverage(state)})


def report(*items: Item, **facts: object) -> Report:
    """Give the report of a run for 2026-268; without items, of one that copied it and found two safe."""
    when = {
        "started": datetime(2026, 9, 27, 9, 0, 3, tzinfo=UTC),
        "finished": datetime(2026, 9, 27, 9, 0, 34, tzinfo=UTC),
        "timezone": "America/Sao_Paulo",
    }
    what = {
        "kind": "days",
        "title": "SUPIM",
        "institute": "Institute",
        "day": OWN,
        "items": items or (copied(), safe("2026-267"), safe("2026-266")),
        "coverage": [covered(f"2026-{number}") for number in range(240, 269)],
        "space": space(),
        "archive": "/backup/supim",
        "proof_command": "cd /backup/supim/2026 && (cd 268 && sha256sum -c ../268.sha256)",
        "run_url": "https://airflow.example/run",
        "log_url": "https://airflow.example/log",
    }
    return Report.model_validate({**when, **what, **facts})


def imaged(name: str = "maq1", **facts: object) -> Item:
    """Give a machine that was down for 14 s and imaged."""
    return machine(name, Outcome.IMAGED, **{"reason": "It was imaged.", "proof": PROOF, **facts})


def machine(name: str, outcome: str, **facts: object) -> Item:
    """Give a machine of which something became; where it may have been stopped, it was down for 14 s."""
    what = {"name": name, "outcome": outcome, "state": STATES[Outcome(outcome)], "own": outcome != "excluded"}
    still = {"method": "cold", "was": "running", "downtime_s": 14, "budget_s": 60}
    done = outcome in ("imaged", "NOT BACK")
    given = (
        {"size_bytes": 8 * GB, "sent_bytes": 400_000_000, "seconds": 92, "standstill": still} if done else {}
    )
    return Item.model_validate({**what, **given, "reason": "It went as it went.", **facts})


def would_image(name: str = "maq1", **facts: object) -> Item:
    """Give a machine that a dry run would have imaged, as the last run did."""
    still = {"method": "cold", "was": "running", "downtime_s": 14, "budget_s": 60, "expected": True}
    return machine(name, "would image", **{"size_bytes": 8 * GB, "standstill": still, **facts})


def row(name: str = "maq1", *last: str, count: int = 9) -> KeptWeeks:
    """Give a machine's weeks: all kept, but the last ones as given."""
    states = ("kept",) * (len(MONDAYS) - len(last)) + last
    return KeptWeeks(name=name, states=tuple(map(WeekState, states)), count=count)


def weekly(*items: Item, **facts: object) -> Report:
    """Give the report of a weekly run; without items, of one that imaged two machines."""
    what = {
        "kind": "machines",
        "title": "VM",
        "day": None,
        "items": items or (imaged(), imaged("maq2")),
        "coverage": (),
        "mondays": MONDAYS,
        "generations": (row(), row("maq2")),
        "space": space(growth_bytes_per_day=None, added_bytes=16 * GB, gone_bytes=6 * GB),
        "archive": "/backup",
        "proof_command": "cd /backup/vm/maq1/2026-09-27T09-00-13Z && sha256sum --check --quiet SHA256SUMS",
    }
    return report(**{**what, **facts})


def backup(name: str, outcome: str, **facts: object) -> Item:
    """Give a backup of which something became in an audit, a restore or a drill."""
    what = {"name": name, "outcome": outcome, "state": STATES[Outcome(outcome)], "own": True}
    return Item.model_validate({**what, "size_bytes": GB, "reason": "It went as it went.", **facts})


def of_backups(kind: str, *items: Item, **facts: object) -> Report:
    """Give the report of an audit, a restore or a drill."""
    what = {"kind": kind, "title": kind.upper(), "items": items, "mondays": (), "generations": ()}
    return weekly(**{**what, "space": None, **facts})
