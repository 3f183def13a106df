"""The table of generations: what was kept, what is missed, and what nobody expects."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from include.kept_weeks import WEEKS, Calendar, Holdings
from include.machines.generation import Generations
from include.report import WeekState
from include.vault import Vault
from tests.include.machines.machines import lay
from tests.include.test_proofs import found

SUNDAY = date(2026, 11, 22)
AT_NIGHT = datetime(2026, 11, 22, 5, 0, 3, tzinfo=UTC)
SAO_PAULO = ZoneInfo("America/Sao_Paulo")
SIGNS = {"✓": WeekState.KEPT, "○": WeekState.MISSING, "✗": WeekState.FAILED, "-": WeekState.NOTHING}
SIGNS |= {"→": WeekState.WOULD_IMAGE}


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A new vault."""
    return Vault.create(tmp_path / "vault")


def lay_weeks(vault: Vault, *back: int) -> None:
    """Publish a generation so many weeks ago each."""
    for weeks in back:
        lay(vault, instant=AT_NIGHT - timedelta(weeks=weeks))


def row(vault: Vault, now: WeekState = WeekState.FAILED, weekly: int = 8, own: date = SUNDAY) -> str:
    """Give the signs of a machine's weeks."""
    holdings = Holdings.read(vault)
    states = Calendar(own, SAO_PAULO, weekly).row("maq1", holdings.of.get("maq1", ()), now).states
    return "".join(_signs(states))


def _signs(states: Iterable[WeekState]) -> Iterable[str]:
    known = {state: sign for sign, state in SIGNS.items()}
    return (known[state] for state in states)


def test_the_weeks_begin_on_mondays_and_end_with_the_runs_own() -> None:
    """A run on Sunday still belongs to the week that began on Monday; over New Year, too."""
    assert Calendar(SUNDAY, SAO_PAULO, 8).mondays[-1] == date(2026, 11, 16)
    mondays = Calendar(date(2027, 1, 3), SAO_PAULO, 8).mondays
    assert len(mondays) == WEEKS
    assert mondays[-2:] == (date(2026, 12, 21), date(2026, 12, 28))
    assert {monday.weekday() for monday in mondays} == {0}


@pytest.mark.parametrize(
    ("back", "signs"),
    [
        ((), "-------✗"),
        ((0,), "-------✓"),
        ((1,), "------✓✗"),
        ((0, 1, 2, 3, 4, 5, 6, 7, 8, 9), "✓✓✓✓✓✓✓✓"),
        ((0, 3), "----✓○○✓"),
        ((3,), "----✓○○✗"),
        ((0, 30), "○○○○○○○✓"),
        ((30,), "○○○○○○○✗"),
    ],
)
def test_a_week_without_a_generation_is_missed_once_there_was_one(
    vault: Vault, back: tuple[int, ...], signs: str
) -> None:
    """Before the first one there was nothing to miss."""
    lay_weeks(vault, *back)
    assert row(vault) == signs


@pytest.mark.parametrize(
    ("weekly", "signs"), [(8, "○✓○✓○✓○✓"), (3, "-✓-✓○✓○✓"), (1, "-✓-✓-✓-✓"), (0, "-✓-✓-✓-✓")]
)
def test_what_retention_may_have_removed_isnt_missed(vault: Vault, weekly: int, signs: str) -> None:
    """Of the weeks before those that it keeps, some are left by the rules for months and years."""
    lay_weeks(vault, 0, 2, 4, 6, 10)
    assert row(vault, weekly=weekly) == signs


@pytest.mark.parametrize("weekly", [0, 1, 8])
def test_weeks_after_the_newest_generation_are_missed_whatever_is_kept(vault: Vault, weekly: int) -> None:
    """The newest of all is never removed."""
    lay_weeks(vault, 3)
    assert row(vault, weekly=weekly) == "----✓○○✗"


@pytest.mark.parametrize(
    ("now", "signs"),
    [(WeekState.FAILED, "--✓○✓○○✗"), (WeekState.WOULD_IMAGE, "--✓○✓○○→"), (WeekState.NOTHING, "--✓○✓---")],
)
def test_a_machine_that_nobody_asks_for_any_more_isnt_missed(
    vault: Vault, now: WeekState, signs: str
) -> None:
    """Since its last generation; a gap before that was one at the time."""
    lay_weeks(vault, 3, 5)
    assert row(vault, now) == signs


@pytest.mark.parametrize("now", WeekState)
def test_what_is_kept_of_this_week_is_kept_whatever_became_of_this_run(vault: Vault, now: WeekState) -> None:
    """Another run may have imaged the machine on Tuesday."""
    lay_weeks(vault, 0)
    assert row(vault, now) == "-------✓"


def test_a_week_ends_at_the_institutes_midnight(vault: Vault) -> None:
    """At 02:59 in UTC on Monday it's still Sunday there."""
    for minute in (59, 61):
        lay(vault, instant=datetime(2026, 11, 16, 2, tzinfo=UTC) + timedelta(minutes=minute))
    assert row(vault) == "------✓✓"


def test_a_run_over_midnight_images_for_the_week_in_which_it_began(vault: Vault) -> None:
    """Its last machines are imaged on Monday."""
    lay(vault, instant=datetime(2026, 11, 23, 3, 30, tzinfo=UTC))
    assert row(vault) == "-------✓"


def test_a_generation_whose_record_is_damaged_keeps_no_week(vault: Vault) -> None:
    """It's proven to nobody; and yet something is there."""
    lay_weeks(vault, 0, 1, 2)
    damaged = Holdings.read(vault).of["maq1"][1].generation
    damaged.data.chmod(0o700)
    damaged.record_file.chmod(0o600)
    damaged.record_file.write_text("{")
    holdings = Holdings.read(vault)
    assert holdings.damaged == [damaged]
    assert len(holdings.records("maq1")) == 2
    assert row(vault) == "-----✓✗✓"


def test_all_generations_are_counted_however_old(vault: Vault) -> None:
    """The table shows eight weeks, and retention keeps years."""
    lay_weeks(vault, 0, 1, 60)
    held = Holdings.read(vault).of["maq1"]
    assert Calendar(SUNDAY, SAO_PAULO, 8).row("maq1", held, WeekState.FAILED).count == 3


def test_nothing_is_held_of_a_machine_that_the_vault_doesnt_know(vault: Vault) -> None:
    """And asking for it doesn't fail."""
    assert Holdings.read(vault).records("maq1") == []


def test_a_week_whose_only_generation_is_damaged_has_failed(vault: Vault) -> None:
    """By its last audit; a whole one of the same week makes it good."""
    lay_weeks(vault, 0, 1)
    older, _ = Generations(vault).of("maq1")
    older.proofs.append(found(result="failed", how="1 file is missing: 'vda.img'."))
    assert row(vault)[-2:] == "✗✓"
    lay(vault, instant=older.instant - timedelta(days=1))
    assert row(vault)[-2:] == "✓✓"
