"""A day that an audit found damaged is none: it is fetched again, and said to be."""

from pathlib import Path

import pytest

from include.ordinal_day import window
from include.plan import Action, Window, days_of_run, decide
from include.report import Coverage, Outcome
from include.source import Look, State
from include.vault import PublishedDay, Vault
from tests.include.audit.kept import CONTENTS, day
from tests.include.days import DAY, lay
from tests.include.rehearsal import Rehearsal
from tests.include.runs import reported, verdict
from tests.include.test_proofs import found

DAMAGED = found(result="failed", how="1 file is missing: 'a'.")
TOLD = "An audit found it damaged: 1 file is missing: 'a'."


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A new vault."""
    return Vault.create(tmp_path / "vault")


def damaged(published: PublishedDay) -> PublishedDay:
    """Have an audit find it damaged."""
    published.proofs.append(DAMAGED)
    return published


def test_a_damaged_revision_is_like_nothing_at_the_source(vault: Vault) -> None:
    """Until an audit finds it whole."""
    published = lay(vault)
    assert (published.fingerprint, published.damage) == ("ab", None)
    damaged(published)
    assert (published.fingerprint, published.damage) == ("", TOLD)
    published.proofs.append(found())
    assert (published.fingerprint, published.damage) == ("ab", None)


def test_a_day_whose_newest_revision_is_damaged_is_a_gap(vault: Vault) -> None:
    """And one whose older one is, isn't."""
    damaged(lay(vault, DAY - 10))
    damaged(lay(vault, DAY - 11))
    lay(vault, DAY - 11, 2)
    lay(vault, DAY - 12).record_file.write_text("{")
    lay(vault, DAY - 13)
    sound = vault.sound(window(DAY, 30))
    assert sound == {DAY - 11, DAY - 13}
    gaps = days_of_run(DAY, scheduled=True, look_back=13, published=sound).gaps
    assert {DAY - 10, DAY - 12} == {*gaps} & {DAY - back for back in (10, 11, 12, 13)}


@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("fingerprint", ["", "old", None])
def test_a_damaged_day_is_had_again_where_the_source_has_it(fingerprint: str | None, *, own: bool) -> None:
    """The reason says that an audit found it damaged; where the source lacks it, that as well."""
    run = Window(own=DAY if own else DAY + 1, answers_for=(DAY,))
    published = {DAY: fingerprint} if fingerprint is not None else {}
    whole = Look(day=DAY, state=State.COMPLETE, fingerprint="old")
    (decided,) = decide(run, {DAY: whole}, published, {DAY: TOLD})
    assert (decided.action, decided.reason) == (Action.REVISE, f"The copy in the vault isn't whole. {TOLD}")
    gone = Look(day=DAY, state=State.MISSING, reason="It has no folder.")
    (decided,) = decide(run, {DAY: gone}, published, {DAY: TOLD})
    assert decided.action is (Action.WAIT if own else Action.GIVE_UP)
    assert decided.reason == f"The copy in the vault isn't whole. {TOLD} It has no folder."


def test_the_daily_report_shows_it_as_not_safe(vault: Vault) -> None:
    """In the calendar, and as something for a person; a whole revision makes it good."""
    damaged(lay(vault, DAY - 5))
    damaged(lay(vault, DAY - 6))
    lay(vault, DAY - 6, 2)
    report = reported(vault, verdict(Action.NOTHING))
    states = {cell.day: cell.state for cell in report.coverage}
    assert (states[DAY - 5], states[DAY - 6]) == (Coverage.FAILED, Coverage.REVISED)
    told = "The next run that sees the day at the source secures it again."
    assert report.needs_person == (f"{DAY - 5}: {TOLD} {told}",)


def test_a_damaged_copy_that_this_run_made_is_no_success(vault: Vault) -> None:
    """Its task was killed after publishing, and an audit came between."""
    damaged(lay(vault, run="this run"))
    (item,) = reported(vault, verdict(Action.REVISE)).items
    assert item.outcome is Outcome.FAILED


def test_a_damaged_days_successor_shares_nothing_with_it(vault: Vault) -> None:
    """Not even what is still whole: it may decay next. That of a whole one shares what is the same."""
    first = day(vault)
    second = day(vault, CONTENTS, revision=2)
    assert (first.folder / "a").samefile(second.folder / "a")
    damaged(second)
    third = day(vault, CONTENTS, revision=3)
    assert not any((second.folder / name).samefile(third.folder / name) for name in CONTENTS)


def test_the_daily_backup_has_a_damaged_day_again_as_a_revision(rehearsal: Rehearsal) -> None:
    """From the source as it was, over real SSH; after that it is safe, and isn't copied once more."""
    rehearsal.write_day()
    rehearsal.do()
    damaged(rehearsal.published()[-1])
    rehearsal.but(run="the next run").do()
    assert rehearsal.published_names() == ["268", "268.r2"]
    assert rehearsal.is_published()
    rehearsal.but(run="the run after it").do()
    assert rehearsal.published_names() == ["268", "268.r2"]
