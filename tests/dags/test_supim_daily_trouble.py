"""When things fail: the run is red, the mail says what to do, and once it's mended a clear makes it green."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from include.standing.facts import RunPart
from tests.dags import GREEN, RED, Daily, Run, snapshot, troubles
from tests.dags.facts import told
from tests.site import Institute, supim

pytestmark = pytest.mark.xdist_group("airflow")


def test_a_source_that_cant_be_reached_is_tried_again_and_then_told(daily: Daily) -> None:
    """Three more times; nothing after the survey is begun."""
    daily.write("2023-001")
    with troubles.source_down(daily.institute):
        run = daily.run("2023-001")

    assert run.end() == RED
    assert run.tasks()["survey"]["try_number"] == 4
    assert run.states()["copy_day"] == "upstream_failed"
    assert "SUPIM 2023-001 FAILED" in run.mail["Subject"]
    assert "can't be reached" in run.told
    assert not daily.revisions("2023-001")


@pytest.mark.parametrize(
    ("day", "trouble", "sentence"),
    [
        ("2023-002", troubles.key_refused, "refuses the connection's key"),
        ("2023-003", troubles.another_host_key, "shows another host key than the connection's host_key"),
    ],
    ids=["key refused", "another host key"],
)
def test_what_only_a_person_can_mend_fails_at_once(
    daily: Daily, day: str, trouble: Callable[[Institute], AbstractContextManager[None]], sentence: str
) -> None:
    """Without another try; when it's mended, clearing the failed task makes the run green."""
    daily.write(day)
    with trouble(daily.institute):
        run = daily.run(day)

    assert run.end() == RED
    assert run.tasks()["survey"]["try_number"] == 1
    assert sentence in run.told

    run.clear("survey")

    assert run.end() == GREEN
    assert f"SUPIM {day} OK · 1 copied" in run.mail["Subject"]


def test_a_vault_that_isnt_mounted_is_left_alone(daily: Daily) -> None:
    """The first task refuses; nothing is written into the empty folder, and the mail asks for the disk."""
    daily.write("2023-004")
    with troubles.vault_unmounted(daily.institute) as mountpoint:
        run = daily.run("2023-004")
        written = list(mountpoint.iterdir())

    assert run.end() == RED
    assert written == []
    assert run.states()["julian_window"] == RED
    assert "holds no vault marker" in run.told
    assert "Is its disk mounted?" in run.told


@pytest.fixture(scope="module")
def finished(daily: Daily) -> tuple[Run, Run]:
    """Runs of 2023-010 and 2023-011 that went well; the simulation ran both days once more afterwards."""
    daily.write("2023-010", "2023-011")
    runs = (daily.start("2023-010"), daily.start("2023-011"))
    for run in runs:
        assert run.end() == GREEN
        daily.write_again(run.day)
    return runs


# From the last to the first: what a cleared task needs went well then.
@pytest.mark.parametrize("task", ["publish_day 2023-010", "verify_day 2023-010", "copy_day 2023-010", "plan"])
def test_every_task_refuses_a_vault_that_isnt_mounted(
    daily: Daily, finished: tuple[Run, Run], task: str
) -> None:
    """Also one that is cleared by itself, days after the disk was there."""
    run, _ = finished
    with troubles.vault_unmounted(daily.institute) as mountpoint:
        run.clear(task)
        run.end()
        written = list(mountpoint.iterdir())

    assert (run.end(), run.states()[task], written) == (RED, RED, [])
    assert "holds no vault marker" in run.told
    did = told(run)["runs"]
    assert isinstance(did.part, RunPart)
    assert (did.vault, did.part.good) == (daily.vault.id, False)


@pytest.mark.parametrize("task", ["copy_day 2023-011", "survey"])
def test_a_cleared_run_isnt_green_because_it_was_once(
    daily: Daily, finished: tuple[Run, Run], task: str
) -> None:
    """What its tasks left behind the first time says nothing about the second."""
    _, run = finished
    with troubles.source_down(daily.institute):
        run.clear(task)
        run.end()

    assert (run.end(), run.states()[task]) == (RED, RED)
    assert "SUPIM 2023-011 FAILED · 1 failed" in run.mail["Subject"]
    assert "can't be reached" in run.told


def test_a_vault_without_room_gets_nothing(daily: Daily) -> None:
    """The message says how much is missing, before a byte is copied; with room again a clear copies it."""
    daily.write("2023-006")
    before = snapshot(daily.institute.vault)
    with daily.site_file(vault={"reserve": "1 EB"}):
        run = daily.run("2023-006")

    assert run.end() == RED
    assert run.states()["ensure_space"] == RED
    assert run.tasks()["ensure_space"]["try_number"] == 1
    assert snapshot(daily.institute.vault) == before
    assert "for the copy and 1,000 PB in reserve" in run.told
    assert "bytes) are missing. Nothing was copied." in run.told

    run.clear("ensure_space")

    assert run.end() == GREEN
    assert daily.revisions("2023-006")


def test_a_day_that_never_comes_is_given_up(daily: Daily) -> None:
    """When waiting ends the run is red, and the mail tells a missing day from an incomplete one."""
    supim.half_write(daily.write("2023-008"))
    with daily.site_file(supim={"give_up_after_s": 0}):
        missing, incomplete = daily.start("2023-007"), daily.start("2023-008")
        ends = (missing.end(), incomplete.end())

    assert ends == (RED, RED)
    assert "SUPIM 2023-007 FAILED · 1 missing" in missing.mail["Subject"]
    assert "The source has no folder 2023/007." in missing.told
    assert "SUPIM 2023-008 FAILED · 1 incomplete" in incomplete.mail["Subject"]
    assert "23 of 24 time steps are complete." in incomplete.told
    assert not daily.revisions("2023-008")


def test_a_mail_that_cant_be_sent_makes_the_run_red_and_keeps_the_backup(daily: Daily) -> None:
    """The verdict on the backup is green; when the mail server is back, a clear sends the mail."""
    daily.write("2023-009")
    with troubles.mail_server_down(daily.institute):
        run = daily.run("2023-009")

    assert run.end() == RED
    assert run.states()["verdict"] == GREEN
    assert run.states()["email_report"] == RED
    assert run.tasks()["email_report"]["try_number"] == 4
    assert daily.revisions("2023-009")
    assert not run.mails()

    run.clear("email_report")

    assert run.end() == GREEN
    assert "SUPIM 2023-009 OK · 1 copied" in run.mail["Subject"]
