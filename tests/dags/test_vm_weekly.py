"""What the weekly DAG does for people: each machine imaged, proven, mailed about, and as it was before."""

import subprocess
from datetime import UTC, datetime

import pytest

from include.report import MADE_BY
from include.standing.facts import GenerationFacts, MachinesPart
from tests.dags import GREEN, RED, Run, snapshot
from tests.dags.facts import images_of, told
from tests.dags.weekly import DAG, MACHINES, USUAL, Weekly
from tests.include.machines.machines import proven
from tests.site.airflow_api import ApiError

pytestmark = pytest.mark.xdist_group("weekly")

AS_BEFORE = {"maq1": "running", "maq2": "shut off", "maq3": "running"}


def test_every_machine_is_imaged_and_does_what_it_did_before(weekly: Weekly) -> None:
    """Proven by sha256sum alone, nothing left at the host, and the mail says how long each was down."""
    began = datetime.now(UTC).replace(microsecond=0)
    with weekly.site_file(hosts=weekly.hosts()):
        run = weekly.run()

    assert run.facts["state"] == GREEN, run.states()
    assert weekly.states() == AS_BEFORE
    for machine in MACHINES:
        newest = weekly.generations(machine)[-1]
        assert newest.instant >= began
        assert proven(newest)
    assert weekly.left_behind() == []
    assert run.mail["Subject"].startswith(f"[{MADE_BY}] VM OK")
    assert run.note == run.subject
    assert "It ignored the shutdown for 1 s and was switched off." in run.told
    for machine in ("maq1", "maq3"):
        assert f"cold: {weekly.generations(machine)[-1].record.downtime_s:.1f} s down" in run.told
    _told_airflow(weekly, run)


def _told_airflow(weekly: Weekly, run: Run) -> None:
    """Hold what the page is made of, and what other DAGs may listen to, against the vault."""
    facts, images = told(run), images_of(run)
    assert set(facts) == {"vault", "machines", "runs"}
    assert set(images) == {f"machine_images/{machine}" for machine in MACHINES}
    part = facts["machines"].part
    assert isinstance(part, MachinesPart)
    for machine in part.machines:
        newest = weekly.generations(machine.name)[-1]
        assert machine.generations[-1].instant == newest.instant
        assert (machine.generations[-1].downtime_s or 0) == newest.record.downtime_s
        extra = images[f"machine_images/{machine.name}"]["extra"]
        assert GenerationFacts.model_validate(extra) == machine.generations[-1]


def test_a_second_image_brings_only_what_changed(weekly: Weekly) -> None:
    """And once it's proven, the first one of the week goes, by the site file's numbers; the mail says why."""
    before = weekly.images()
    run = weekly.run()

    assert run.facts["state"] == GREEN, run.states()
    for machine, old in before.items():
        [kept] = weekly.generations(machine)
        assert kept.record.base == old.name
        assert sum(disk.sent_bytes for disk in kept.record.disks) <= 8 << 20
        assert f"{machine} {old.name}: It goes: " in run.told


def test_a_dry_run_names_every_machine_and_touches_nothing(weekly: Weekly) -> None:
    """Not the vault, and no machine; nothing is written at the host but the agent itself."""
    boots = {machine: weekly.boots(machine) for machine in ("maq1", "maq3")}
    vault = snapshot(weekly.institute.vault)
    run = weekly.run(dry_run=True)

    assert run.facts["state"] == GREEN, run.states()
    assert snapshot(weekly.institute.vault) == vault
    assert {machine: weekly.boots(machine) for machine in boots} == boots
    assert weekly.left_behind() == []
    assert "DRY RUN" in run.mail["Subject"]
    assert run.note == run.subject
    assert all(machine in run.told for machine in USUAL)
    assert "no machine was stopped" in run.told


def test_weeks_cant_be_backfilled(weekly: Weekly) -> None:
    """Neither from the web UI nor from a terminal; no run comes of it."""
    runs = len(weekly.runs())
    with pytest.raises(ApiError) as refused:
        weekly.airflow.backfill(DAG, "2026-01-01", "2026-02-01")
    typed = ["backfill", "create", "--dag-id", DAG, "--from-date", "2026-01-01", "--to-date", "2026-02-01"]
    done = weekly.airflow.cli(*typed)

    assert "does not allow backfill runs" in refused.value.body
    assert done.returncode != 0
    assert "does not allow backfill runs" in done.stderr
    assert len(weekly.runs()) == runs


def test_switching_it_on_stops_nothing(weekly: Weekly) -> None:
    """It waits for its next turn; all runs that there are were asked for."""
    assert {run.facts["run_type"] for run in weekly.runs()} <= {"manual"}
    assert weekly.airflow.api("GET", f"/dags/{DAG}")["next_dagrun_run_after"] > datetime.now(UTC).isoformat()


def test_the_image_of_a_machine_that_ran_is_as_it_was_when_off(weekly: Weekly) -> None:
    """Its file system is clean, for us and for e2fsck."""
    newest = weekly.images()["maq1"]
    [vda] = [disk for disk in newest.record.disks if disk.name == "vda"]
    checked = subprocess.run(["e2fsck", "-fn", str(newest.image("vda"))], capture_output=True, check=False)

    assert [found.clean for found in vda.filesystems] == [True]
    assert checked.returncode == 0


def test_a_run_says_what_each_of_its_hosts_has(weekly: Weekly) -> None:
    """A pattern that matches nothing is an error that names what there is; no machine is stopped."""
    boots = weekly.boots("maq1")
    with weekly.site_file(hosts=weekly.hosts(machines=["maq*", "mail*"])):
        run = weekly.run()

    assert run.facts["state"] == RED
    assert "'mail*' matches no machine of kvm_host" in run.told
    assert weekly.boots("maq1") == boots


def test_no_room_in_the_vault_stops_no_machine(weekly: Weekly) -> None:
    """The run is red, and the mail says how much is missing."""
    boots = weekly.boots("maq1")
    with weekly.site_file(vault={"reserve": "900 TB"}):
        run = weekly.run()

    assert run.facts["state"] == RED
    assert "are missing" in run.told
    assert weekly.boots("maq1") == boots
