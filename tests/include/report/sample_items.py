"""Reports and their items for tests: each function returns a good one, with the given fields changed."""

from datetime import UTC, date, datetime, timedelta

from include.report import CoveredDay, GenerationWeeks, Report
from include.results.item import Item
from include.results.states import Coverage, Outcome, State, WeekState
from include.status.space import Space

GB = 10**9
OWN = "2026-268"
_ALL = tuple(Outcome)
_FIRST_OF_VMS, _FIRST_OF_BACKUPS = _ALL.index(Outcome.IMAGED), _ALL.index(Outcome.VERIFIED_AGAIN)
OF_DAYS = _ALL[:_FIRST_OF_VMS]
OF_VMS = _ALL[_FIRST_OF_VMS:_FIRST_OF_BACKUPS]
OF_BACKUPS = _ALL[_FIRST_OF_BACKUPS:]
STATES = {
    **dict.fromkeys(Outcome, State.FAILED),
    **dict.fromkeys((outcome for outcome in Outcome if outcome.verified), State.PASSED),
    **dict.fromkeys(
        (*(outcome for outcome in Outcome if outcome.planned), Outcome.EXCLUDED), State.NOT_CHECKED
    ),
}
MONDAYS = tuple(date(2026, 8, 3) + timedelta(weeks=number) for number in range(8))
VM_COMMAND = "cd /backup/vm/maq1/2026-09-27T09-00-13Z && sha256sum --check --quiet SHA256SUMS"
VERIFICATION = "SHA-256 of 48 files equal at both ends; 24 descriptors match."


def copied(name: str = OWN, **fields: object) -> Item:
    """Return the item of the run's own day, copied and verified."""
    given = {"state": State.PASSED, "outcome": Outcome.COPIED, "size_bytes": 412_000_000, "files": 48}
    rest = {
        "reason": "The vault lacked it.",
        "seconds": 22.1,
        "verification": VERIFICATION,
        "own": name == OWN,
    }
    return Item.model_validate({"name": name, **given, **rest, **fields})


def safe(name: str, **fields: object) -> Item:
    """Return the item of a day that was in the vault before."""
    given = {"name": name, "state": "passed", "outcome": "already safe", "reason": "Nothing changed."}
    return Item.model_validate({**given, **fields})


def bad(outcome: str, name: str = OWN, state: str = "failed", **fields: object) -> Item:
    """Return the item of a day that is not safe, the run's own unless another is named."""
    given = {"name": name, "state": state, "outcome": outcome, "reason": "It went wrong.", "own": name == OWN}
    return Item.model_validate({**given, **fields})


def planned(name: str = OWN, **fields: object) -> Item:
    """Return the item of a day that a dry run would have copied."""
    return bad("would copy", name, "not checked", **{"size_bytes": 412_000_000, **fields})


def space(**fields: object) -> Space:
    """Return the space of an 8 TB vault: 3 TB free, 1 TB of it in reserve, growing by 1 GB a day."""
    sizes = {"total_bytes": 8000 * GB, "used_bytes": 5000 * GB, "free_bytes": 3000 * GB}
    rest = {"path": "/backup", "reserve_bytes": 1000 * GB, "growth_bytes_per_day": GB}
    return Space.model_validate({**sizes, **rest, **fields})


def covered(day: str, state: str = "safe") -> CoveredDay:
    """Return one day of the calendar."""
    return CoveredDay.model_validate({"day": day, "state": Coverage(state)})


def report(*items: Item, **fields: object) -> Report:
    """Return the report of a run for 2026-268; without items, it copied that day and found two safe."""
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
        "verification_command": "cd /backup/supim/2026 && (cd 268 && sha256sum -c ../268.sha256)",
        "run_url": "https://airflow.example/run",
        "log_url": "https://airflow.example/log",
    }
    return Report.model_validate({**when, **what, **fields})


def imaged(name: str = "maq1", **fields: object) -> Item:
    """Return the item of a VM that was down for 14 s and imaged."""
    return vm(
        name, Outcome.IMAGED, **{"reason": "Imaged while running.", "verification": VERIFICATION, **fields}
    )


def vm(name: str, outcome: str, **fields: object) -> Item:
    """Return the item of a VM with an outcome; if the VM was stopped, it was down for 14 s."""
    what = {"name": name, "outcome": outcome, "state": STATES[Outcome(outcome)], "own": outcome != "excluded"}
    down = {"method": "cold", "was": "running", "downtime_s": 14, "budget_s": 60}
    done = outcome in ("imaged", "NOT BACK")
    given = {"size_bytes": 8 * GB, "sent_bytes": 400_000_000, "seconds": 92, "downtime": down} if done else {}
    return Item.model_validate({**what, **given, "reason": "A reason.", **fields})


def would_image(name: str = "maq1", **fields: object) -> Item:
    """Return the item of a VM that a dry run would have imaged."""
    down = {"method": "cold", "was": "running", "downtime_s": 14, "budget_s": 60, "expected": True}
    return vm(name, "would image", **{"size_bytes": 8 * GB, "downtime": down, **fields})


def row(name: str = "maq1", *last: str, count: int = 9) -> GenerationWeeks:
    """Return a VM's weeks: all kept, except the given last ones."""
    states = ("kept",) * (len(MONDAYS) - len(last)) + last
    return GenerationWeeks(name=name, states=tuple(map(WeekState, states)), count=count)


def weekly(*items: Item, **fields: object) -> Report:
    """Return the report of a weekly run; without items, it imaged two VMs."""
    what = {
        "kind": "vms",
        "title": "VM",
        "day": None,
        "items": items or (imaged(), imaged("maq2")),
        "coverage": (),
        "mondays": MONDAYS,
        "generations": (row(), row("maq2")),
        "space": space(growth_bytes_per_day=None, added_bytes=16 * GB, gone_bytes=6 * GB),
        "archive": "/backup",
        "verification_command": VM_COMMAND,
    }
    return report(**{**what, **fields})


def backup(name: str, outcome: str, **fields: object) -> Item:
    """Return the item of a backup with an outcome, in a scrub, a restore or a boot test."""
    what = {"name": name, "outcome": outcome, "state": STATES[Outcome(outcome)], "own": True}
    return Item.model_validate({**what, "size_bytes": GB, "reason": "A reason.", **fields})


def of_backups(kind: str, *items: Item, **fields: object) -> Report:
    """Return the report of a scrub, a restore or a boot test."""
    what = {
        "kind": kind,
        "title": kind.replace("_", " ").upper(),
        "items": items,
        "mondays": (),
        "generations": (),
    }
    return weekly(**{**what, "space": None, **fields})
