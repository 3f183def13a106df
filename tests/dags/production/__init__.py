"""The set-up for production, typed as the README and docs/ have it, on a real Docker engine.

    conftest.py                 the backup machine that all of them share
    test_one_machine.py         README.md, "For real"
    test_several_machines.py    docs/operations.md, "From one machine to several": it begins with that machine

The engine's machine is a copy of this one that ends with it (``tests/site/docker_engine.py``); images in the
roles of python, postgres and redis are made from Debian's packages before (``make docker-images``).
"""

from collections.abc import Mapping
from pathlib import Path

from include.ordinal_day import OrdinalDay
from tests.site import supim
from tests.site.production import BackupMachine

PATIENCE_S = 600.0


def write_day(machine: BackupMachine, day: str, grid: supim.Grid = supim.TINY) -> Path:
    """Let the simulation write a day."""
    return supim.write_day(machine.institute.source, OrdinalDay.parse(day), grid=grid)


def run(machine: BackupMachine, day: str) -> str:
    """Back a day up, and return the state of the run."""
    return run_of(machine, "supim_daily", day)


def restore(machine: BackupMachine, day: str, folder: str) -> str:
    """Restore a day, and return the state of the run."""
    return run_of(machine, "supim_restore", conf={"day": day, "folder": folder})


def run_of(
    machine: BackupMachine, dag: str, key: str | None = None, conf: Mapping[str, object] | None = None
) -> str:
    """Trigger a DAG, and return the state of the run at its end."""
    api = machine.api()
    begun = api.trigger(dag, key, conf)
    return str(api.wait_for_run(dag, begun["dag_run_id"], PATIENCE_S)["state"])


def published(machine: BackupMachine, day: str, vault: str = "/backup/vault") -> Path:
    """Return a day's folder in the vault, as the machine has it."""
    return machine.path(f"{vault}/supim/{day.replace('-', '/')}")
