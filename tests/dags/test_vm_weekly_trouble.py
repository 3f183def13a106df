"""When something is wrong, or dies: every machine is as before, it's said, and the next run succeeds."""

import os
import signal
from collections.abc import Iterator

import pytest

from include.report import MADE_BY
from tests.dags import GREEN, RED, Run, await_
from tests.dags.test_vm_weekly import AS_BEFORE
from tests.dags.troubles import Standstill, parent
from tests.dags.weekly import DEAF, MACHINES, Weekly
from tests.site import processes

pytestmark = pytest.mark.xdist_group("weekly")

PATIENCE_S = 180.0


@pytest.fixture(autouse=True)
def as_before(weekly: Weekly) -> Iterator[None]:
    """After each of these tests all is as before, nothing is left, and the run after a red one is green."""
    weekly.rest()
    yield
    weekly.write_site_file()
    weekly.rest()
    if weekly.runs()[-1].facts["state"] == RED:
        run = weekly.run()
        assert run.facts["state"] == GREEN, run.states()
    await_(lambda: not weekly.left_behind(), "nothing left behind")
    assert weekly.states() == AS_BEFORE


@pytest.fixture
def standstill(weekly: Weekly) -> Iterator[Standstill]:
    """Every image stands still half-way, until the test ends it."""
    assert weekly.agent  # it's there already: nothing but commands gets through meanwhile
    with Standstill(weekly.host.ssh, '*" serve "*') as standing:
        yield standing


def begin(weekly: Weekly) -> tuple[Run, str, int]:
    """Start a run and wait for half an image; gives the run, the machine and the task's process."""
    weekly.lose_images()  # of small changes, all would have passed before it stands still
    run = weekly.start()

    def pulling() -> list[str]:
        # Not what is noted of it: that's done when more comes, and here nothing does.
        images = (weekly.institute.vault / ".staging" / "vm").glob("*/data/vda.img")
        return [path.parents[1].name for path in images if path.stat().st_blocks]

    with run.explained():
        machine = await_(pulling, "an image that has begun", PATIENCE_S)[0]
    [ssh] = [pid for pid in processes.marked(weekly.airflow.home.mark) if _serves(pid)]
    return run, machine, parent(ssh)


def _serves(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:  # noqa: PTH123 - it may be gone
            words = file.read().split(b"\0")
    except OSError:
        return False
    return words[0] == b"ssh" and any(b" serve " in word for word in words)


def test_a_machine_without_a_sign_of_life_leads_the_report(weekly: Weekly) -> None:
    """And no further machine of its host is stopped in that run."""
    boots = {machine: weekly.boots(machine) for machine in ("maq1", "maq3")}
    deaf = {"address": "127.0.0.1", "ports": [1], "timeout_s": 2}
    with weekly.site_file(proof=deaf, hosts=weekly.hosts(machines=["maq1", "maq3"])):
        run = weekly.run()

    assert run.facts["state"] == RED
    assert run.mail["Subject"].startswith(f"[{MADE_BY}] VM DOWN")
    assert run.note == run.subject
    assert "did not come back" in run.told
    stopped = [machine for machine, text in boots.items() if weekly.boots(machine) != text]
    assert len(stopped) == 1
    assert weekly.states() == AS_BEFORE


def test_a_guest_that_ignores_the_shutdown_is_left_running(weekly: Weekly) -> None:
    """The others are imaged, the run is red, and nothing is removed in it."""
    weekly.images()
    before = {machine: weekly.generations(machine) for machine in MACHINES}
    patient = [{**DEAF, "on_timeout": "leave", "lease_s": 25, "proof": {"timeout_s": 10}}]
    with weekly.site_file(special=patient, hosts=weekly.hosts(machines=["maq1", "maq3"])):
        run = weekly.run()

    assert run.facts["state"] == RED
    assert "didn't shut down within 1 s, and was left running" in run.told
    assert weekly.states() == AS_BEFORE
    assert len(weekly.generations("maq1")) == len(before["maq1"]) + 1
    assert weekly.generations("maq3") == before["maq3"]


def test_a_killed_task_is_tried_again_and_goes_on_where_it_was(
    weekly: Weekly, standstill: Standstill
) -> None:
    """The machine isn't stopped a second time for it."""
    run, machine, task = begin(weekly)
    boots = weekly.host.console(machine)
    os.kill(task, signal.SIGKILL)
    standstill.end()

    assert run.end(PATIENCE_S) == GREEN, run.states()
    assert run.tasks()[f"pull_image {machine}"]["try_number"] == 2
    assert weekly.host.console(machine).startswith(boots)


def test_a_killed_scheduler_goes_on_when_it_is_back(weekly: Weekly, standstill: Standstill) -> None:
    """Meanwhile the machines run, and their host keeps their disks."""
    run, machine, _ = begin(weekly)
    weekly.airflow.kill("scheduler")
    try:
        assert weekly.host.state(machine) == AS_BEFORE[machine]
    finally:
        standstill.end()
        weekly.airflow.revive("scheduler")

    assert run.end(PATIENCE_S) == GREEN, run.states()


def test_a_run_that_a_person_ends_lets_go_of_the_machine(weekly: Weekly, standstill: Standstill) -> None:
    """Its release comes while the network still hangs, and half an image doesn't stay."""
    run, machine, _ = begin(weekly)
    run.stop()
    run.reach(f"release {machine}", "success")
    standstill.end()

    await_(lambda: not weekly.left_behind(), f"{machine}, released")
    assert weekly.states() == AS_BEFORE


def test_a_host_that_goes_down_half_way_costs_its_images(weekly: Weekly, standstill: Standstill) -> None:
    """What was frozen is lost with it; what is set to start with it starts, and the run says it."""
    run, machine, _ = begin(weekly)
    weekly.host.reboot()
    standstill.end()
    state = run.end(PATIENCE_S)
    assert (
        weekly.host.state(machine) == AS_BEFORE[machine]
    )  # while it was imaged, it was set to start with its host
    for other in {"maq1", "maq3"} - {machine}:
        weekly.host.boot(other)

    assert state == RED
    assert "isn't frozen any more" in run.told or "Nothing of this machine is frozen" in run.told


def test_a_host_that_cant_be_reached_is_told(weekly: Weekly) -> None:
    """After some tries; no machine is touched."""
    weekly.host.ssh.stop()
    try:
        run = weekly.start()
        assert run.end(PATIENCE_S) == RED
    finally:
        weekly.host.ssh.start()

    assert "can't be reached" in run.told
    assert run.tasks()["list_machines kvm_host"]["try_number"] == 4
