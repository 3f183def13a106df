"""What was published, folded into a view of each vault."""

from datetime import UTC, datetime, timedelta

from include.ordinal_day import OrdinalDay
from include.report import Kind, Outcome, State
from include.source import State as SourceState
from include.standing.facts import DaysPart, MachinesPart, Part, RunPart, SeenDay, SourcePart, TroubledItem
from include.standing.view import VaultView, fold
from tests.published import NOW, day, machine, rules, run, said

DAY = OrdinalDay(2026, 268)
HOUR = timedelta(hours=1)


def source(state: SourceState) -> SourcePart:
    """Say what the source held of the day."""
    return SourcePart(days=(SeenDay(day=DAY, state=state, reason=""),))


def days(*held: int) -> DaysPart:
    """Say which days of 2026 the vault holds."""
    return DaysPart(year=2026, days=tuple(day(OrdinalDay(2026, number), NOW) for number in held))


def failed(outcome: Outcome = Outcome.FAILED, finished: datetime = NOW, **more: object) -> RunPart:
    """Give a daily run that didn't get the day."""
    trouble = TroubledItem(name=str(DAY), state=State.FAILED, outcome=outcome, reason="The disk was full.")
    return run("supim_daily", Kind.DAYS, "FAILED", finished, good=False, troubled=(trouble,), **more)


def view(*parts: Part) -> VaultView:
    """Fold parts that were published one hour after the other."""
    everything: tuple[Part, ...] = (rules(), *parts)
    told = [said(part, NOW - HOUR * (len(parts) - number)) for number, part in enumerate(everything)]
    [found] = fold(told)
    return found


def test_nothing_published_gives_no_view() -> None:
    """The page then says so."""
    assert fold([]) == ()


def test_a_vault_without_its_own_part_is_not_told() -> None:
    """Its rules aren't known, so nothing of it could be judged."""
    assert fold([said(days(268), NOW)]) == ()


def test_of_a_year_the_newest_word_counts_whole() -> None:
    """A day that is gone from the vault is gone from the view."""
    assert [each.number for each in view(days(267, 268), days(268)).days] == [268]


def test_what_was_read_later_counts_whenever_it_was_published() -> None:
    """A task that is slow tells last of what it read first: of days, the source, machines, and the vault."""
    early: list[Part] = [rules(1), days(267), source(SourceState.COMPLETE), machine("maq1", NOW, weeks=3)]
    late: list[Part] = [rules(2), days(268), source(SourceState.MISSING), machine("maq1", NOW, weeks=4)]
    told = [said(part, NOW, path="/now") for part in late]
    [found] = fold([*told, *(said(part, NOW - HOUR, path="/before") for part in early)])
    assert (found.taken, found.path, found.rules.space.used_bytes) == (NOW, "/now", 2)
    assert [space.used_bytes for _, space in found.room] == [2]
    assert [each.number for each in found.days] == [268]
    assert found.seen[DAY].state is SourceState.MISSING
    assert len(found.machines["maq1"].generations) == 4


def test_of_a_day_at_the_source_the_latest_look_counts() -> None:
    """And it says when that was."""
    seen = view(source(SourceState.COMPLETE), source(SourceState.MISSING)).seen[DAY]
    assert (seen.state, seen.when) == (SourceState.MISSING, NOW)


def test_the_view_is_as_old_as_the_newest_fact() -> None:
    """It's stale when a daily run must have come since."""
    found = view(days(268))
    assert found.taken == NOW
    assert not found.stale(NOW + timedelta(hours=30))
    assert found.stale(NOW + timedelta(hours=40))


def test_a_clock_that_runs_behind_makes_no_negative_age() -> None:
    """The web server's clock isn't the worker's."""
    assert view(days(268)).age(NOW - HOUR) == timedelta()


def test_vaults_are_kept_apart() -> None:
    """Each with its own days, in the order of their folders."""
    events = [said(rules(), NOW, vault="b", path="/b"), said(rules(), NOW, vault="a", path="/a")]
    events.append(said(days(268), NOW, vault="b", path="/b"))
    assert [(each.path, len(each.days)) for each in fold(events)] == [("/a", 0), ("/b", 1)]


def test_a_machine_is_told_once_by_its_newest_word() -> None:
    """And whether its screen was kept, which is read elsewhere."""
    parts: list[Part] = [rules(), machine("maq1", NOW, weeks=3), machine("maq1", NOW, weeks=4)]
    [found] = fold(
        [said(part, NOW) for part in parts], [("other", "maq2"), (said(rules(), NOW).vault, "maq1")]
    )
    assert len(found.machines["maq1"].generations) == 4
    assert found.screens == {"maq1"}


def test_runs_come_newest_first_and_once_each() -> None:
    """A run that was cleared tells again; its last word counts."""
    first = run("vm_weekly", Kind.MACHINES, "first word", NOW)
    again = first.model_copy(update={"line": "second word"})
    other = run("supim_daily", Kind.DAYS, "newer", NOW + HOUR)
    assert [each.line for each in view(first, other, again).runs] == ["newer", "second word"]


def test_a_day_that_the_last_run_failed_to_copy_is_a_failure() -> None:
    """With the run's reason."""
    assert view(failed()).failures[DAY].reason == "The disk was full."


def test_a_dry_run_is_no_failure() -> None:
    """It copies nothing by intent."""
    assert not view(failed(dry_run=True)).failures


def test_a_day_that_is_missing_at_the_source_is_no_failure_of_ours() -> None:
    """The look at the source tells of it."""
    assert not view(failed(), failed(Outcome.MISSING, NOW + HOUR)).failures


def test_the_room_is_kept_by_day() -> None:
    """The last measurement of each."""
    told = [said(rules(used), datetime(2026, 11, 20, hour, tzinfo=UTC)) for used, hour in ((1, 8), (2, 9))]
    told.append(said(rules(3), datetime(2026, 11, 21, 8, tzinfo=UTC)))
    [found] = fold(told)
    assert [space.used_bytes for _, space in found.room] == [2, 3]


def test_the_machines_of_a_vault_are_those_that_it_held_last() -> None:
    """All of them in one part: what isn't among them any more is gone."""
    before = MachinesPart(machines=(machine("old", NOW), machine("maq1", NOW)))
    now = MachinesPart(machines=(machine("maq2", NOW), machine("maq1", NOW)))
    assert list(view(before, now).machines) == ["maq1", "maq2"]
