"""A day that a scrub found damaged counts as missing: it is copied again, and reported."""

from pathlib import Path

import pytest

from include.days.archive import DayArchive
from include.days.plan import DayAction, DayWindow, days_of_run, decide
from include.days.published import PublishedDay
from include.days.source import SourceDay, SourceState
from include.ordinal_day import window
from include.results.states import Coverage, Outcome
from include.vault.vault import Vault
from tests.include.days.day_tasks import Rehearsal
from tests.include.days.sample_days import DAY, lay
from tests.include.report.daily_runs import NOW, plan, reported
from tests.include.scrub.sample_backups import CONTENTS, day
from tests.include.vault.test_verification_log import found

DAMAGED = found(result="failed", how="1 file is missing: 'a'.")
DAMAGE = "A scrub found it damaged: 1 file is missing: 'a'."


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A new vault."""
    return Vault.create(tmp_path / "vault")


def damaged(published: PublishedDay) -> PublishedDay:
    """Record that a scrub found it damaged."""
    published.verification_log.append(DAMAGED)
    return published


def test_a_damaged_revision_has_no_fingerprint(vault: Vault) -> None:
    """Until a scrub finds it intact."""
    published = lay(vault)
    assert (published.fingerprint, published.damage) == ("ab", None)
    damaged(published)
    assert (published.fingerprint, published.damage) == ("", DAMAGE)
    published.verification_log.append(found())
    assert (published.fingerprint, published.damage) == ("ab", None)


def test_a_day_whose_newest_revision_is_damaged_counts_as_missing(vault: Vault) -> None:
    """One of which only an older revision is damaged doesn't."""
    damaged(lay(vault, DAY - 10))
    damaged(lay(vault, DAY - 11))
    lay(vault, DAY - 11, 2)
    lay(vault, DAY - 12).record_file.write_text("{")
    lay(vault, DAY - 13)
    undamaged = DayArchive(vault).undamaged(window(DAY, 30))
    assert undamaged == {DAY - 11, DAY - 13}
    missing = days_of_run(DAY, scheduled=True, lookback_days=13, published=undamaged).missing
    assert {DAY - 10, DAY - 12} == {*missing} & {DAY - back for back in (10, 11, 12, 13)}


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("fingerprint", ["", "old", None])
def test_a_damaged_day_is_copied_again_if_the_source_has_it(fingerprint: str | None, *, own: bool) -> None:
    """The reason names the damage; if the source lacks the day, it says that as well."""
    run = DayWindow(own=DAY if own else DAY + 1, responsible_for=(DAY,))
    published = {DAY: fingerprint} if fingerprint is not None else {}
    complete = SourceDay(day=DAY, state=SourceState.COMPLETE, fingerprint="old")
    (decided,) = decide(run, {DAY: complete}, published, {DAY: DAMAGE})
    assert (decided.action, decided.reason) == (
        DayAction.REVISE,
        f"The copy in the vault is damaged. {DAMAGE}",
    )
    gone = SourceDay(day=DAY, state=SourceState.MISSING, reason="It has no folder.")
    (decided,) = decide(run, {DAY: gone}, published, {DAY: DAMAGE})
    assert decided.action is (DayAction.WAIT if own else DayAction.GIVE_UP)
    assert decided.reason == f"The copy in the vault is damaged. {DAMAGE} It has no folder."


def test_the_daily_report_shows_a_damaged_day_as_failed(vault: Vault) -> None:
    """In the calendar, and as work for a person, until an intact revision replaces it."""
    damaged(lay(vault, DAY - 5))
    damaged(lay(vault, DAY - 6))
    lay(vault, DAY - 6, 2, verifications=[{"when": NOW, "how": "It was read.", "seconds": 1}])
    report = reported(vault, plan(DayAction.NOTHING))
    states = {cell.day: cell.state for cell in report.coverage}
    assert (states[DAY - 5], states[DAY - 6]) == (Coverage.FAILED, Coverage.REVISED)
    repair = "The next run that finds the day at the source copies it again."
    assert report.needs_action == (f"{DAY - 5}: {DAMAGE} {repair}",)


def test_a_run_whose_own_copy_was_found_damaged_fails(vault: Vault) -> None:
    """A scrub read it before the run's report."""
    damaged(lay(vault, run="this run"))
    (item,) = reported(vault, plan(DayAction.REVISE)).items
    assert item.outcome is Outcome.FAILED


def test_the_revision_after_a_damaged_one_shares_no_file_with_it(vault: Vault) -> None:
    """Not even an intact file: it may decay next. The one after an intact revision shares equal files."""
    first = day(vault)
    second = day(vault, CONTENTS, revision=2)
    assert (first.folder / "a").samefile(second.folder / "a")
    damaged(second)
    third = day(vault, CONTENTS, revision=3)
    assert not any((second.folder / name).samefile(third.folder / name) for name in CONTENTS)


def test_a_damaged_day_is_backed_up_again_as_a_revision(rehearsal: Rehearsal) -> None:
    """From the source, over real SSH; then the day is safe, and isn't copied once more."""
    rehearsal.write_day()
    rehearsal.do()
    damaged(rehearsal.published()[-1])
    rehearsal.but(run="the next run").do()
    assert rehearsal.published_names() == ["268", "268.r2"]
    assert rehearsal.is_published()
    rehearsal.but(run="the run after it").do()
    assert rehearsal.published_names() == ["268", "268.r2"]
