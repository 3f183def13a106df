"""What the drills' DAG does for people: a machine booted from its image, its screen in the mail."""

import os
import signal
from collections.abc import Iterator
from email.message import EmailMessage

import pytest

from include.report import MADE_BY
from include.standing.facts import ScreenPart
from tests.dags import GREEN, RED, Run, await_, snapshot
from tests.dags.facts import told
from tests.dags.troubles import commands, parent
from tests.dags.weekly import Weekly

DAG = "drill_machines"
pytestmark = pytest.mark.xdist_group("weekly")


@pytest.fixture(scope="module")
def drills(weekly: Weekly) -> Iterator[Weekly]:
    """The weekly DAG's institute, with an image of a machine, and drills that wait for its console."""
    weekly.images()
    weekly.airflow.unpause(DAG)
    with weekly.site_file(drill={"proof": {"serial": "guest: ready"}, "timeout_s": 60}):
        yield weekly


def run(work: Weekly, **params: object) -> Run:
    """Trigger a run and wait until it's over."""
    begun = start(work, **params)
    begun.end(patience_s=120)
    return begun


def start(work: Weekly, **params: object) -> Run:
    """Trigger a run."""
    return Run(work.airflow, work.institute, work.airflow.trigger(DAG, conf=params)["dag_run_id"], DAG)


def drilled(work: Weekly, flags: str) -> list[str]:
    """Give the domains of drills that ``virsh list`` has with some flags."""
    return [
        name for name in work.host.virsh("list", "--name", flags).split("\n") if name.startswith("drill-")
    ]


def rooms(work: Weekly) -> list[str]:
    """Give what drills have at the host beside the lock."""
    return [path.name for path in work.host.agents_folder.glob("drill*") if path.name != "drill.lock"]


def lent(work: Weekly) -> list[int]:
    """Give the processes of the worker that serve images to be booted from."""
    return [
        pid
        for pid, words in commands()
        if words[0] == "qemu-nbd" and words[-1].startswith(f"{work.institute.vault}/")
    ]


def pictures(mail: EmailMessage) -> list[bytes]:
    """Give the pictures of a mail."""
    return [
        bytes(part.get_payload(decode=True)) for part in mail.walk() if part.get_content_type() == "image/png"
    ]


def test_a_machine_is_booted_and_its_screen_is_in_the_mail(drills: Weekly) -> None:
    """The same picture lies beside the image; the machine itself goes on as before."""
    before, states = drills.boots("maq1"), drills.states()
    done = run(drills, machine="maq1")
    image = drills.generations("maq1")[-1]

    assert done.facts["state"] == GREEN, done.states()
    assert done.mail["Subject"].startswith(f"[{MADE_BY}] DRILL OK")
    assert done.note == done.subject
    assert pictures(done.mail) == [image.folder.with_name(f"{image.name}.png").read_bytes()]
    proofs = [(found.what, found.result) for found in image.proofs.read()]
    assert proofs == [("audit", "passed"), ("drill", "passed")]
    screen = told(done)["screens/maq1"].part
    assert isinstance(screen, ScreenPart)
    assert screen.when == image.proofs.read()[-1].when
    assert (drills.boots("maq1"), drills.states()) == (before, states)
    assert set(drills.host.virsh("list", "--all", "--name").split()) == set(drills.states())


def test_a_dry_run_boots_nothing(drills: Weekly) -> None:
    """It names what it would boot."""
    vault = snapshot(drills.institute.vault)
    done = run(drills, dry_run=True)
    assert done.facts["state"] == GREEN, done.states()
    assert "would be booted" in done.told
    assert snapshot(drills.institute.vault) == vault


def test_a_machine_that_isnt_in_the_vault_is_an_error(drills: Weekly) -> None:
    """The run is red, and the mail says it."""
    done = run(drills, machine="maq9")
    assert done.facts["state"] == RED
    assert "holds no sound image of a machine named 'maq9'" in done.told


def test_a_drill_whose_task_is_killed_leaves_nothing_and_is_tried_again(drills: Weekly) -> None:
    """At the host all is gone before anybody asks; then the machine boots."""
    states = drills.states()
    with drills.site_file(drill={"proof": {"serial": "login:"}, "timeout_s": 120}):
        begun = start(drills, machine="maq2")
        await_(lambda: drilled(drills, "--state-running"), "a drill's domain")
    with drills.site_file(drill={"proof": {"serial": "guest: ready"}, "timeout_s": 60}):
        (serving,) = lent(drills)
        os.kill(parent(serving), signal.SIGKILL)
        await_(lambda: not (drilled(drills, "--all") or rooms(drills) or lent(drills)), "the drill's end")
        begun.end(patience_s=120)

    assert begun.facts["state"] == GREEN, begun.states()
    assert begun.tasks()["drill_machine maq2"]["try_number"] == 2
    [*_, last] = drills.generations("maq2")[-1].proofs.read()
    assert (last.what, last.result) == ("drill", "passed")
    assert drills.states() == states
