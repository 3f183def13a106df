"""``vm_weekly`` backs up, verifies and reports each VM, and leaves each in its former state."""

import subprocess
from datetime import UTC, datetime

import pytest

from include.report import MADE_BY
from include.status.parts import GenerationStatus, VmsPart
from tests.dags import GREEN, RED, Run, snapshot
from tests.dags.status_events import image_events, published_parts
from tests.dags.weekly_runs import DAG, USUAL, VMS, Weekly
from tests.include.vms.sample_vms import verified
from tests.site.airflow_api import ApiError

pytestmark = pytest.mark.worker_group("vms")

AS_BEFORE = {"maq1": "running", "maq2": "shut off", "maq3": "running"}


def test_every_vm_is_backed_up_and_keeps_its_state(weekly: Weekly) -> None:
    """sha256sum verifies the images, the host has no leftovers, and the mail gives each downtime."""
    [run] = weekly.all_imaged[-1:] or [weekly.run_all()]
    began = datetime.fromisoformat(run.info["start_date"]).replace(microsecond=0)

    assert run.info["state"] == GREEN, run.states()
    assert weekly.states() == AS_BEFORE
    for vm in VMS:
        newest = weekly.generations(vm)[-1]
        assert newest.instant >= began
        assert verified(newest)
    assert weekly.leftovers() == []
    assert run.mail["Subject"].startswith(f"[{MADE_BY}] VM OK")
    assert run.note == run.subject
    assert "It ignored the shutdown for 1 s and was switched off." in run.mail_text
    assert any("waits for its turn, with" in run.log(f"begin_backup {vm}") for vm in VMS)
    for vm in ("maq1", "maq3"):
        assert f"cold: {weekly.generations(vm)[-1].record.downtime_s:.1f} s down" in run.mail_text
    _check_events(weekly, run)


def _check_events(weekly: Weekly, run: Run) -> None:
    """Compare the status parts and the asset events with the vault."""
    parts, images = published_parts(run), image_events(run)
    assert set(parts) == {"vault", "vms", "runs"}
    assert set(images) == {f"vm_images/{vm}" for vm in VMS}
    part = parts["vms"].part
    assert isinstance(part, VmsPart)
    for vm in part.vms:
        newest = weekly.generations(vm.name)[-1]
        assert vm.generations[-1].instant == newest.instant
        assert (vm.generations[-1].downtime_s or 0) == newest.record.downtime_s
        extra = images[f"vm_images/{vm.name}"]["extra"]
        assert GenerationStatus.model_validate(extra) == vm.generations[-1]


@pytest.mark.slow
def test_a_second_backup_transfers_only_what_changed(weekly: Weekly) -> None:
    """Once it's verified, retention removes the first image of the week, and the mail says why."""
    before = weekly.images()
    run = weekly.run()

    assert run.info["state"] == GREEN, run.states()
    for vm, old in before.items():
        [kept] = weekly.generations(vm)
        assert kept.record.base == old.name
        assert sum(disk.sent_bytes for disk in kept.record.disks) <= 8 << 20
        assert f"{vm} {old.name}: Not kept: " in run.mail_text


@pytest.mark.slow
def test_a_dry_run_lists_every_vm_and_touches_nothing(weekly: Weekly) -> None:
    """Neither the vault nor a VM; the agent is all that is written on the host. It names what would go."""
    images = weekly.images()
    boots = {vm: weekly.boots(vm) for vm in ("maq1", "maq3")}
    vault = snapshot(weekly.institute.vault)
    run = weekly.run(dry_run=True)

    assert run.info["state"] == GREEN, run.states()
    assert snapshot(weekly.institute.vault) == vault
    assert {vm: weekly.boots(vm) for vm in boots} == boots
    assert weekly.leftovers() == []
    assert "DRY RUN" in run.mail["Subject"]
    assert run.note == run.subject
    assert all(vm in run.mail_text for vm in USUAL)
    assert "no VM was stopped" in run.mail_text
    sentence = "{} {}: It would go once the new image is verified. Not kept: "
    mail = " ".join(run.mail_text.split())
    assert all(sentence.format(vm, image.name) in mail for vm, image in images.items())


def test_vm_backups_cant_be_backfilled(weekly: Weekly) -> None:
    """Neither over the API nor on the command line; no run is created."""
    runs = len(weekly.runs())
    with pytest.raises(ApiError) as refused:
        weekly.airflow.backfill(DAG, "2026-01-01", "2026-02-01")
    arguments = [
        "backfill",
        "create",
        "--dag-id",
        DAG,
        "--from-date",
        "2026-01-01",
        "--to-date",
        "2026-02-01",
    ]
    done = weekly.airflow.cli(*arguments)

    assert "does not allow backfill runs" in refused.value.body
    assert done.returncode != 0
    assert "does not allow backfill runs" in done.stderr
    assert len(weekly.runs()) == runs


def test_switching_the_dag_on_starts_no_run(weekly: Weekly) -> None:
    """It waits for its next scheduled time; all runs so far were triggered by hand."""
    assert {run.info["run_type"] for run in weekly.runs()} <= {"manual"}
    assert weekly.airflow.api("GET", f"/dags/{DAG}")["next_dagrun_run_after"] > datetime.now(UTC).isoformat()


def test_the_image_of_a_running_vm_has_a_clean_file_system(weekly: Weekly) -> None:
    """So the record says, and e2fsck: the VM was shut down for it."""
    newest = weekly.images()["maq1"]
    [vda] = [disk for disk in newest.record.disks if disk.name == "vda"]
    e2fsck = subprocess.run(["e2fsck", "-fn", str(newest.image("vda"))], capture_output=True, check=False)

    assert [found.clean for found in vda.filesystems] == [True]
    assert e2fsck.returncode == 0


@pytest.mark.slow
def test_a_pattern_that_matches_no_vm_fails_the_run(weekly: Weekly) -> None:
    """The error names the pattern and the host; no VM is stopped."""
    boots = weekly.boots("maq1")
    with weekly.site_file(hosts=weekly.hosts(vms=["maq*", "mail*"])):
        run = weekly.run()

    assert run.info["state"] == RED
    assert "'mail*' matches no VM of kvm_host" in run.mail_text
    assert weekly.boots("maq1") == boots


def test_no_vm_is_stopped_when_the_vault_is_too_full(weekly: Weekly) -> None:
    """The run fails, and the mail says how much space is missing."""
    boots = weekly.boots("maq1")
    with weekly.site_file(vaults={"main": {"reserve": "900 TB"}}):
        run = weekly.run()

    assert run.info["state"] == RED
    assert " short. Nothing of it was copied." in run.mail_text
    assert weekly.boots("maq1") == boots
