"""The table of generations: which weeks have one, and which should have one."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from include.report.generation_weeks import WEEKS, Holdings, WeekTable
from include.results.states import WeekState
from include.vault.vault import Vault
from include.vms.archive import VmArchive
from tests.include.vault.test_verification_log import found
from tests.include.vms.sample_vms import lay

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
    """Publish a generation for each number of weeks ago."""
    for weeks in back:
        lay(vault, instant=AT_NIGHT - timedelta(weeks=weeks))


def row(vault: Vault, now: WeekState = WeekState.FAILED, weekly: int = 8, own: date = SUNDAY) -> str:
    """Return the signs of a VM's weeks."""
    holdings = Holdings.read(vault)
    states = WeekTable(own, SAO_PAULO, weekly).row("maq1", holdings.of.get("maq1", ()), now).states
    return "".join(_signs(states))


def _signs(states: Iterable[WeekState]) -> Iterable[str]:
    known = {state: sign for sign, state in SIGNS.items()}
    return (known[state] for state in states)


def test_the_weeks_begin_on_mondays_and_end_with_the_runs_own() -> None:
    """A run on Sunday belongs to the week that began on Monday; also over New Year."""
    assert WeekTable(SUNDAY, SAO_PAULO, 8).mondays[-1] == date(2026, 11, 16)
    mondays = WeekTable(date(2027, 1, 3), SAO_PAULO, 8).mondays
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
def test_a_week_without_a_generation_is_missing_if_an_earlier_week_has_one(
    vault: Vault, back: tuple[int, ...], signs: str
) -> None:
    """Before the first generation none is expected."""
    lay_weeks(vault, *back)
    assert row(vault) == signs


@pytest.mark.parametrize(
    ("weekly", "signs"), [(8, "○✓○✓○✓○✓"), (3, "-✓-✓○✓○✓"), (1, "-✓-✓-✓-✓"), (0, "-✓-✓-✓-✓")]
)
def test_a_week_that_retention_may_have_removed_isnt_missing(vault: Vault, weekly: int, signs: str) -> None:
    """Of older weeks, retention keeps some by its rules for months and years."""
    lay_weeks(vault, 0, 2, 4, 6, 10)
    assert row(vault, weekly=weekly) == signs


@pytest.mark.parametrize("weekly", [0, 1, 8])
def test_weeks_after_the_newest_generation_are_missing_whatever_retention_keeps(
    vault: Vault, weekly: int
) -> None:
    """It never removes the newest generation."""
    lay_weeks(vault, 3)
    assert row(vault, weekly=weekly) == "----✓○○✗"


@pytest.mark.parametrize(
    ("now", "signs"),
    [(WeekState.FAILED, "--✓○✓○○✗"), (WeekState.WOULD_IMAGE, "--✓○✓○○→"), (WeekState.NOTHING, "--✓○✓---")],
)
def test_a_vm_that_isnt_backed_up_any_more_isnt_missing(vault: Vault, now: WeekState, signs: str) -> None:
    """After its last generation; a gap before that is still a gap."""
    lay_weeks(vault, 3, 5)
    assert row(vault, now) == signs


@pytest.mark.parametrize("now", WeekState)
def test_a_generation_of_this_week_counts_whatever_the_run_did(vault: Vault, now: WeekState) -> None:
    """Another run may have imaged the VM on Tuesday."""
    lay_weeks(vault, 0)
    assert row(vault, now) == "-------✓"


def test_a_week_ends_at_the_institutes_midnight(vault: Vault) -> None:
    """At 02:59 UTC on Monday it's still Sunday there."""
    for minute in (59, 61):
        lay(vault, instant=datetime(2026, 11, 16, 2, tzinfo=UTC) + timedelta(minutes=minute))
    assert row(vault) == "------✓✓"


def test_images_of_a_run_past_midnight_belong_to_the_week_in_which_it_began(vault: Vault) -> None:
    """Its last VMs are imaged on Monday."""
    lay(vault, instant=datetime(2026, 11, 23, 3, 30, tzinfo=UTC))
    assert row(vault) == "-------✓"


def test_a_week_whose_record_is_damaged_has_failed(vault: Vault) -> None:
    """The generation doesn't count as verified."""
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
    """The table shows eight weeks, but retention keeps years."""
    lay_weeks(vault, 0, 1, 60)
    held = Holdings.read(vault).of["maq1"]
    assert WeekTable(SUNDAY, SAO_PAULO, 8).row("maq1", held, WeekState.FAILED).count == 3


def test_an_unknown_vm_has_no_records(vault: Vault) -> None:
    """It isn't an error."""
    assert Holdings.read(vault).records("maq1") == []


def test_a_week_whose_only_generation_is_damaged_has_failed(vault: Vault) -> None:
    """By its last scrub; an intact generation of the same week makes it good."""
    lay_weeks(vault, 0, 1)
    older, _ = VmArchive(vault).of("maq1")
    older.verification_log.append(found(result="failed", how="1 file is missing: 'vda.img'."))
    assert row(vault)[-2:] == "✗✓"
    lay(vault, instant=older.instant - timedelta(days=1))
    assert row(vault)[-2:] == "✓✓"
