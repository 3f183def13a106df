"""Faults and crashes in ``vm_weekly``: VMs keep their states, the mail reports it, the next run succeeds."""

import os
import signal
from collections.abc import Iterator

import pytest

from include.report import MADE_BY
from tests.dags import GREEN, RED, Run, text_of, wait_for
from tests.dags.site_faults import Standstill, parent
from tests.dags.test_vm_weekly import AS_BEFORE
from tests.dags.weekly_runs import IGNORES_SHUTDOWN, VMS, Weekly
from tests.site import processes

pytestmark = pytest.mark.worker_group("vms")

PATIENCE_S = 180.0


@pytest.fixture(autouse=True)
def as_before(weekly: Weekly) -> Iterator[None]:
    """Check after each test: VMs are as before, nothing is left, a run after a failed one succeeds."""
    weekly.wait_until_idle()
    yield
    weekly.write_site_file()
    weekly.wait_until_idle()
    if weekly.runs()[-1].info["state"] == RED:
        with weekly.site_file(hosts=weekly.hosts(vms=["maq1"])):
            run = weekly.run()
        assert run.info["state"] == GREEN, run.states()
    wait_for(lambda: not weekly.leftovers(), "the end of leftovers")
    assert weekly.states() == AS_BEFORE


@pytest.fixture
def standstill(weekly: Weekly) -> Iterator[Standstill]:
    """Stall every transfer half-way, until the test ends that."""
    assert weekly.agent  # install it first: a stalled server takes only commands
    with Standstill(weekly.host.ssh, '*" send "*') as stalled:
        yield stalled


def begin(weekly: Weekly) -> tuple[Run, str, int]:
    """Start a run and wait for half an image; return the run, the VM and the PID of the task."""
    weekly.delete_images()  # small changes would be through before the stall
    weekly.write_site_file(hosts=weekly.hosts(vms=["maq1"]))
    run = weekly.start()

    def transferring() -> list[str]:
        # The progress file is written only when more data arrives, and none does here.
        images = (weekly.institute.vault / ".staging" / "vm").glob("*/data/vda.img")
        return [path.parents[1].name for path in images if path.stat().st_blocks]

    with run.explained():
        vm = wait_for(transferring, "an image that has begun", PATIENCE_S)[0]
    [ssh] = [pid for pid in processes.marked(weekly.airflow.home.mark) if _sends(pid)]
    return run, vm, parent(ssh)


