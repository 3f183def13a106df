"""Runs that people start: for a day, by its key or by the field *day*, again, at once, or dry."""

import stat
import subprocess
from pathlib import Path

import pytest

from tests.dags import DAG, GREEN, RED, Daily, Run, contents, snapshot, text_of
from tests.dags.facts import days_of
from tests.site import RECIPIENT
from tests.site.airflow_api import ApiError

pytestmark = pytest.mark.xdist_group("airflow")


@pytest.fixture(scope="module")
def by_key(daily: Daily) -> Run:
    """A run of 2024-060, named by its partition key."""
    daily.write("2024-060")
    return daily.start("2024-060")


@pytest.fixture(scope="module")
def by_field(daily: Daily) -> Run:
    """A run of 2024-061, named in the field *day*."""
    daily.write("2024-061")
    return daily.start(day="2024-061")


@pytest.fixture(scope="module")
def twins(daily: Daily) -> list[Run]:
    """Two runs of 2024-062, started back to back."""
    daily.write("2024-062")
    return [daily.start("2024-062") for _ in range(2)]


@pytest.fixture(scope="module", autouse=True)
def _side_by_side(by_key: Run, by_field: Run, twins: list[Run]) -> None:
    """Start them together, because each waits for itself most of the time."""
    for run in (by_key, by_field, *twins):
        run.end()


def proves(folder: Path) -> bool:
    """Say whether coreutils alone can prove a published day."""
    command = ["sha256sum", "-c", "--quiet", "--strict", f"../{folder.name}.sha256"]
    return subprocess.run(command, cwd=folder, check=False).returncode == 0


def test_a_day_named_by_its_key_is_copied_proven_and_published(daily: Daily, by_key: Run) -> None:
    """It's in the vault exactly as at the source, read-only, and sha256sum proves it."""
    (published,) = daily.revisions("2024-060")
    modes = {stat.S_IMODE(path.stat().st_mode) for path in published.year_folder.glob("060*/*")}
    sidecars = {stat.S_IMODE(path.stat().st_mode) for path in (published.sums, published.record_file)}

    assert by_key.end() == GREEN
    assert published.folder == daily.institute.vault / "supim" / "2024" / "060"
    assert contents(published.folder) == contents(daily.institute.source / "2024" / "060")
    assert (modes, sidecars, stat.S_IMODE(published.folder.stat().st_mode)) == ({0o444}, {0o444}, 0o555)
    assert proves(published.folder)
    assert published.record.run == by_key.run_id
    assert not daily.staged("2024-060").parent.exists()


def test_its_tasks_are_named_by_their_day(by_key: Run) -> None:
    """Who looks at the grid sees days instead of numbers."""
    shown = {task["task_id"]: task["rendered_map_index"] for task in by_key.tasks().values()}
    steps = ["secure_day.copy_day", "secure_day.verify_day", "secure_day.publish_day"]

    assert [shown[step] for step in steps] == ["2024-060"] * 3


def test_its_mail_tells_all_in_the_subject_in_text_and_in_html(by_key: Run) -> None:
    """One mail for a run; who reads the subject needn't open it."""
    (mail,) = by_key.mails()

    assert str(mail["Subject"]).startswith("[INPE backup] SUPIM 2024-060 OK · 1 copied · ")
    assert (mail["To"], mail["X-Envelope-To"]) == (RECIPIENT, RECIPIENT)
    assert mail.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    assert "Day 2024-060 was copied and proven." in by_key.told
    assert "SHA-256 of 48 files equal at both ends; 24 descriptors hold" in by_key.told
    assert "Day 2024-060 was copied and proven." in text_of(mail, "html")


def test_a_day_named_in_the_field_day_is_secured(daily: Daily, by_field: Run) -> None:
    """Some ways to start a run have no key."""
    assert by_field.end() == GREEN
    assert daily.revisions("2024-061")
    assert "SUPIM 2024-061 OK · 1 copied" in by_field.mail["Subject"]


