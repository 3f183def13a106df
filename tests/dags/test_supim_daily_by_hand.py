"""Manual runs of ``supim_daily``: by key or by the field *day*, twice, repeated, or dry."""

import re
import stat
import subprocess
from pathlib import Path

import pytest

from include.report.inline_pictures import content_id
from tests.dags import DAG, GREEN, Daily, Run, contents, snapshot, text_of
from tests.dags.status_events import day_events
from tests.site import RECIPIENT
from tests.site.airflow_api import ApiError

pytestmark = pytest.mark.worker_group("days")


@pytest.fixture(scope="module")
def by_key(daily: Daily) -> Run:
    """A run of 2024-060 by partition key."""
    daily.write("2024-060")
    return daily.start("2024-060")


@pytest.fixture(scope="module")
def by_field(daily: Daily) -> Run:
    """A run of 2024-061 by the field *day*, as a date."""
    daily.write("2024-061")
    return daily.start(day="2024-03-01")


@pytest.fixture(scope="module")
def twins(daily: Daily) -> list[Run]:
    """Two runs of 2024-062, started back to back."""
    daily.write("2024-062")
    return [daily.start("2024-062") for _ in range(2)]


@pytest.fixture(scope="module", autouse=True)
def _side_by_side(request: pytest.FixtureRequest) -> None:
    """Start those that the session's tests use together: each waits most of the time."""
    used = {name for test in request.session.items if test.path == request.path for name in _names(test)}
    started = [request.getfixturevalue(name) for name in ("by_key", "by_field", "twins") if name in used]
    for run in started:
        for each in run if isinstance(run, list) else [run]:
            each.end()


def _names(test: pytest.Item) -> list[str]:
    return test.fixturenames if isinstance(test, pytest.Function) else []


def verifies(folder: Path) -> bool:
    """Return whether sha256sum verifies a published day."""
    command = ["sha256sum", "-c", "--quiet", "--strict", f"../{folder.name}.sha256"]
    return subprocess.run(command, cwd=folder, check=False).returncode == 0


def test_a_day_given_by_key_is_copied_verified_and_published(daily: Daily, by_key: Run) -> None:
    """The vault has it exactly as the source does, read-only, and sha256sum verifies it."""
    (published,) = daily.revisions("2024-060")
    modes = {stat.S_IMODE(path.stat().st_mode) for path in published.year_folder.glob("060*/*")}
    sidecars = {stat.S_IMODE(path.stat().st_mode) for path in (published.sums, published.record_file)}

    assert by_key.end() == GREEN
    assert published.folder == daily.institute.vault / "supim" / "2024" / "060"
    assert contents(published.folder) == contents(daily.institute.source / "2024" / "060")
    assert (modes, sidecars, stat.S_IMODE(published.folder.stat().st_mode)) == ({0o444}, {0o444}, 0o555)
    assert verifies(published.folder)
    assert published.record.run == by_key.run_id
    assert not daily.staged("2024-060").parent.exists()


def test_its_tasks_are_named_by_their_day(by_key: Run) -> None:
    """The grid shows days instead of map indexes."""
    shown = {task["task_id"]: task["rendered_map_index"] for task in by_key.tasks().values()}
    steps = ["back_up_day.copy_day", "back_up_day.verify_day", "back_up_day.publish_day"]

    assert [shown[step] for step in steps] == ["2024-060"] * 3


def test_the_mail_reports_in_its_subject_in_text_and_in_html(by_key: Run) -> None:
    """One mail per run, whose subject is enough when all is well."""
    (mail,) = by_key.mails()

    assert str(mail["Subject"]).startswith("[INPE backup] SUPIM 2024-060 OK · 1 copied · ")
    assert (mail["To"], mail["X-Envelope-To"]) == (RECIPIENT, RECIPIENT)
    assert mail.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "multipart/related"]
    assert "Day 2024-060 was copied and verified." in by_key.mail_text
    assert "SHA-256 of 48 files equal at both ends; 24 descriptors match" in by_key.mail_text
    assert "Day 2024-060 was copied and verified." in text_of(mail, "html")


def test_the_mail_shows_the_map_of_the_published_day_and_the_coverage_of_its_year(
    daily: Daily, by_key: Run
) -> None:
    """Each picture is attached once and shown once; the map is also beside the day in the vault."""
    by_key.end()
    (mail,), (published,) = by_key.mails(), daily.revisions("2024-060")
    attached = {
        str(part["Content-ID"]).strip("<>"): part.get_content()
        for part in mail.walk()
        if part.get_content_type() == "image/png"
    }

    assert sorted(re.findall(r'src="cid:([^"]+)"', text_of(mail, "html"))) == sorted(attached)
    assert set(attached) == {content_id(str(published.picture)), content_id("coverage")}
    assert attached[content_id(str(published.picture))] == published.picture.read_bytes()
    assert (
        "TEC of 2024-060 at 15:00 UTC (12:00 in America/Sao_Paulo), drawn from the published"
        in by_key.mail_text
    )
    assert "2024 by day of the year: " in by_key.mail_text


def test_the_note_of_a_run_is_the_subject_of_its_mail(by_key: Run) -> None:
    """So the list of runs says as much as the mails."""
    assert by_key.note == by_key.subject


