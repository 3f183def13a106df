"""A VM is stopped when its transfer can begin, however many VMs wait, and never after the start deadline."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from airflow.sdk.exceptions import TaskDeferred

from include.config import site_file
from include.errors import TooLateError
from include.vault.vault import Vault
from inpe_backup.operators.vms.begin_backup import BeginBackupOperator
from tests.include.report.weekly_runs import planned
from tests.include.vms.sample_vms import UUID
from tests.plugins.operators.vms.simulated_airflow import (
    GROUP,
    STEPS,
    SimulatedDaily,
    SimulatedRun,
    Slots,
    load_dag,
    weight,
)

UNTIL_S = 24 * 3600.0
SLOTS = 8  # of docker-compose.yaml


@pytest.fixture(autouse=True)
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A site file of ten hosts, and an empty vault."""
    Vault.create(tmp_path / "vault")
    hosts = [{"ssh_conn_id": f"kvm_{host}", "vms": ["maq*"]} for host in range(10)]
    site = {
        "mail": {"to": "backup@institute.example"},
        "vaults": {"main": {"path": str(tmp_path / "vault"), "reserve": 0}},
        "datasets": {"supim": {"source": {"root": "/data/supim"}}},
        "vms": {"hosts": hosts},
    }
    path = tmp_path / "site.yaml"
    path.write_text(yaml.safe_dump(site), encoding="utf-8")
    monkeypatch.setenv("INPE_BACKUP_SITE", str(path))
    site_file.current.cache_clear()
    yield
    site_file.current.cache_clear()


def plans(hosts: int, vms: int) -> list[list[dict[str, Any]]]:
    """Return what ``list_vms`` returns for each host: none for hosts that the test leaves out."""
    each = vms // hosts
    return [
        [
            planned(f"maq{host}-{vm}", host=f"kvm_{host}", disks=()).model_dump(mode="json")
            for vm in range(each if host < hosts else 0)
        ]
        for host in range(10)
    ]


def test_what_is_under_way_goes_before_what_has_yet_to_begin() -> None:
    """The scheduler starts the task of the largest weight first."""
    dag = load_dag("vm_weekly")
    weights = [weight(dag, f"{GROUP}.{step}") for step in STEPS]
    assert weights == sorted(set(weights))


@pytest.mark.parametrize(("hosts", "vms"), [(1, 75), (3, 150), (10, 150)])
def test_a_vm_is_stopped_only_when_its_transfer_can_begin(
    hosts: int, vms: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each transfer starts at once, waiting costs two short tasks per VM, and supim_daily runs on time."""
    random.seed(hosts)
    slots = Slots(SLOTS)
    run = SimulatedRun(slots, plans(hosts, vms), lambda: random.uniform(20, 300), monkeypatch)  # noqa: S311
    dailies = [SimulatedDaily(slots, begins_s) for begins_s in (5, 1800, 5 * 3600)]
    slots.at(0, run.start)
    for daily in dailies:
        daily.start()
    slots.run(until_s=UNTIL_S)

    assert len(run.ended_at) == vms
    assert max(run.transfer_at[vm] - run.begun_at[vm] for vm in range(vms)) <= 5
    assert run.most_open <= min(hosts, 4)
    assert max(run.executions.values()) <= 3
    assert [daily.late_s for daily in dailies if daily.late_s is None or daily.late_s > 60] == []


class _BegunError(Exception):
    """The host was asked to begin the backup."""


def begin(late: timedelta, *, deadline: bool = True, index: int = 0, **fields: object) -> None:
    """Begin the backup of a VM whose turn comes so long after the run was due."""
    ti = SimpleNamespace(
        **{
            "map_index": index,
            "max_tries": 3,
            "try_number": 1,
            "get_task_states": lambda **_: {},
            "xcom_push": lambda *_: None,
            **fields,
        }
    )
    run = SimpleNamespace(run_id="scheduled", run_type="scheduled", run_after=datetime.now(UTC) - late)
    vm = {"name": "maq1", "uuid": UUID, "need_bytes": 0, "lane_start": 0, "deadline": deadline}
    task = BeginBackupOperator(
        task_id="g.begin_backup", ssh_conn_id="kvm_0", vm=vm, end_task="end_backup", retries=3
    )
    context: Any = {"ti": ti, "dag_run": run, "dag": SimpleNamespace(dag_id="vm_weekly"), "task": task}
    task.execute(context)


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """Raise an error as soon as the host would be asked."""

    def backup(*_: object) -> None:
        raise _BegunError

    monkeypatch.setattr(BeginBackupOperator, "backup", backup)


@pytest.mark.usefixtures("begun")
def test_a_vm_whose_turn_comes_after_the_deadline_isnt_stopped() -> None:
    """The run began in time, but so many VMs came before it; the message says what to do."""
    with pytest.raises(
        TooLateError, match=r"^This run was due 4 h 1 min ago, .* allows 4 h 0 min\. maq1 wasn't"
    ):
        begin(timedelta(hours=4, minutes=1))


@pytest.mark.usefixtures("begun")
@pytest.mark.parametrize(
    ("late", "deadline", "max_tries"),
    [
        (timedelta(hours=3), True, 3),
        (timedelta(hours=9), False, 3),  # a person triggered the run, or cleared it
        (timedelta(hours=9), True, 5),  # a person cleared this task
    ],
)
def test_a_vm_in_time_or_wanted_by_a_person_is_stopped(
    late: timedelta,
    deadline: bool,  # noqa: FBT001 - of a case
    max_tries: int,
) -> None:
    """The host is asked."""
    with pytest.raises(_BegunError):
        begin(late, deadline=deadline, max_tries=max_tries)


@pytest.fixture
def open_backups(monkeypatch: pytest.MonkeyPatch) -> set[tuple[str, str]]:
    """The UUIDs and runs of the backups that the host has open."""
    found: set[tuple[str, str]] = set()
    host = SimpleNamespace(has_begun=lambda uuid, run: (uuid, run) in found)
    monkeypatch.setattr(f"{BeginBackupOperator.__module__}.kvm_host", lambda _: host)
    return found


@pytest.mark.usefixtures("begun")
def test_a_vm_whose_backup_is_open_doesnt_wait_for_one_that_waits_for_it(
    open_backups: set[tuple[str, str]],
) -> None:
    """The answer to its first try was lost, and its host tells the VM before it to wait."""
    with pytest.raises(TaskDeferred):
        begin(timedelta(), index=1, try_number=2)
    open_backups.add((UUID, "scheduled"))
    with pytest.raises(_BegunError):
        begin(timedelta(), index=1, try_number=2)


@pytest.mark.usefixtures("begun")
def test_a_vm_whose_backup_was_begun_in_time_is_backed_up(open_backups: set[tuple[str, str]]) -> None:
    """It has been stopped already; a VM that its host knows nothing of isn't stopped any more."""
    with pytest.raises(TooLateError):
        begin(timedelta(hours=5), try_number=2)
    open_backups.add((UUID, "scheduled"))
    with pytest.raises(_BegunError):
        begin(timedelta(hours=5), try_number=2)
