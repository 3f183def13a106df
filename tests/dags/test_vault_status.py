"""The asset events of ``supim_daily``, for the status page and other DAGs; and ``vault_status``."""

import json
from datetime import UTC, datetime

import pytest

from include.days.archive import DayArchive
from include.days.source import SourceState
from include.status.parts import (
    DaysPart,
    DayStatus,
    GenerationStatus,
    RunPart,
    SourcePart,
    VaultPart,
    VmsPart,
)
from inpe_backup.choices import DAYS, VARIABLE
from tests.dags import DAG, GREEN, Daily, Run, wait_for
from tests.dags.status_events import day_events, published_parts
from tests.include.vms.sample_vms import lay
from tests.site.airflow_home import USER

pytestmark = pytest.mark.worker_group("days")

STATUS, PROTECT, OTHERS = "vault_status", "vm_protect", "on_supim_days"


@pytest.fixture(scope="module")
def listening(daily: Daily) -> None:
    """Another team's DAG listens to ``supim_days``."""
    daily.airflow.unpause(OTHERS)


@pytest.fixture(scope="module")
def run(daily: Daily, listening: None) -> Run:  # noqa: ARG001 - it must listen first
    """A run of 2021-301 by the field *day*, without a partition key."""
    daily.write("2021-301")
    started = daily.start(day="2021-301")
    assert started.end() == GREEN
    return started


@pytest.fixture(scope="module")
def older(daily: Daily) -> Run:
    """A run of 2021-302."""
    daily.write("2021-302")
    started = daily.start("2021-302")
    assert started.end() == GREEN
    return started


def test_a_run_publishes_the_vault_its_days_the_source_and_its_result(daily: Daily, run: Run) -> None:
    """Of the vault's days only those of its own year."""
    parts = published_parts(run)
    assert set(parts) == {"vault", "days/2021", "source", "runs"}
    assert {(part.vault, part.path) for part in parts.values()} == {(daily.vault.id, str(daily.vault.root))}

    vault, days, source, ran = (parts[key].part for key in ("vault", "days/2021", "source", "runs"))
    assert isinstance(vault, VaultPart)
    assert 0 < vault.space.free_bytes <= vault.space.total_bytes
    assert isinstance(days, DaysPart)
    [day] = [day for day in days.days if str(day.day) == "2021-301"]
    assert (day.files, day.run, day.damage, day.scrubbed) == (48, run.run_id, None, False)
    assert isinstance(source, SourcePart)
    assert [(str(day.day), day.state) for day in source.days] == [("2021-301", SourceState.COMPLETE)]
    assert isinstance(ran, RunPart)
    assert (ran.dag, ran.run, ran.good, ran.items, ran.troubled) == (DAG, run.run_id, True, 1, ())
    assert ran.line.startswith("SUPIM 2021-301 OK · 1 copied")


def test_forms_suggest_a_backed_up_day(daily: Daily, run: Run) -> None:
    """From Airflow's Variable, which has the ranges of each year."""
    ranges = json.loads(daily.airflow.api("GET", f"/variables/{DAYS}")["value"])["2021"]
    assert any(first <= 301 <= last for first, last in ranges), run.run_id


def test_a_backed_up_day_is_an_event_of_its_own_partition(run: Run) -> None:
    """Whatever the run's own key is."""
    [event] = day_events(run)
    assert event["partition_key"] == "2021-301"
    assert DayStatus.model_validate(event["extra"]).run == run.run_id


@pytest.mark.slow
def test_a_dag_that_listens_runs_for_the_day(daily: Daily, run: Run) -> None:
    """With the day as its key, and the event's extra."""
    [event] = day_events(run)

    def triggered() -> Run | None:
        runs = (one for one in daily.airflow.runs(OTHERS) if one["partition_key"] == "2021-301")
        return next((Run(run.airflow, run.institute, one["dag_run_id"], OTHERS) for one in runs), None)

    other = wait_for(triggered, f"a run of {OTHERS}")
    assert other.end() == GREEN
    assert daily.airflow.xcom(OTHERS, other.run_id, "read_events") == [event["extra"]]


@pytest.mark.slow
def test_a_revision_that_another_run_published_is_no_event(daily: Daily, older: Run) -> None:
    """A cleared ``publish_day`` finds a newer revision of another run."""
    daily.write_again("2021-302")
    second = daily.run("2021-302")
    older.clear("publish_day 2021-302")

    assert older.end() == GREEN
    assert older.states()["publish_day 2021-302"] == GREEN
    revisions = [[event["extra"]["revision"] for event in day_events(one)] for one in (older, second)]
    assert revisions == [[1], [2]]


@pytest.mark.slow
@pytest.mark.usefixtures("older")
def test_vault_status_restores_the_status_after_the_database_was_cleaned(daily: Daily, run: Run) -> None:
    """All years in one run."""
    now = datetime.now(UTC).isoformat()
    only = ["--tables", "asset_event", "--clean-before-timestamp", now, "--skip-archive", "--yes"]
    cleaned = daily.airflow.cli("db", "clean", *only)
    assert cleaned.returncode == 0, cleaned.stderr
    assert published_parts(run) == {}

    daily.airflow.unpause(STATUS)
    again = Run(daily.airflow, daily.institute, daily.airflow.trigger(STATUS)["dag_run_id"], STATUS)
    assert again.end() == GREEN
    parts = published_parts(again)
    years = {day.day.year for day in DayArchive(daily.vault).published()}
    assert set(parts) == {"vault", "vms", *(f"days/{year}" for year in years)}
    days = {
        str(day.day)
        for found in parts.values()
        if isinstance(found.part, DaysPart)
        for day in found.part.days
    }
    assert {"2021-301", "2021-302"} <= days


@pytest.mark.slow
def test_vm_protect_protects_an_image_in_the_users_name_and_lifts_that(daily: Daily) -> None:
    """The status has it, and forms suggest the image."""
    image = lay(daily.vault)
    daily.airflow.unpause(PROTECT)

    def protect(**form: object) -> GenerationStatus:
        conf = {"vm": "maq1", "generation": f"maq1/{image.name}", **form}
        run_id = daily.airflow.trigger(PROTECT, conf=conf)["dag_run_id"]
        run = Run(daily.airflow, daily.institute, run_id, PROTECT)
        assert run.end() == GREEN
        assert str(run.note).startswith(f"maq1 {image.name} is")
        part = published_parts(run)["vms"].part
        assert isinstance(part, VmsPart)
        return part.vms[0].generations[0]

    found = protect(why="before the upgrade").protection
    assert found
    assert (found, found.who, found.why) == (image.protection, USER, "before the upgrade")
    assert (protect(lift=True).protection, image.protection) == (None, None)
    suggested = daily.airflow.api("GET", f"/variables/{VARIABLE}")["value"]
    assert json.loads(suggested) == {"maq1": [image.name]}