def test_a_day_given_in_the_field_day_is_backed_up(daily: Daily, by_field: Run) -> None:
    """Not every way to start a run has a key; once the run has started, it carries one."""
    assert by_field.end() == GREEN
    assert by_field.day == "2024-061"
    assert daily.revisions("2024-061")
    assert "SUPIM 2024-061 OK · 1 copied" in by_field.mail["Subject"]


def test_two_runs_of_one_day_at_once_publish_it_once(daily: Daily, twins: list[Run]) -> None:
    """Both succeed: the slower one finds the day already safe."""
    assert [run.end() for run in twins] == [GREEN, GREEN]
    assert [found.name for found in daily.revisions("2024-062")] == ["062"]
    assert sorted("· 1 copied" in run.mail["Subject"] for run in twins) == [False, True]
    assert sorted("· 1 already safe" in run.mail["Subject"] for run in twins) == [False, True]
    assert sorted(len(day_events(run)) for run in twins) == [0, 1]


def test_the_same_day_again_is_already_safe(daily: Daily) -> None:
    """The run succeeds; nothing is copied or written."""
    before = snapshot(daily.institute.vault)
    again = daily.run("2024-060")

    assert again.end() == GREEN
    assert snapshot(daily.institute.vault) == before
    assert again.states()["copy_day"] == "skipped"
    assert "SUPIM 2024-060 OK · 1 already safe" in again.mail["Subject"]


def test_a_day_that_changed_at_the_source_becomes_a_revision_beside_the_first(daily: Daily) -> None:
    """Published revisions never change."""
    (first,) = daily.revisions("2024-061")
    before = contents(first.folder), first.sums.read_bytes(), first.record_file.read_bytes()
    source = daily.write_again("2024-061")
    run = daily.run("2024-061")
    _, second = daily.revisions("2024-061")

    assert run.end() == GREEN
    assert "SUPIM 2024-061 OK · 1 new revision" in run.mail["Subject"]
    assert "changed at the source; the new version was copied and verified as a new revision" in run.mail_text
    assert (contents(first.folder), first.sums.read_bytes(), first.record_file.read_bytes()) == before
    assert second.name == "061.r2"
    assert contents(second.folder) == contents(source) != before[0]
    assert verifies(first.folder)
    assert verifies(second.folder)


def test_a_dry_run_reports_what_it_would_do_and_changes_nothing(daily: Daily) -> None:
    """Neither in the vault nor at the source; the run succeeds."""
    daily.write("2024-063")
    places = (daily.institute.vault, daily.institute.source)
    before = [snapshot(place) for place in places]
    run = daily.run("2024-063", dry_run=True)

    assert run.end() == GREEN
    assert [snapshot(place) for place in places] == before
    assert "SUPIM 2024-063 DRY RUN · 1 would be copied" in run.mail["Subject"]
    assert run.note == run.subject
    assert "This was a dry run: nothing was copied and nothing was changed." in run.mail_text


@pytest.mark.slow
def test_a_finished_day_can_be_cleared_and_run_again(daily: Daily, by_key: Run) -> None:
    """From its copy on over the API, and completely by the command line; the published day doesn't change."""
    before, mails = snapshot(daily.institute.vault / "supim"), len(by_key.mails())
    by_key.clear("copy_day 2024-060")
    assert by_key.end() == GREEN
    cleared = daily.airflow.cli("dags", "clear", DAG, "--run-id", by_key.run_id, "--yes")

    assert cleared.returncode == 0, cleared.stderr
    assert by_key.end() == GREEN
    assert len(by_key.mails()) == mails + 2
    assert snapshot(daily.institute.vault / "supim") == before


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("2026-366", "There is no day 366 in 2026; its days go from 1 to 365."),
        ("2026-0", "'2026-0' is not a day. Write year and day of the year as YYYY-DDD"),
        ("x", "'x' is not a day."),
    ],
)
def test_a_key_that_is_no_day_is_refused_with_an_explanation(daily: Daily, key: str, message: str) -> None:
    """At once, before a run is created."""
    before = len(daily.runs("manual"))
    with pytest.raises(ApiError) as refused:
        daily.start(key)

    assert refused.value.status == 400
    assert message in refused.value.body
    assert len(daily.runs("manual")) == before


@pytest.mark.parametrize(
    ("day", "message"),
    [
        ("2026-366", "There is no day 366 in 2026; its days go from 1 to 365."),
        ("2026-02-29", "There is no 2026-02-29: its month has the days 01 to 28."),
        ("2026-68", "'2026-68' is not a day. Write year and day of the year"),
    ],
)
def test_a_field_day_that_is_no_day_is_refused_with_an_explanation(
    daily: Daily, day: str, message: str
) -> None:
    """As a key is: at once, before a run is created; the schema isn't part of the message."""
    before = len(daily.runs("manual"))
    with pytest.raises(ApiError) as refused:
        daily.start(day=day)

    assert refused.value.status == 400
    assert f"Invalid input for param day: {message}" in refused.value.body
    assert "schema" not in refused.value.body
    assert len(daily.runs("manual")) == before