def _sends(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:  # noqa: PTH123 - it may be gone
            command = file.read().split(b"\0")
    except OSError:
        return False
    return command[0] == b"ssh" and any(b" send " in word for word in command)


@pytest.mark.slow
def test_a_vm_that_isnt_seen_to_run_leads_the_report(weekly: Weekly) -> None:
    """It has a mail of its own before; no other VM of its host is stopped in that run."""
    boots = {vm: weekly.boots(vm) for vm in ("maq1", "maq3")}
    unreachable = {"address": "127.0.0.1", "ports": [1], "timeout_s": 2}
    with weekly.site_file(health_check=unreachable, hosts=weekly.hosts(vms=["maq1", "maq3"])):
        run = weekly.run()

    assert run.info["state"] == RED
    assert run.mail["Subject"].startswith(f"[{MADE_BY}] VM DOWN")
    assert run.note == run.subject
    assert "did not come back" in run.mail_text
    alarm, _report = run.mails()
    assert alarm["Subject"] == run.mail["Subject"]
    assert "Its report will repeat this alarm." in text_of(alarm)
    stopped = [vm for vm, text in boots.items() if weekly.boots(vm) != text]
    assert len(stopped) == 1
    assert weekly.states() == AS_BEFORE


@pytest.mark.slow
def test_a_vm_that_ignores_its_power_button_is_left_running(weekly: Weekly) -> None:
    """The others are backed up, the run fails, and removes nothing."""
    weekly.images()
    before = {vm: weekly.generations(vm) for vm in VMS}
    patient = [
        {**IGNORES_SHUTDOWN, "on_timeout": "leave", "watchdog_s": 25, "health_check": {"timeout_s": 10}}
    ]
    with weekly.site_file(overrides=patient, hosts=weekly.hosts(vms=["maq1", "maq3"])):
        run = weekly.run()

    assert run.info["state"] == RED
    assert "didn't shut down within 1 s, and was left running" in run.mail_text
    assert weekly.states() == AS_BEFORE
    assert len(weekly.generations("maq1")) == len(before["maq1"]) + 1
    assert weekly.generations("maq3") == before["maq3"]
    _its_backup_is_begun_and_ended_again(weekly, run)


def _its_backup_is_begun_and_ended_again(weekly: Weekly, run: Run) -> None:
    """After the fix, by *Clear only failed*, which leaves the task that ended it."""
    run.clear_failed()
    assert run.end(PATIENCE_S) == GREEN, run.states()
    tries = {name: task["try_number"] for name, task in run.tasks().items() if "end_backup" in name}
    assert tries == {"end_backup maq1": 1, "end_backup maq3": 2}
    assert not weekly.leftovers()


@pytest.mark.slow
def test_a_killed_task_is_retried_and_resumes(weekly: Weekly, standstill: Standstill) -> None:
    """The VM isn't stopped a second time."""
    run, vm, task = begin(weekly)
    boots = weekly.boots(vm)
    os.kill(task, signal.SIGKILL)
    standstill.end()

    assert run.end(PATIENCE_S) == GREEN, run.states()
    assert run.tasks()[f"transfer_image {vm}"]["try_number"] == 2
    assert weekly.boots(vm) == boots


@pytest.mark.slow
def test_a_run_survives_a_killed_scheduler(weekly: Weekly, standstill: Standstill) -> None:
    """Meanwhile the VMs run, and the backup stays open on the host."""
    run, vm, _ = begin(weekly)
    weekly.airflow.kill("scheduler")
    try:
        assert weekly.host.state(vm) == AS_BEFORE[vm]
    finally:
        standstill.end()
        weekly.airflow.revive("scheduler")

    assert run.end(PATIENCE_S) == GREEN, run.states()


@pytest.mark.slow
def test_a_run_that_a_person_fails_ends_the_backup_on_the_host(
    weekly: Weekly, standstill: Standstill
) -> None:
    """Even while the network hangs; half an image doesn't stay in the vault, and the run is a failed one."""
    run, vm, _ = begin(weekly)
    run.stop()
    run.reach(f"end_backup {vm}", "success")
    standstill.end()
    assert run.end() == RED, run.states()

    wait_for(lambda: not weekly.leftovers(), f"the end of the backup of {vm}")
    assert weekly.states() == AS_BEFORE


@pytest.mark.slow
def test_a_host_that_goes_down_half_way_fails_the_run(weekly: Weekly, standstill: Standstill) -> None:
    """The open backup is lost; VMs that start with their host run again, and the mail reports it."""
    run, vm, _ = begin(weekly)
    weekly.host.reboot()
    standstill.end()
    state = run.end(PATIENCE_S)
    assert weekly.host.state(vm) == AS_BEFORE[vm]  # while it was imaged, it was set to start with its host
    for other in {"maq1", "maq3"} - {vm}:
        weekly.host.boot(other)

    assert state == RED
    ended = ("No backup of this VM is open", "isn't open any more")
    assert any(message in run.mail_text for message in ended)


@pytest.mark.slow
def test_a_host_that_cant_be_reached_fails_the_run(weekly: Weekly) -> None:
    """After three retries; no VM is touched."""
    weekly.host.ssh.stop()
    try:
        run = weekly.start()
        assert run.end(PATIENCE_S) == RED
    finally:
        weekly.host.ssh.start()

    assert "can't be reached" in run.mail_text
    assert run.tasks()["list_vms kvm_host"]["try_number"] == 4
