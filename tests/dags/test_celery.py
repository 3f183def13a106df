"""``supim_daily`` on Celery, with PostgreSQL and Redis: each task where it belongs, nothing lost or twice."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.dags import GREEN, RED, Run, contents, site_faults, wait_for
from tests.dags.celery_workers import ACCOUNT, ADDRESS, BESIDE, QUEUE, CeleryDaily
from tests.dags.site_faults import Standstill, rsyncs
from tests.dags.weekly_runs import DAG as WEEKLY
from tests.dags.weekly_runs import Weekly
from tests.session import needs
from tests.site import supim

pytestmark = [pytest.mark.slow, pytest.mark.worker_group("celery")]

AT_ONCE_S = 10.0
A_MINUTE_S = 60.0
UNANSWERED = "The vault's worker didn't answer the last run of supim_daily."


@pytest.fixture(scope="module")
def daily(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CeleryDaily]:
    """Start all of it once."""
    needs.celery()
    with CeleryDaily.started(tmp_path_factory.mktemp("celery")) as started:
        yield started


@contextmanager
def copying(daily: CeleryDaily, day: str) -> Iterator[Run]:
    """Start a run whose copy is stalled half-way during the block."""
    daily.write(day, grid=supim.DEMO)
    with Standstill(daily.institute.cluster) as stalled:
        run = daily.start(day)
        with run.explained():
            wait_for(lambda: any(contents(daily.staged(day)).values()), f"a copy of {day}")
        yield run
        stalled.end()
        assert run.end() == GREEN


def published_once(daily: CeleryDaily, day: str) -> bool:
    """Return whether the vault has one revision of a day, as at the source, and nothing in staging."""
    (only,) = daily.revisions(day)
    source = daily.institute.source / day.replace("-", "/")
    return contents(only.folder) == contents(source) and not daily.staged(day).parent.exists()


def alarms(daily: CeleryDaily, title: str) -> list[str]:
    """Return the subjects of the mails with this title."""
    subjects = [str(mail["Subject"]) for mail in daily.institute.mail.mails()]
    return [subject for subject in subjects if title in subject]


def owners(folder: Path) -> set[str]:
    """Return who owns what is in a folder."""
    return {path.owner() for path in folder.rglob("*")}


@pytest.fixture(scope="module")
def crashed(daily: CeleryDaily) -> Run:
    """A run during whose copy broker and database crashed, one after the other.

    What Airflow ends itself without its database is started again, as Docker does it.
    """
    with copying(daily, "2022-001") as run:
        for server in (daily.airflow.broker, daily.airflow.database):
            server.stop()
            time.sleep(2)
            server.start()
        for _ in range(2):  # some services that can't do without end after a while, or don't come up at once
            time.sleep(3)
            wait_for(lambda: all_run(daily), "all of Airflow")
    return run


def all_run(daily: CeleryDaily) -> bool:
    """Start what has ended, as Docker does, and return whether nothing had."""
    try:
        return not daily.airflow.repair()
    except RuntimeError:  # one ended again
        return False


def test_a_copy_survives_a_crash_of_the_broker_and_of_the_database(daily: CeleryDaily, crashed: Run) -> None:
    """The day is published once, and reported once."""
    assert published_once(daily, "2022-001")
    assert len(crashed.mails()) == 1


def test_tasks_of_the_vault_run_on_its_worker_and_the_look_for_it_elsewhere(
    daily: CeleryDaily, crashed: Run
) -> None:
    """The other worker's folder of the vault is empty; the vault's worker serves the logs of its tasks."""
    tasks = crashed.tasks()
    ran = {name: (task["queue"], task["hostname"]) for name, task in tasks.items() if task["hostname"]}
    assert ran.pop("check_worker") == ("default", "127.0.0.3")
    assert len(ran) == 11
    assert set(ran.values()) == {(QUEUE, ADDRESS)}
    assert owners(daily.institute.vault) == {ACCOUNT}
    assert f"is served by celery@{ADDRESS}" in crashed.log("check_worker")
    assert "bytes copied" in crashed.log("copy_day 2022-001")


def test_a_worker_killed_in_the_middle_of_a_copy_resumes_when_it_is_back(daily: CeleryDaily) -> None:
    """Its rsync ends at once, and another try goes on with what is there."""
    with copying(daily, "2022-003") as run:
        rsync = rsyncs(daily.staged("2022-003"))[0]
        daily.airflow.kill(BESIDE)
        wait_for(lambda: rsync not in rsyncs(daily.staged("2022-003")), "rsync's end", AT_ONCE_S)
        assert any(contents(daily.staged("2022-003")).values())
        daily.airflow.revive(BESIDE)

    assert run.tasks()["copy_day 2022-003"]["try_number"] == 2
    assert published_once(daily, "2022-003")
    assert len(run.mails()) == 1


def test_a_worker_killed_in_the_middle_of_a_transfer_leaves_no_vm_off(daily: CeleryDaily) -> None:
    """The VM runs on, isn't stopped again, and its image is published once."""
    needs.kvm_host()
    weekly = Weekly(daily.institute, daily.airflow)
    weekly.host.define("maq1", {"vda": "raw"})
    weekly.host.boot("maq1")
    staging = daily.institute.vault / ".staging" / "vm" / "maq1" / "data" / "vda.img"
    daily.airflow.unpause(WEEKLY)
    assert weekly.agent  # install it first: a stalled server takes only commands
    weekly.boots("maq1")
    with Standstill(weekly.host.ssh, '*" send "*') as stalled:
        run = Run(daily.airflow, daily.institute, daily.airflow.trigger(WEEKLY)["dag_run_id"], WEEKLY)
        with run.explained():
            wait_for(lambda: staging.exists() and staging.stat().st_blocks, "an image that has begun")
        boots = weekly.boots("maq1")
        daily.airflow.kill(BESIDE)
        assert weekly.host.state("maq1") == "running"
        daily.airflow.revive(BESIDE)
        stalled.end()

    assert run.end() == GREEN
    assert run.tasks()["transfer_image maq1"]["try_number"] == 2
    assert weekly.boots("maq1") == boots
    assert [path.owner() for path in (generation.folder for generation in weekly.generations("maq1"))] == [
        ACCOUNT
    ]
    assert not staging.exists()


