"""What the DAG that restores machines does for people: a machine is back, beside itself or in place."""

import re
import subprocess
from collections.abc import Iterator

import pytest

from include.report import MADE_BY
from tests.dags import GREEN, RED, Run
from tests.dags.weekly import Weekly

DAG = "restore_machine"
pytestmark = pytest.mark.xdist_group("weekly")


@pytest.fixture(scope="module")
def restores(weekly: Weekly) -> Iterator[Weekly]:
    """The weekly DAG's institute, with images of ``maq1``, which runs, and of ``maq2``, which is off."""
    weekly.images()
    weekly.airflow.unpause(DAG)
    yield weekly
    for left in ("maq2-copy",):
        weekly.host.run("virsh", "undefine", f"--domain={left}", check=False)
    for path in (weekly.host.folder / "disks").glob("maq2?*-*"):
        path.unlink()


def run(work: Weekly, **params: object) -> Run:
    """Trigger a run and wait until it's over."""
    begun = Run(work.airflow, work.institute, work.airflow.trigger(DAG, conf=params)["dag_run_id"], DAG)
    begun.end(patience_s=120)
    return begun


def content(work: Weekly, path: str) -> bytes:
    """Give what a guest sees of a qcow2 disk of the host's."""
    raw = work.host.folder / "read.raw"
    subprocess.run(
        ["qemu-img", "convert", "-f", "qcow2", "-O", "raw", path, str(raw)], check=True, timeout=60
    )
    return raw.read_bytes()


def test_a_damaged_machine_is_as_it_was(restores: Weekly) -> None:
    """Its disk is as in the vault, it boots, and the mail says what was sent and where the old disk is."""
    disk, image = restores.host.disk("maq2", "vda"), restores.generations("maq2")[-1].image("vda")
    write = ["qemu-io", "-f", "qcow2", "-c", "write -P 0x5a 0 4M", str(disk)]
    subprocess.run(write, check=True, capture_output=True, timeout=60)

    done = run(restores, machine="maq2", how="in place", confirm="maq2")

    assert done.facts["state"] == GREEN, done.states()
    assert content(restores, str(disk)) == image.read_bytes()
    assert done.mail["Subject"].startswith(f"[{MADE_BY}] RESTORE OK")
    assert re.search(r"· [1-4]\.\d MB sent ·", done.told), done.told
    assert f"{disk}.before-restore-" in done.told
    restores.host.boot("maq2")
    restores.host.virsh("destroy", "--domain=maq2")


def test_a_machine_comes_back_beside_itself(restores: Weekly) -> None:
    """Off, under its new name."""
    done = run(restores, machine="maq2", new_name="maq2-copy")

    assert done.facts["state"] == GREEN, done.states()
    assert restores.host.state("maq2-copy") == "shut off"
    image = restores.generations("maq2")[-1].image("vda").read_bytes()
    assert content(restores, str(restores.host.folder / "disks" / "maq2-copy-vda.qcow2")) == image


def test_a_machine_that_runs_is_left_alone(restores: Weekly) -> None:
    """The run is red, and the mail says what to do; so does a dry run."""
    boots = restores.boots("maq1")
    for params in ({"dry_run": True}, {}):
        done = run(restores, machine="maq1", how="in place", confirm="maq1", **params)
        assert done.facts["state"] == RED
        assert "is restored in place only while it's off" in done.told
    assert restores.boots("maq1") == boots


def test_a_dry_run_says_what_it_would_write(restores: Weekly) -> None:
    """And where; nothing is written."""
    before = sorted((restores.host.folder / "disks").iterdir())
    done = run(restores, machine="maq2", new_name="maq2-other", dry_run=True)
    assert done.facts["state"] == GREEN, done.states()
    assert "maq2-other-vda.qcow2" in done.told
    assert sorted((restores.host.folder / "disks").iterdir()) == before


def test_in_place_asks_for_the_machines_name(restores: Weekly) -> None:
    """Typed once more; without it nothing is done."""
    done = run(restores, machine="maq2", how="in place")
    assert done.facts["state"] == RED
    assert "Type its name as 'confirm'" in done.told