def test_two_runs_of_one_day_at_once_publish_it_once(daily: Daily, twins: list[Run]) -> None:
    """Both end green: the slower one finds the day safe."""
    assert [run.end() for run in twins] == [GREEN, GREEN]
    assert [found.name for found in daily.revisions("2024-062")] == ["062"]
    assert sorted("· 1 copied" in run.mail["Subject"] for run in twins) == [False, True]
    assert sorted("· 1 already safe" in run.mail["Subject"] for run in twins) == [False, True]
    assert sorted(len(days_of(run)) for run in twins) == [0, 1]


def test_the_same_day_again_is_already_safe(daily: Daily) -> None:
    """Nothing is copied and nothing is written; the run is green all the same."""
    before = snapshot(daily.institute.vault)
    again = daily.run("2024-060")

    assert again.end() == GREEN
    assert snapshot(daily.institute.vault) == before
    assert again.states()["copy_day"] == "skipped"
    assert "SUPIM 2024-060 OK · 1 already safe" in again.mail["Subject"]


def test_a_day_that_changed_at_the_source_becomes_a_revision_beside_the_first(daily: Daily) -> None:
    """What is published never changes."""
    (first,) = daily.revisions("2024-061")
    before = contents(first.folder), first.sums.read_bytes(), first.record_file.read_bytes()
    source = daily.write_again("2024-061")
    run = daily.run("2024-061")
    _, second = daily.revisions("2024-061")

    assert run.end() == GREEN
    assert "SUPIM 2024-061 OK · 1 new revision" in run.mail["Subject"]
    assert "changed at the source; the new version was copied and proven beside the old one" in run.told
    assert (contents(first.folder), first.sums.read_bytes(), first.record_file.read_bytes()) == before
    assert second.name == "061.r2"
    assert contents(second.folder) == contents(source) != before[0]
    assert proves(first.folder)
    assert proves(second.folder)


def test_a_dry_run_says_what_it_would_do_and_changes_nothing(daily: Daily) -> None:
    """Neither in the vault nor at the source; and it's green."""
    daily.write("2024-063")
    places = (daily.institute.vault, daily.institute.source)
    before = [snapshot(place) for place in places]
    run = daily.run("2024-063", dry_run=True)

    assert run.end() == GREEN
    assert [snapshot(place) for place in places] == before
    assert "SUPIM 2024-063 DRY RUN · 1 would be copied" in run.mail["Subject"]
    assert "This was a dry run: nothing was copied and nothing was changed." in run.told


def test_a_finished_day_can_be_cleared_and_run_again(daily: Daily, by_key: Run) -> None:
    """Over the API from its copy on, and from the command line whole; the day stays as it was published."""
    before, mails = snapshot(daily.institute.vault / "supim"), len(by_key.mails())
    by_key.clear("copy_day 2024-060")
    assert by_key.end() == GREEN
    cleared = daily.airflow.cli("dags", "clear", DAG, "--run-id", by_key.run_id, "--yes")

    assert cleared.returncode == 0, cleared.stderr
    assert by_key.end() == GREEN
    assert len(by_key.mails()) == mails + 2
    assert snapshot(daily.institute.vault / "supim") == before


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ("2026-366", "There is no day 366 in 2026; its days go from 1 to 365."),
        ("2026-0", "'2026-0' is not a day. Write year and day of the year as YYYY-DDD"),
        ("x", "'x' is not a day."),
    ],
)
def test_a_key_that_is_no_day_is_refused_with_a_sentence(daily: Daily, key: str, sentence: str) -> None:
    """Before a run is made: who typed it reads it at once."""
    before = len(daily.runs("manual"))
    with pytest.raises(ApiError) as refused:
        daily.start(key)

    assert refused.value.status == 400
    assert sentence in refused.value.body
    assert len(daily.runs("manual")) == before


def test_a_field_day_of_another_form_is_refused(daily: Daily) -> None:
    """The form checks its pattern."""
    with pytest.raises(ApiError) as refused:
        daily.start(day="2026-68")

    assert refused.value.status == 400


def test_a_field_day_that_is_no_day_makes_a_red_run_that_says_so(daily: Daily) -> None:
    """The form's pattern lets day 366 of any year pass; the first task doesn't, and the mail tells."""
    run = daily.run(day="2026-366")

    assert run.end() == RED
    assert run.states()["julian_window"] == RED
    assert "There is no day 366 in 2026" in run.log("julian_window")
    assert "There is no day 366 in 2026" in run.told