@pytest.mark.usefixtures("crashed")  # its run has filled the page
def test_a_worker_that_is_replaced_ends_its_copy_and_meanwhile_its_absence_is_mailed(
    daily: CeleryDaily,
) -> None:
    """A warm shutdown (SIGTERM), as at an upgrade: it takes no other task, and is replaced when it has ended.

    A run that begins meanwhile fails within a minute, in all its tasks; it is cleared once there is a worker.
    """
    daily.write("2022-005")
    with copying(daily, "2022-004") as run:
        os.kill(daily.airflow.pid(BESIDE), signal.SIGTERM)
        wait_for(lambda: "Warm shutdown" in daily.airflow.log_of(BESIDE).read_text("utf-8"), "a shutdown")
        began = time.monotonic()
        without = daily.start("2022-005")
        without.reach("check_worker", RED)
        assert time.monotonic() - began < A_MINUTE_S
        assert without.end() == RED
        assert "No worker serves the queue vault" in without.log("check_worker")
        states = without.states()
        assert {states[name] for name in ("choose_days", "build_report", "refresh_status")} == {
            "upstream_failed"
        }
        wait_for(lambda: alarms(daily, "] WORKER GONE"), "the alarm")
        assert [alert for alert in daily.airflow.page_alerts() if UNANSWERED in alert]

        assert rsyncs(daily.staged("2022-004"))
        (daily.institute.cluster.folder / "gate").unlink()
        daily.airflow.wait_for_end(BESIDE)
        daily.airflow.revive(BESIDE)

    assert run.tasks()["copy_day 2022-004"]["try_number"] == 1
    assert published_once(daily, "2022-004")
    daily.airflow.wait_for_worker(BESIDE)
    without.clear("check_worker")
    assert without.end() == GREEN
    assert published_once(daily, "2022-005")
    assert not [alert for alert in daily.airflow.page_alerts() if UNANSWERED in alert]
    gone, over = alarms(daily, "queue vault")
    assert "WORKER GONE" in gone
    assert "RESOLVED" in over


def test_the_vaults_worker_reports_a_vault_that_isnt_mounted(daily: CeleryDaily) -> None:
    """Its first task does, so that is within a minute, too."""
    daily.write("2022-006")
    with site_faults.vault_unmounted(daily.institute) as mountpoint:
        began = time.monotonic()
        run = daily.start("2022-006")
        run.reach("choose_days", RED)
        assert time.monotonic() - began < A_MINUTE_S
        assert run.end() == RED
        assert list(mountpoint.iterdir()) == []

    assert "holds no vault marker" in run.mail_text
    assert alarms(daily, "VAULT GONE")
