"""Facts to make reports from: each builder gives a good day's, and takes what differs."""

from datetime import UTC, datetime

from include.report import Coverage, CoveredDay, Item, Outcome, Report, Space, State

GB = 10**9
OWN = "2026-268"
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
