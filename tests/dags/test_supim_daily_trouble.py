"""Faults in ``supim_daily``: the run fails, the mail says what to do, and a clear after the fix succeeds."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from include.status.parts import RunPart
from tests.dags import GREEN, RED, Daily, Run, site_faults, snapshot
from tests.dags.status_events import published_parts
from tests.site import Institute, supim

pytestmark = pytest.mark.worker_group("days")


@pytest.mark.slow
def test_a_source_that_cant_be_reached_is_retried_then_fails_the_run(daily: Daily) -> None:
    """Three times; no task after the survey starts."""
    daily.write("2023-001")
    with site_faults.source_down(daily.institute):
        run = daily.run("2023-001")

    assert run.end() == RED
    assert run.tasks()["survey_source"]["try_number"] == 4
    assert run.states()["copy_day"] == "upstream_failed"
    assert "SUPIM 2023-001 FAILED" in run.mail["Subject"]
    assert "can't be reached" in run.mail_text
    assert not daily.revisions("2023-001")


@pytest.mark.parametrize(
    ("day", "fault", "message"),
    [
        ("2023-002", site_faults.key_refused, "refuses the connection's key"),
        pytest.param(
            "2023-003",
            site_faults.another_host_key,
            "shows another host key than the connection's host_key",
            marks=pytest.mark.slow,
        ),
    ],
    ids=["key refused", "another host key"],
)
def test_what_only_a_person_can_fix_fails_without_a_retry(
    daily: Daily, day: str, fault: Callable[[Institute], AbstractContextManager[None]], message: str
) -> None:
    """After the fix, clearing the failed tasks makes the run succeed, with another report and mail."""
    daily.write(day)
    with fault(daily.institute):
        run = daily.run(day)

    assert run.end() == RED
    assert run.tasks()["survey_source"]["try_number"] == 1
    assert message in run.mail_text

    run.clear_failed()

    assert run.end() == GREEN
    assert f"SUPIM {day} OK · 1 copied" in run.mail["Subject"]
    ran = published_parts(run)["runs"].part
    assert isinstance(ran, RunPart)
    assert f"SUPIM {day} OK · 1 copied" in ran.line


def test_a_vault_that_isnt_mounted_is_left_alone(daily: Daily) -> None:
    """The first task fails, nothing is written into the empty folder, and the mail asks for the disk.

    An alarm is mailed at once, by one of the tasks that need the vault.
    """
    daily.write("2023-004")
    with site_faults.vault_unmounted(daily.institute) as mountpoint:
        run = daily.run("2023-004")
        written = list(mountpoint.iterdir())
        alarm, _report = run.mails()

    assert run.end() == RED
    assert written == []
    assert run.states()["choose_days"] == RED
    assert "holds no vault marker" in run.mail_text
    assert "Is its disk mounted?" in run.mail_text
    assert "VAULT GONE · the backup disk isn't mounted" in alarm["Subject"]


@pytest.fixture(scope="module")
def finished(daily: Daily) -> tuple[Run, Run]:
    """Successful runs of 2023-010 and 2023-011, which then changed at the source."""
    daily.write("2023-010", "2023-011")
    runs = (daily.start("2023-010"), daily.start("2023-011"))
    for run in runs:
        assert run.end() == GREEN
        daily.write_again(run.day)
    return runs


# From the last task to the first: the tasks before a cleared one have succeeded.
@pytest.mark.slow
@pytest.mark.parametrize(
    "task", ["publish_day 2023-010", "verify_day 2023-010", "copy_day 2023-010", "plan_days"]
)
def test_every_task_refuses_a_vault_that_isnt_mounted(
    daily: Daily, finished: tuple[Run, Run], task: str
) -> None:
    """Even one that is cleared alone, days later."""
    run, _ = finished
    with site_faults.vault_unmounted(daily.institute) as mountpoint:
        run.clear(task)
        run.end()
        written = list(mountpoint.iterdir())

    assert (run.end(), run.states()[task], written) == (RED, RED, [])
    assert "holds no vault marker" in run.mail_text
    ran = published_parts(run)["runs"]
    assert isinstance(ran.part, RunPart)
    assert (ran.vault, ran.part.good) == (daily.vault.id, False)
    assert "holds no vault marker" in ran.part.vault_gone


@pytest.mark.slow
@pytest.mark.parametrize("task", ["copy_day 2023-011", "survey_source"])
def test_a_cleared_run_that_fails_isnt_reported_as_successful(
    daily: Daily, finished: tuple[Run, Run], task: str
) -> None:
    """The results of its first round don't count for the second."""
    _, run = finished
    with site_faults.source_down(daily.institute):
        run.clear(task)
        run.end()

    assert (run.end(), run.states()[task]) == (RED, RED)
    assert re.search("SUPIM 2023-011 FAILED · (not copied: )?cluster unreachable", run.mail["Subject"])
    assert run.note == run.subject
    assert "can't be reached" in run.mail_text


@pytest.mark.slow
def test_nothing_is_copied_into_a_vault_that_is_too_full(daily: Daily) -> None:
    """The message says how much space is missing; once there is enough, a clear copies the day."""
    daily.write("2023-006")
    before = snapshot(daily.institute.vault)
    with daily.site_file(vaults={"main": {"reserve": "1 EB"}}):
        run = daily.run("2023-006")

    assert run.end() == RED
    assert run.states()["check_free_space"] == RED
    assert run.tasks()["check_free_space"]["try_number"] == 1
    assert snapshot(daily.institute.vault) == before
    assert "for the copy and 1,000 PB in reserve" in run.mail_text
    assert " short. Nothing of it was copied." in run.mail_text

    run.clear("check_free_space")

    assert run.end() == GREEN
    assert daily.revisions("2023-006")


@pytest.mark.slow
def test_a_day_that_never_becomes_complete_fails_the_run(daily: Daily) -> None:
    """When the wait ends, the mail says whether the day is missing or incomplete."""
    supim.half_write(daily.write("2023-008"))
    with daily.site_file(datasets={"supim": {"timeout_s": 0}}):
        missing, incomplete = daily.start("2023-007"), daily.start("2023-008")
        ends = (missing.end(), incomplete.end())

    assert ends == (RED, RED)
    assert "SUPIM 2023-007 FAILED · 1 missing" in missing.mail["Subject"]
    assert "The source has no folder 2023/007." in missing.mail_text
    assert "SUPIM 2023-008 FAILED · 1 incomplete" in incomplete.mail["Subject"]
    assert "23 of 24 time steps are complete." in incomplete.mail_text
    assert not daily.revisions("2023-008")


@pytest.mark.slow
def test_a_mail_that_cant_be_sent_fails_the_run_but_not_the_backup(daily: Daily) -> None:
    """``check_result`` succeeds; once the mail server is back, a clear sends the mail."""
    daily.write("2023-009")
    with site_faults.mail_server_down(daily.institute):
        run = daily.run("2023-009")

    assert run.end() == RED
    assert run.states()["check_result"] == GREEN
    assert run.states()["email_report"] == RED
    assert run.tasks()["email_report"]["try_number"] == 4
    assert daily.revisions("2023-009")
    assert not run.mails()
    assert (run.note or "").startswith("SUPIM 2023-009 OK · 1 copied · ")
    assert (run.note or "").endswith(" · the mail could not be sent")

    run.clear("email_report")

    assert run.end() == GREEN
    assert "SUPIM 2023-009 OK · 1 copied" in run.mail["Subject"]
    assert run.note == run.subject
