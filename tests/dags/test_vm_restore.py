"""``vm_restore``: a VM restored beside the original or in place."""

import re
import subprocess
from collections.abc import Iterator

import pytest

from include.report import MADE_BY
from tests.dags import GREEN, RED, Run
from tests.dags.weekly_runs import Weekly

DAG = "vm_restore"
pytestmark = pytest.mark.worker_group("vms")


@pytest.fixture(scope="module")
def restores(weekly: Weekly) -> Iterator[Weekly]:
    """The DAG switched on, with images of ``maq1``, which runs, and ``maq2``, which is off."""
    weekly.images()
    weekly.airflow.unpause(DAG)
    yield weekly
    weekly.host.run("virsh", "undefine", "--domain=maq2-copy", check=False)
    for path in (weekly.host.folder / "disks").glob("maq2?*-*"):
        path.unlink()


def run(work: Weekly, **params: object) -> Run:
    """Trigger a run and wait until it's over."""
    begun = Run(work.airflow, work.institute, work.airflow.trigger(DAG, conf=params)["dag_run_id"], DAG)
    begun.end(patience_s=120)
    return begun


def content(work: Weekly, path: str) -> bytes:
    """Return the content of a qcow2 disk on the host as a guest sees it."""
    raw = work.host.folder / "read.raw"
    subprocess.run(
        ["qemu-img", "convert", "-f", "qcow2", "-O", "raw", path, str(raw)], check=True, timeout=60
    )
    return raw.read_bytes()


def test_a_vm_restored_in_place_boots_from_the_disk_in_the_vault(restores: Weekly) -> None:
    """The mail says how much was sent, and where the old disk is."""
    disk, image = restores.host.disk("maq2", "vda"), restores.generations("maq2")[-1].image("vda")
    write = ["qemu-io", "-f", "qcow2", "-c", "write -P 0x5a 0 4M", str(disk)]
    subprocess.run(write, check=True, capture_output=True, timeout=60)

    done = run(restores, vm="maq2", how="in place", confirm="maq2")

    assert done.info["state"] == GREEN, done.states()
    assert content(restores, str(disk)) == image.read_bytes()
    assert done.mail["Subject"].startswith(f"[{MADE_BY}] RESTORE maq2 OK")
    assert re.search(r"· [1-4]\.\d MB sent ·", done.mail_text), done.mail_text
    assert f"{disk}.before-restore-" in done.mail_text
    restores.host.boot("maq2")
    restores.host.virsh("destroy", "--domain=maq2")


@pytest.mark.slow
def test_a_vm_is_restored_beside_the_original(restores: Weekly) -> None:
    """Under its new name, and off."""
    done = run(restores, vm="maq2", new_name="maq2-copy")

    assert done.info["state"] == GREEN, done.states()
    assert restores.host.state("maq2-copy") == "shut off"
    image = restores.generations("maq2")[-1].image("vda").read_bytes()
    assert content(restores, str(restores.host.folder / "disks" / "maq2-copy-vda.qcow2")) == image


@pytest.mark.slow
def test_a_running_vm_isnt_restored_in_place(restores: Weekly) -> None:
    """The run fails, and the mail says what to do; so does a dry run."""
    boots = restores.boots("maq1")
    for params in ({"dry_run": True}, {}):
        done = run(restores, vm="maq1", how="in place", confirm="maq1", **params)
        assert done.info["state"] == RED
        assert "can be restored in place only while it's off" in done.mail_text
    assert restores.boots("maq1") == boots


@pytest.mark.slow
def test_a_dry_run_reports_what_it_would_write(restores: Weekly) -> None:
    """And where; it writes nothing."""
    before = sorted((restores.host.folder / "disks").iterdir())
    done = run(restores, vm="maq2", new_name="maq2-other", dry_run=True)
    assert done.info["state"] == GREEN, done.states()
    assert "maq2-other-vda.qcow2" in done.mail_text
    assert sorted((restores.host.folder / "disks").iterdir()) == before


@pytest.mark.slow
def test_a_restore_in_place_must_be_confirmed(restores: Weekly) -> None:
    """With the VM's name; without it, nothing is done."""
    done = run(restores, vm="maq2", how="in place")
    assert done.info["state"] == RED
    assert "Type its name as 'confirm'" in done.mail_text
