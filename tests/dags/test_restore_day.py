"""What the restores' DAG does for people: days brought back over SSH and here, refused, rehearsed."""

from pathlib import Path

import pytest

from include.ordinal_day import OrdinalDay
from include.standing.facts import RunPart
from tests.dags import GREEN, RED, Daily, Run, contents
from tests.dags.facts import told
from tests.dags.restore import DAG, start, target
from tests.include.days import proven
from tests.include.restore.work import publish_folder
from tests.site.airflow_api import ApiError

pytestmark = pytest.mark.xdist_group("airflow")

DAYS = ["2012-366", "2013-002"]


@pytest.fixture(scope="module")
def restores(daily: Daily) -> Daily:
    """A vault with two days across a leap year's end; the one between them is lacking."""
    for day in DAYS:
        publish_folder(daily.vault, daily.write(day), OrdinalDay.parse(day))
    daily.airflow.unpause(DAG)
    return daily


@pytest.fixture(scope="module")
def over_ssh(restores: Daily) -> Run:
    """A range restored to the stand-in cluster, where a file of one of the days is another."""
    folder = occupied(restores, "over ssh", "2013-002")
    form = {"day": "2012-366", "last": "2013-002", "connection": "supim_cluster", "folder": str(folder)}
    return start(restores, **form)


@pytest.fixture(scope="module")
def replaced(restores: Daily) -> Run:
    """Some files of one revision, restored to the worker with *overwrite* ticked."""
    form = {"overwrite": True, "pattern": "data.dat*", "revision": 1}
    return start(restores, day="2012-366", folder=str(occupied(restores, "to worker", "2012-366")), **form)


@pytest.fixture(scope="module")
def rehearsal(restores: Daily) -> Run:
    """A dry run."""
    return start(restores, day="2012-366", folder=str(target(restores, "dry")), dry_run=True)


@pytest.fixture(scope="module")
def mistaken(restores: Daily) -> Run:
    """A run with what the form itself can't know to be wrong."""
    return start(restores, day="2013-366", folder=f"{restores.institute.root}/../x")


def taken(day: str) -> str:
    """Give the path of one of a day's files."""
    year, _, number = day.partition("-")
    return f"{year}/{number}/data.dat.{year}.{int(number)}.0.0h"


def occupied(restores: Daily, name: str, day: str) -> Path:
    """Give a folder to restore into, in which somebody's file has the name of one of a day's."""
    folder = target(restores, name)
    (folder / taken(day)).parent.mkdir(parents=True)
    (folder / taken(day)).write_bytes(b"somebody's")
    return folder


@pytest.fixture(scope="module", autouse=True)
def _side_by_side(over_ssh: Run, replaced: Run, rehearsal: Run, mistaken: Run) -> None:
    """Start them together, because each waits for itself most of the time."""
    for run in (over_ssh, replaced, rehearsal, mistaken):
        run.end()


def test_a_day_comes_back_over_ssh_and_others_that_cant_turn_the_run_red(
    restores: Daily, over_ssh: Run
) -> None:
    """One that the vault lacks, and one of which another file is there: nothing of it was written."""
    folder, states = restores.institute.root / "over ssh", over_ssh.states()
    assert over_ssh.end() == RED
    there = contents(folder)
    assert there.pop(taken("2013-002")) == b"somebody's"
    source = contents(restores.institute.source / "2012" / "366")
    assert there == {f"2012/366/{name}": content for name, content in source.items()}
    assert [states[f"restore_day {day}"] for day in ("2013-001", "2013-002")] == [RED, RED]
    assert "RESTORE FAILED · 2 not restored · 1 restored" in over_ssh.mail["Subject"]
    assert f"To supim_cluster:{folder}: 48 files sent, 0 there already." in over_ssh.told
    assert "The vault doesn't hold 2013-001" in over_ssh.told
    name = taken("2013-002").rpartition("/")[2]
    assert f"has something else under names of 2013-002: '{name}' is another there" in over_ssh.told
    [did] = [fact.part for fact in told(over_ssh).values()]
    assert isinstance(did, RunPart)
    assert [one.name for one in did.troubled] == ["2013-001", "2013-002"]


def test_a_dry_run_says_what_would_be_restored_and_writes_nothing(restores: Daily, rehearsal: Run) -> None:
    """And is green."""
    assert rehearsal.end() == GREEN
    assert list((restores.institute.root / "dry").iterdir()) == []
    assert "RESTORE DRY RUN · 1 would be restored" in rehearsal.mail["Subject"]


def test_some_files_come_back_to_the_worker_over_others_only_when_that_is_ticked(
    restores: Daily, replaced: Run
) -> None:
    """Those that match, proven; the mail says which were overwritten."""
    assert replaced.end() == GREEN
    whole = contents(restores.institute.source / "2012" / "366")
    some = {name: content for name, content in whole.items() if name.startswith("data.dat")}
    assert contents(restores.institute.root / "to worker" / "2012" / "366") == some
    assert len(some) == 24
    name = taken("2012-366").rpartition("/")[2]
    assert f"1 other file overwritten there: '{name}'." in replaced.told
    assert "RESTORE OK, 1 warning · 1 restored" in replaced.mail["Subject"]
    assert "SHA-256 of 24 files equal in the vault and at" in replaced.told


def test_the_vault_is_as_it_was(restores: Daily, replaced: Run) -> None:
    """Whatever was asked for."""
    assert replaced.end()
    for day in DAYS:
        [published] = restores.revisions(day)
        assert contents(published.folder) == contents(restores.institute.source / day[:4] / day[5:])
        assert proven(published)
        assert not published.proofs.path.exists()


def test_what_the_form_cant_know_is_told_by_mail_all_at_once(mistaken: Run) -> None:
    """A day that isn't in the calendar, and a folder with a way up."""
    assert mistaken.end() == RED
    assert mistaken.states()["plan"] == RED
    assert "There is no day 366 in 2013" in mistaken.told
    assert "must be an absolute path without '..'" in mistaken.told


NONSENSE = {
    "day": "2012-66",
    "last": "tomorrow",
    "connection": 7,
    "folder": "relative/folder",
    "revision": 0,
    "pattern": "",
    "overwrite": "yes",
}


@pytest.mark.parametrize("field", [*NONSENSE, "no folder", "no day"])
def test_the_form_refuses_nonsense_at_once(restores: Daily, tmp_path: Path, field: str) -> None:
    """Airflow checks it before there is a run, and names the field."""
    form = {"day": "2012-366", "folder": str(tmp_path)}
    key = field.removeprefix("no ")
    if field in NONSENSE:
        form[field] = NONSENSE[field]  # type: ignore[assignment] # that is the point
    else:
        del form[key]
    with pytest.raises(ApiError) as refused:
        start(restores, **form)
    assert refused.value.status in (400, 422)
    assert key in refused.value.body
