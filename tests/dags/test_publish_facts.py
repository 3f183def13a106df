"""What the daily DAG tells Airflow, for the page and for other people's DAGs, and how it's told anew."""

from datetime import UTC, datetime

import pytest

from include.source import State as SourceState
from include.standing.facts import DayFacts, DaysPart, RunPart, SourcePart, VaultPart
from tests.dags import DAG, GREEN, Daily, Run, await_
from tests.dags.facts import days_of, told

pytestmark = pytest.mark.xdist_group("airflow")

FACTS, OTHERS = "publish_facts", "on_supim_days"


@pytest.fixture(scope="module")
def heard(daily: Daily) -> None:
    """Somebody else's DAG listens to days that are secured."""
    daily.airflow.unpause(OTHERS)


@pytest.fixture(scope="module")
def run(daily: Daily, heard: None) -> Run:  # noqa: ARG001 - it must listen before
    """A run of 2021-301, named in the field *day*: it has no partition key."""
    daily.write("2021-301")
    return daily.start(day="2021-301")


@pytest.fixture(scope="module")
def outrun(daily: Daily) -> Run:
    """A run of 2021-302."""
    daily.write("2021-302")
    return daily.start("2021-302")


@pytest.fixture(scope="module", autouse=True)
def _side_by_side(run: Run, outrun: Run) -> None:
    """Start them together, because each waits for itself most of the time."""
    assert (run.end(), outrun.end()) == (GREEN, GREEN)


def test_a_run_tells_how_the_vault_stands_what_it_saw_and_what_it_did(daily: Daily, run: Run) -> None:
    """Of the vault's days those of its own year."""
    facts = told(run)
    assert set(facts) == {"vault", "days/2021", "source", "runs"}
    assert {(one.vault, one.path) for one in facts.values()} == {(daily.vault.id, str(daily.vault.root))}

    whole, days, source, did = (facts[key].part for key in ("vault", "days/2021", "source", "runs"))
    assert isinstance(whole, VaultPart)
    assert 0 < whole.space.free_bytes <= whole.space.total_bytes
    assert isinstance(days, DaysPart)
    [day] = [one for one in days.days if str(one.day) == "2021-301"]
    assert (day.files, day.run, day.damage, day.audited) == (48, run.run_id, None, False)
    assert isinstance(source, SourcePart)
    assert [(str(one.day), one.state) for one in source.days] == [("2021-301", SourceState.COMPLETE)]
    assert isinstance(did, RunPart)
    assert (did.dag, did.run, did.good, did.items, did.troubled) == (DAG, run.run_id, True, 1, ())
    assert did.line.startswith("SUPIM 2021-301 OK · 1 copied")


def test_a_secured_day_is_an_event_of_its_own_partition(run: Run) -> None:
    """Whatever the run's key is, or if it has none."""
    [event] = days_of(run)
    assert event["partition_key"] == "2021-301"
    assert DayFacts.model_validate(event["extra"]).run == run.run_id


def test_a_dag_that_listens_runs_for_the_day(daily: Daily, run: Run) -> None:
    """With the day as its key, and the day's facts at hand."""
    [event] = days_of(run)

    def there() -> Run | None:
        runs = (one for one in daily.airflow.runs(OTHERS) if one["partition_key"] == "2021-301")
        return next((Run(run.airflow, run.institute, one["dag_run_id"], OTHERS) for one in runs), None)

    other = await_(there, f"a run of {OTHERS}")
    assert other.end() == GREEN
    assert daily.airflow.xcom(OTHERS, other.run_id, "heard") == [event["extra"]]


def test_a_day_that_another_run_had_published_is_no_event(daily: Daily, outrun: Run) -> None:
    """Cleared at its end, a run finds another one's newer revision there."""
    daily.write_again("2021-302")
    second = daily.run("2021-302")
    outrun.clear("publish_day 2021-302")

    assert outrun.end() == GREEN
    assert outrun.states()["publish_day 2021-302"] == GREEN
    revisions = [[event["extra"]["revision"] for event in days_of(one)] for one in (outrun, second)]
    assert revisions == [[1], [2]]


def test_facts_come_back_from_the_vault_after_the_database_was_cleaned(daily: Daily, run: Run) -> None:
    """All years, and all in one run."""
    now = datetime.now(UTC).isoformat()
    only = ["--tables", "asset_event", "--clean-before-timestamp", now, "--skip-archive", "--yes"]
    cleaned = daily.airflow.cli("db", "clean", *only)
    assert cleaned.returncode == 0, cleaned.stderr
    assert told(run) == {}

    daily.airflow.unpause(FACTS)
    again = Run(daily.airflow, daily.institute, daily.airflow.trigger(FACTS)["dag_run_id"], FACTS)
    assert again.end() == GREEN
    facts = told(again)
    years = {day.day.year for day in daily.vault.published()}
    assert set(facts) == {"vault", "machines", *(f"days/{year}" for year in years)}
    days = {
        str(one.day) for fact in facts.values() if isinstance(fact.part, DaysPart) for one in fact.part.days
    }
    assert {"2021-301", "2021-302"} <= days
