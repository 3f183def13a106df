"""``vm_boot_test``: a VM booted from its image, with its screenshot in the mail."""

import os
import signal
from collections.abc import Iterator
from email.message import EmailMessage

import pytest

from include.report import MADE_BY
from include.status.parts import ScreenPart
from tests.dags import GREEN, RED, Run, snapshot, wait_for
from tests.dags.site_faults import commands, parent
from tests.dags.status_events import published_parts
from tests.dags.weekly_runs import Weekly

DAG = "vm_boot_test"
pytestmark = pytest.mark.worker_group("vms")


@pytest.fixture(scope="module")
def boot_tests(weekly: Weekly) -> Iterator[Weekly]:
    """The DAG switched on, with images in the vault, and the serial console as check."""
    weekly.images()
    weekly.airflow.unpause(DAG)
    with weekly.site_file(boot_test={"checks": {"serial": "guest: ready"}, "timeout_s": 60}):
        yield weekly


def run(work: Weekly, **params: object) -> Run:
    """Trigger a run and wait until it's over."""
    begun = start(work, **params)
    begun.end(patience_s=120)
    return begun


def start(work: Weekly, **params: object) -> Run:
    """Trigger a run."""
    return Run(work.airflow, work.institute, work.airflow.trigger(DAG, conf=params)["dag_run_id"], DAG)


def boot_test_domains(work: Weekly, flags: str) -> list[str]:
    """Return the domains of boot tests in ``virsh list`` with these flags."""
    return [
        name for name in work.host.virsh("list", "--name", flags).split("\n") if name.startswith("boot-test-")
    ]


def work_folders(work: Weekly) -> list[str]:
    """Return the work folders of boot tests on the host."""
    return [path.name for path in work.host.agents_folder.glob("boot-test*") if path.name != "boot-test.lock"]


def nbd_servers(work: Weekly) -> list[int]:
    """Return the worker's NBD servers of images."""
    return [
        pid
        for pid, command in commands()
        if command[0] == "qemu-nbd" and command[-1].startswith(f"{work.institute.vault}/")
    ]


def pictures(mail: EmailMessage) -> list[bytes]:
    """Return the pictures in a mail."""
    return [
        bytes(part.get_payload(decode=True)) for part in mail.walk() if part.get_content_type() == "image/png"
    ]


def test_a_vm_is_booted_and_its_screenshot_is_in_the_mail(boot_tests: Weekly) -> None:
    """The same picture is beside the image; the VM itself isn't touched."""
    before, states = boot_tests.boots("maq1"), boot_tests.states()
    done = run(boot_tests, vm="maq1")
    image = boot_tests.generations("maq1")[-1]

    assert done.info["state"] == GREEN, done.states()
    assert done.mail["Subject"].startswith(f"[{MADE_BY}] BOOT TEST OK")
    assert done.note == done.subject
    assert pictures(done.mail) == [image.folder.with_name(f"{image.name}.png").read_bytes()]
    verifications = [(found.what, found.result) for found in image.verification_log.read()]
    assert verifications == [("scrub", "passed"), ("boot_test", "passed")]
    screen = published_parts(done)["screens/maq1"].part
    assert isinstance(screen, ScreenPart)
    assert screen.when == image.verification_log.read()[-1].when
    assert (boot_tests.boots("maq1"), boot_tests.states()) == (before, states)
    assert set(boot_tests.host.virsh("list", "--all", "--name").split()) == set(boot_tests.states())


@pytest.mark.slow
def test_a_dry_run_boots_nothing(boot_tests: Weekly) -> None:
    """The mail lists the VMs that it would boot."""
    vault = snapshot(boot_tests.institute.vault)
    done = run(boot_tests, dry_run=True)
    assert done.info["state"] == GREEN, done.states()
    assert "would be booted" in done.mail_text
    assert snapshot(boot_tests.institute.vault) == vault


@pytest.mark.slow
def test_a_vm_that_isnt_in_the_vault_is_an_error(boot_tests: Weekly) -> None:
    """The run fails, and the mail says why."""
    done = run(boot_tests, vm="maq9")
    assert done.info["state"] == RED
    assert "has no image of a VM named 'maq9'" in done.mail_text


@pytest.mark.slow
def test_a_boot_test_whose_task_is_killed_is_cleaned_up_and_retried(boot_tests: Weekly) -> None:
    """The host cleans up by itself; the next try boots the VM."""
    states = boot_tests.states()
    with boot_tests.site_file(boot_test={"checks": {"serial": "login:"}, "timeout_s": 120}):
        begun = start(boot_tests, vm="maq2")
        wait_for(lambda: boot_test_domains(boot_tests, "--state-running"), "a boot test's domain")
    with boot_tests.site_file(boot_test={"checks": {"serial": "guest: ready"}, "timeout_s": 60}):
        (server,) = nbd_servers(boot_tests)
        os.kill(parent(server), signal.SIGKILL)
        wait_for(
            lambda: (
                not (
                    boot_test_domains(boot_tests, "--all")
                    or work_folders(boot_tests)
                    or nbd_servers(boot_tests)
                )
            ),
            "the boot test's end",
        )
        begun.end(patience_s=120)

    assert begun.info["state"] == GREEN, begun.states()
    assert begun.tasks()["boot_vm maq2"]["try_number"] == 2
    [*_, last] = boot_tests.generations("maq2")[-1].verification_log.read()
    assert (last.what, last.result) == ("boot_test", "passed")
    assert boot_tests.states() == states
