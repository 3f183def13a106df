"""What the restores' DAG does for people: days brought back over SSH and here, refused, rehearsed."""

from pathlib import Path

import pytest

from include.ordinal_day import OrdinalDay
from include.standing.facts import RunPart
from tests.dags import GREEN, RED, Daily, Run, contents, snapshot
from tests.dags.facts import told
from tests.dags.restore import DAG, start, target
from tests.include.restore.work import publish_folder
from tests.site.airflow_api import ApiError

pytestmark = pytest.mark.xdist_group("airflow")

DAYS = ["2012-364", "2012-365", "2012-366", "2013-002"]


@pytest.fixture(scope="module")
def restores(daily: Daily) -> Daily:
    """A vault with four days across a leap year's end, of which 2013-001 is lacking."""
    for day in DAYS:
        publish_folder(daily.vault, daily.write(day), OrdinalDay.parse(day))
    daily.airflow.unpause(DAG)
    return daily


@pytest.fixture(scope="module")
def over_ssh(restores: Daily) -> Run:
    """The range restored to the stand-in cluster, into a folder beside its own days."""
    folder = target(restores, "over ssh")
    form = {"day": DAYS[0], "last": DAYS[-1], "connection": "supim_cluster", "folder": str(folder)}
    return start(restores, **form)


@pytest.fixture(scope="module")
def to_worker(restores: Daily) -> Run:
    """Some files of one day, restored to a folder of the worker."""
    folder = target(restores, "to worker")
    return start(restores, day="2012-366", folder=str(folder), pattern="*.ctl*", revision=1)


@pytest.fixture(scope="module")
def rehearsal(restores: Daily) -> Run:
    """A dry run."""
    return start(restores, day="2012-365", folder=str(target(restores, "dry")), dry_run=True)


@pytest.fixture(scope="module")
def nowhere(restores: Daily) -> Run:
    """A run to a host that Airflow has no connection for."""
    return start(restores, day="2012-365", folder="/tmp/nowhere", connection="nowhere_at_all")


@pytest.fixture(scope="module", autouse=True)
def _side_by_side(over_ssh: Run, to_worker: Run, rehearsal: Run, nowhere: Run) -> None:
    """Start them together, because each waits for itself most of the time."""
    for run in (over_ssh, to_worker, rehearsal, nowhere):
        run.end()


def test_a_range_comes_back_over_ssh_and_a_lacking_day_turns_the_run_red(
    restores: Daily, over_ssh: Run
) -> None:
    """The others went on; the mail says which the vault doesn't hold."""
    folder = restores.institute.root / "over ssh"
    assert over_ssh.end() == RED
    for day in DAYS:
        year, _, number = day.partition("-")
        assert contents(folder / year / number) == contents(restores.institute.source / year / number)
    assert not (folder / "2013" / "001").exists()
    assert over_ssh.states()["restore_day 2013-001"] == RED
    assert "RESTORE FAILED · 1 not restored · 4 restored" in over_ssh.mail["Subject"]
    assert "The vault doesn't hold 2013-001" in over_ssh.told
    assert f"To supim_cluster:{folder}: 48 files sent, 0 there already." in over_ssh.told
    [did] = [fact.part for fact in told(over_ssh).values()]
    assert isinstance(did, RunPart)
    assert [one.name for one in did.troubled] == ["2013-001"]


def test_some_files_come_back_to_the_worker(restores: Daily, to_worker: Run) -> None:
    """Those that match, proven; the run is green."""
    day = restores.institute.root / "to worker" / "2012" / "366"
    assert to_worker.end() == GREEN
    assert len(contents(day)) == 24
    assert all(name.startswith("descriptor.ctl.") for name in contents(day))
    assert "RESTORE OK · 1 restored" in to_worker.mail["Subject"]
    assert "SHA-256 of 24 files equal in the vault and at" in to_worker.told


def test_a_dry_run_says_what_would_be_restored_and_writes_nothing(restores: Daily, rehearsal: Run) -> None:
    """And is green."""
    assert rehearsal.end() == GREEN
    assert list((restores.institute.root / "dry").iterdir()) == []
    assert "RESTORE DRY RUN · 1 would be restored" in rehearsal.mail["Subject"]


def test_a_connection_that_there_is_not_is_told_by_mail(nowhere: Run) -> None:
    """By its name, before any day is looked at."""
    assert nowhere.end() == RED
    assert nowhere.states()["plan"] == RED
    assert "The Airflow connection nowhere_at_all: " in nowhere.told


def test_other_files_are_refused_and_overwritten_only_when_that_is_ticked(restores: Daily) -> None:
    """The first mail says which are in the way, the second which were overwritten; the vault stays."""
    folder = target(restores, "occupied")
    day = folder / "2012" / "366"
    day.mkdir(parents=True)
    name = "data.dat.2012.366.0.0h"
    (day / name).write_bytes(b"somebody's")
    before, vault = snapshot(folder), snapshot(restores.institute.vault)

    refused = start(restores, day="2012-366", folder=str(folder))
    assert refused.end() == RED
    assert snapshot(folder) == before
    assert f"has something else under names of 2012-366: '{name}' is another there" in refused.told

    replaced = start(restores, day="2012-366", folder=str(folder), overwrite=True)
    assert replaced.end() == GREEN
    assert contents(day) == contents(restores.institute.source / "2012" / "366")
    assert f"1 other file overwritten there: '{name}'." in replaced.told
    assert "OK, 1 warning" in replaced.mail["Subject"]
    assert snapshot(restores.institute.vault) == vault


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


def test_what_the_form_cant_know_is_told_by_mail_all_at_once(restores: Daily, tmp_path: Path) -> None:
    """A day that isn't in the calendar, and a folder with a way up."""
    run = start(restores, day="2013-366", folder=f"{tmp_path}/../x")
    assert run.end() == RED
    assert run.states()["plan"] == RED
    assert "There is no day 366 in 2013" in run.told
    assert "must be an absolute path without '..'" in run.told
