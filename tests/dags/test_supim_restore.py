"""``supim_restore``: days restored over SSH and on the worker, refused, and dry runs."""

from pathlib import Path

import pytest

from include.ordinal_day import OrdinalDay
from include.status.parts import RunPart
from tests.dags import GREEN, RED, Daily, Run, contents
from tests.dags.day_restores import DAG, start, target
from tests.dags.status_events import published_parts
from tests.include.days.sample_days import verified
from tests.include.restore.day_restores import publish_folder
from tests.site.airflow_api import ApiError

pytestmark = pytest.mark.worker_group("days")

DAYS = ["2012-366", "2013-002"]


@pytest.fixture(scope="module")
def restores(daily: Daily) -> Daily:
    """A vault with two days around the end of a leap year, and a missing day between them."""
    for day in DAYS:
        publish_folder(daily.vault, daily.write(day), OrdinalDay.parse(day))
    daily.airflow.unpause(DAG)
    return daily


@pytest.fixture(scope="module")
def over_ssh(restores: Daily) -> Run:
    """A range restored to the stand-in cluster, where another file has the name of one of a day."""
    folder = occupied(restores, "over ssh", "2013-002")
    form = {"day": "2012-366", "last": "2013-002", "ssh_conn_id": "supim_cluster", "folder": str(folder)}
    return start(restores, **form)


@pytest.fixture(scope="module")
def replaced(restores: Daily) -> Run:
    """Some files of one revision, restored to the worker with *overwrite* on."""
    form = {"overwrite": True, "pattern": "data.dat*", "revision": 1}
    return start(restores, day="2012-366", folder=str(occupied(restores, "to worker", "2012-366")), **form)


@pytest.fixture(scope="module")
def dry_run(restores: Daily) -> Run:
    """A dry run."""
    return start(restores, day="2012-366", folder=str(target(restores, "dry")), dry_run=True)


@pytest.fixture(scope="module")
def mistaken(restores: Daily) -> Run:
    """A run with a mistake that the form can't detect."""
    return start(restores, day="2012-366", last="2012-12-30", folder=f"{restores.institute.root}/x")


def taken(day: str) -> str:
    """Return the path of a file of a day."""
    year, _, number = day.partition("-")
    return f"{year}/{number}/data.dat.{year}.{int(number)}.0.0h"


def occupied(restores: Daily, name: str, day: str) -> Path:
    """Return a folder to restore into, in which another file has the name of one of a day."""
    folder = target(restores, name)
    (folder / taken(day)).parent.mkdir(parents=True)
    (folder / taken(day)).write_bytes(b"another file")
    return folder


@pytest.fixture(scope="module", autouse=True)
def _side_by_side(over_ssh: Run, replaced: Run, dry_run: Run, mistaken: Run) -> None:
    """Start them together: each waits most of the time."""
    for run in (over_ssh, replaced, dry_run, mistaken):
        run.end()


def test_days_that_cant_be_restored_fail_the_run_and_the_others_are_restored(
    restores: Daily, over_ssh: Run
) -> None:
    """One is missing in the vault; of one, another file is in the way, and nothing was written."""
    folder, states = restores.institute.root / "over ssh", over_ssh.states()
    assert over_ssh.end() == RED
    restored = contents(folder)
    assert restored.pop(taken("2013-002")) == b"another file"
    source = contents(restores.institute.source / "2012" / "366")
    assert restored == {f"2012/366/{name}": content for name, content in source.items()}
    assert [states[f"restore_day {day}"] for day in ("2013-001", "2013-002")] == [RED, RED]
    assert "RESTORE FAILED · 2 not restored · 1 restored" in over_ssh.mail["Subject"]
    assert f"To supim_cluster:{folder}: 48 files sent, 0 there already." in over_ssh.mail_text
    assert "The vault doesn't hold 2013-001" in over_ssh.mail_text
    name = taken("2013-002").rpartition("/")[2]
    assert f"has something else under names of 2013-002: '{name}' differs there" in over_ssh.mail_text
    [ran] = [found.part for found in published_parts(over_ssh).values()]
    assert isinstance(ran, RunPart)
    assert [item.name for item in ran.troubled] == ["2013-001", "2013-002"]


def test_a_dry_run_says_what_would_be_restored_and_writes_nothing(restores: Daily, dry_run: Run) -> None:
    """And succeeds."""
    assert dry_run.end() == GREEN
    assert list((restores.institute.root / "dry").iterdir()) == []
    assert "RESTORE DRY RUN · 1 would be restored" in dry_run.mail["Subject"]


def test_matching_files_overwrite_others_only_with_overwrite_on(restores: Daily, replaced: Run) -> None:
    """They are verified, and the mail lists what was overwritten."""
    assert replaced.end() == GREEN
    day = contents(restores.institute.source / "2012" / "366")
    some = {name: content for name, content in day.items() if name.startswith("data.dat")}
    assert contents(restores.institute.root / "to worker" / "2012" / "366") == some
    assert len(some) == 24
    name = taken("2012-366").rpartition("/")[2]
    assert f"1 different file overwritten there: '{name}'." in replaced.mail_text
    assert "RESTORE 2012-366 OK, 1 warning" in replaced.mail["Subject"]
    assert "SHA-256 of 24 files equal in the vault and at" in replaced.mail_text


def test_a_restore_doesnt_change_the_vault(restores: Daily, replaced: Run) -> None:
    """Whatever the form said."""
    assert replaced.end()
    for day in DAYS:
        [published] = restores.revisions(day)
        assert contents(published.folder) == contents(restores.institute.source / day[:4] / day[5:])
        assert verified(published)
        assert not published.verification_log.path.exists()


def test_a_mistake_that_the_form_cant_detect_is_in_the_mail(mistaken: Run) -> None:
    """Each field is right, but the last day is before the first."""
    assert mistaken.end() == RED
    assert mistaken.states()["plan_restore"] == RED
    assert "the last day, 2012-365, is before the first, 2012-366" in mistaken.mail_text


INVALID = {
    "day": "2013-366",
    "last": "tomorrow",
    "ssh_conn_id": 7,
    "folder": "/data/../etc",
    "revision": 0,
    "pattern": "",
    "overwrite": "yes",
}


@pytest.mark.parametrize("field", [*INVALID, "no folder", "no day"])
def test_the_form_refuses_invalid_fields_at_once(restores: Daily, tmp_path: Path, field: str) -> None:
    """Airflow checks them before it creates a run, and names the field."""
    form = {"day": "2012-366", "folder": str(tmp_path)}
    key = field.removeprefix("no ")
    if field in INVALID:
        form[field] = INVALID[field]  # type: ignore[assignment] # on purpose
    else:
        del form[key]
    with pytest.raises(ApiError) as refused:
        start(restores, **form)
    assert refused.value.status in (400, 422)
    assert key in refused.value.body
