"""Published parts, folded into a view of each vault."""

from datetime import UTC, datetime, timedelta

from include.days.source import SourceState
from include.ordinal_day import OrdinalDay
from include.results.states import Kind, Outcome, State
from include.status.parts import DayAtSource, DaysPart, Part, RunPart, SourcePart, TroubledItem, VmsPart
from include.status.view import VaultView, fold
from tests.sample_status import NOW, day, published, rules, run, vm

DAY = OrdinalDay(2026, 268)
HOUR = timedelta(hours=1)


def source(state: SourceState) -> SourcePart:
    """Return a survey of the day."""
    return SourcePart(days=(DayAtSource(day=DAY, state=state, reason=""),))


def days(*numbers: int) -> DaysPart:
    """Return some days of 2026 in the vault."""
    return DaysPart(year=2026, days=tuple(day(OrdinalDay(2026, number), NOW) for number in numbers))


def failed(outcome: Outcome = Outcome.FAILED, finished: datetime = NOW, **more: object) -> RunPart:
    """Return a daily run that didn't back up the day."""
    item = TroubledItem(name=str(DAY), state=State.FAILED, outcome=outcome, reason="The disk was full.")
    return run("supim_daily", Kind.DAYS, "FAILED", finished, good=False, troubled=(item,), **more)


def view(*parts: Part) -> VaultView:
    """Return a view of parts that were published an hour apart."""
    everything: tuple[Part, ...] = (rules(), *parts)
    events = [published(part, NOW - HOUR * (len(parts) - number)) for number, part in enumerate(everything)]
    [found] = fold(events)
    return found


def test_without_events_there_is_no_view() -> None:
    """The page then explains what to do."""
    assert fold([]) == ()


def test_a_vault_without_its_own_part_is_left_out() -> None:
    """Without its rules no state can be decided."""
    assert fold([published(days(268), NOW)]) == ()


def test_the_newest_part_replaces_a_whole_year() -> None:
    """A day that was removed from the vault is removed from the view."""
    assert [each.number for each in view(days(267, 268), days(268)).days] == [268]


def test_the_part_that_was_read_last_counts_whenever_it_was_published() -> None:
    """A slow task may publish last what it read first: days, surveys, VMs, and the vault itself."""
    early: list[Part] = [rules(1), days(267), source(SourceState.COMPLETE), vm("maq1", NOW, weeks=3)]
    late: list[Part] = [rules(2), days(268), source(SourceState.MISSING), vm("maq1", NOW, weeks=4)]
    events = [published(part, NOW, path="/now") for part in late]
    [found] = fold([*events, *(published(part, NOW - HOUR, path="/before") for part in early)])
    assert (found.taken, found.path, found.rules.space.used_bytes) == (NOW, "/now", 2)
    assert [space.used_bytes for _, space in found.space_history] == [2]
    assert [each.number for each in found.days] == [268]
    assert found.surveyed[DAY].state is SourceState.MISSING
    assert len(found.vms["maq1"].generations) == 4


def test_the_last_survey_of_a_day_counts() -> None:
    """With its time."""
    survey = view(source(SourceState.COMPLETE), source(SourceState.MISSING)).surveyed[DAY]
    assert (survey.state, survey.when) == (SourceState.MISSING, NOW)


def test_a_part_read_in_the_future_hides_none_that_was_read_later() -> None:
    """A worker's clock was ahead; its parts only count where there are no others, and never as current."""
    ahead = NOW + timedelta(days=4000)
    wrong: list[Part] = [rules(9), days(267), run("supim_daily", Kind.DAYS, "OK", ahead)]
    right: list[Part] = [rules(1), days(268), run("supim_daily", Kind.DAYS, "FAILED", NOW, good=False)]
    future = [published(part, ahead) for part in wrong]
    [found] = fold([*future, *(published(part, NOW) for part in right)], now=NOW)
    assert (found.taken, found.rules.space.used_bytes) == (NOW, 1)
    assert [each.number for each in found.days] == [268]
    assert found.runs[0].line == "FAILED"
    assert [space.used_bytes for _, space in found.space_history] == [1]
    [only] = fold(future, now=NOW)
    assert only.stale(NOW)


def test_a_view_is_as_old_as_its_newest_part() -> None:
    """It is stale if a daily run should have published since."""
    found = view(days(268))
    assert found.taken == NOW
    assert not found.stale(NOW + timedelta(hours=30))
    assert found.stale(NOW + timedelta(hours=40))


def test_an_age_is_never_negative_if_clocks_differ() -> None:
    """The web server's clock isn't the worker's."""
    assert view(days(268)).age(NOW - HOUR) == timedelta()


def test_vaults_are_kept_apart() -> None:
    """Each with its own days, in the order of their folders."""
    events = [published(rules(), NOW, vault="b", path="/b"), published(rules(), NOW, vault="a", path="/a")]
    events.append(published(days(268), NOW, vault="b", path="/b"))
    assert [(each.path, len(each.days)) for each in fold(events)] == [("/a", 0), ("/b", 1)]


def test_the_newest_part_of_a_vm_counts() -> None:
    """The view also has which VMs have a screenshot."""
    parts: list[Part] = [rules(), vm("maq1", NOW, weeks=3), vm("maq1", NOW, weeks=4)]
    [found] = fold(
        [published(part, NOW) for part in parts], [("other", "maq2"), (published(rules(), NOW).vault, "maq1")]
    )
    assert len(found.vms["maq1"].generations) == 4
    assert found.screens == {"maq1"}


def test_each_run_is_listed_once_newest_first() -> None:
    """A run that was cleared publishes again; its last event counts."""
    first = run("vm_weekly", Kind.VMS, "first event", NOW)
    again = first.model_copy(update={"line": "second event"})
    other = run("supim_daily", Kind.DAYS, "newer", NOW + HOUR)
    assert [each.line for each in view(first, other, again).runs] == ["newer", "second event"]


def test_a_day_that_the_last_run_failed_to_copy_is_a_failure() -> None:
    """With the run's reason."""
    assert view(failed()).failures[DAY].reason == "The disk was full."


def test_a_dry_run_is_no_failure() -> None:
    """It copies nothing on purpose."""
    assert not view(failed(dry_run=True)).failures


def test_a_day_that_is_missing_at_the_source_is_no_failure() -> None:
    """Its survey has that."""
    assert not view(failed(), failed(Outcome.MISSING, NOW + HOUR)).failures


def test_space_is_remembered_once_a_day() -> None:
    """By the last measurement of each day."""
    events = [
        published(rules(used), datetime(2026, 11, 20, hour, tzinfo=UTC)) for used, hour in ((1, 8), (2, 9))
    ]
    events.append(published(rules(3), datetime(2026, 11, 21, 8, tzinfo=UTC)))
    [found] = fold(events)
    assert [space.used_bytes for _, space in found.space_history] == [2, 3]


def test_a_part_with_all_vms_replaces_the_earlier_ones() -> None:
    """A VM that is no longer in it is gone."""
    before = VmsPart(vms=(vm("old", NOW), vm("maq1", NOW)))
    now = VmsPart(vms=(vm("maq2", NOW), vm("maq1", NOW)))
    assert list(view(before, now).vms) == ["maq1", "maq2"]
