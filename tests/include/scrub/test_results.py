"""The report items of a scrub: damage comes first, and only what is verified counts as passed."""

from zoneinfo import ZoneInfo

import pytest

from include.days.record import RevisionCause
from include.results.item import Item
from include.results.states import Outcome, State
from include.scrub.plan import NOT_DUE, NotRead, ScrubBatch
from include.scrub.results import Refetched, ScrubbedBatch, items, needs_action
from include.scrub.scrubber import ScrubResult
from tests.include.days.sample_days import DAY, WHEN, record

IMAGE = "maq1 2026-11-22T05-00-03Z"
BATCH = ScrubBatch(name="SUPIM 2026", backups=("2026-268", "2026-269"), bytes=700)


def reading(name: str = "2026-268", result: str = "passed", **fields: object) -> ScrubResult:
    """Return the result of reading one backup."""
    day = DAY if name.startswith("2026") else None
    required = {"name": name, "day": day, "result": result, "how": "1 file is missing: 'a'."}
    return ScrubResult.model_validate({**required, "files": 4, "bytes": 100, "seconds": 1.5, **fields})


def report(*scrubbed: ScrubbedBatch, fetched: Refetched | None = None) -> list[Item]:
    """Return the report items."""
    return items(scrubbed, {DAY: fetched} if fetched else {})


def test_intact_backups_are_one_item_per_batch() -> None:
    """With its files, bytes and seconds."""
    scrubbed = ScrubbedBatch.of(BATCH, [reading(), reading("2026-269")])
    (item,) = report(scrubbed)
    assert (item.name, item.outcome, item.state) == ("SUPIM 2026", Outcome.VERIFIED_AGAIN, State.PASSED)
    assert item.reason == "Every byte of 2 backups read from the disk and verified."
    assert (item.files, item.size_bytes, item.seconds) == (8, 200, 3)
    assert needs_action([scrubbed]) == []


def test_what_a_person_must_change_is_reported_even_if_all_is_intact() -> None:
    """Once, as the plan has it."""
    planned = [BATCH.model_copy(update={"needs_action": "The scrub reads too slowly."}), BATCH]
    assert needs_action([ScrubbedBatch.of(BATCH, [reading()])], planned) == ["The scrub reads too slowly."]


def test_each_damaged_backup_is_an_item_before_all_others() -> None:
    """A person must find out why."""
    intact = ScrubbedBatch.of(BATCH, [reading("2026-269")])
    damaged = ScrubbedBatch.of(ScrubBatch(name="maq1", backups=(IMAGE,)), [reading(IMAGE, "failed")])
    first, second = report(intact, damaged)
    assert (first.name, first.outcome, first.state) == (IMAGE, Outcome.DAMAGED, State.FAILED)
    assert first.reason.startswith("1 file is missing: 'a'. It is kept until a newer generation is intact.")
    assert second.outcome is Outcome.VERIFIED_AGAIN
    (sentence,) = needs_action([intact, damaged])
    assert sentence.startswith(f"'{IMAGE}' no longer matches its checksums.")


def test_a_day_that_was_fetched_again_passes() -> None:
    """It has a new revision. A person must still check the disk."""
    scrubbed = ScrubbedBatch.of(BATCH, [reading(result="failed"), reading("2026-269")])
    day, rest = report(
        scrubbed, fetched=Refetched(record=record(revision=2, cause=RevisionCause.DAMAGED_AND_CHANGED))
    )
    assert (day.name, day.outcome, day.state) == ("2026-268", Outcome.FETCHED_AGAIN, State.PASSED)
    assert (day.revision, day.size_bytes) == (2, 412_000_000)
    assert "It was damaged: 1 file is missing: 'a'. It was fetched again" in day.reason
    assert day.reason.endswith("as revision 2. Its data had changed there.")
    assert day.revision_cause == "the published copy was damaged, and the source had changed"
    assert rest.reason.startswith("Every byte of 1 backup read")
    assert needs_action([scrubbed])


def test_a_day_that_cant_be_fetched_again_has_the_reason() -> None:
    """If none is known, the run has it."""
    scrubbed = ScrubbedBatch.of(BATCH, [reading(result="failed")])
    (item,) = report(scrubbed, fetched=Refetched(reason="It can't be fetched again. The source lacks it."))
    assert (item.outcome, item.state) == (Outcome.DAMAGED, State.FAILED)
    assert item.reason == "1 file is missing: 'a'. It can't be fetched again. The source lacks it."
    (item,) = report(scrubbed)
    assert item.outcome is Outcome.DAMAGED
    assert item.reason.endswith("It wasn't fetched again. See the run, and clear the failed task.")


def test_a_copy_that_was_replaced_before_is_no_new_damage() -> None:
    """A person had it read; its newer version is intact. If that is damaged, too, both are."""
    batch = BATCH.model_copy(update={"replaced": {"2026-268": "2026-268.r2"}})
    for newer in ("passed", "failed"):
        scrubbed = ScrubbedBatch.of(batch, [reading(result="failed"), reading("2026-268.r2", newer)])
        if newer == "passed":
            first, _ = report(scrubbed)
            assert (first.outcome, first.state) == (Outcome.REPLACED, State.PASSED)
            assert first.reason == (
                "It is damaged, as was known: 1 file is missing: 'a'. 2026-268.r2 is newer and intact."
            )
            assert (needs_action([scrubbed]), scrubbed.damaged) == ([], [])
        else:
            assert {item.outcome for item in report(scrubbed)} == {Outcome.DAMAGED}
            assert len(scrubbed.damaged) == 2


@pytest.mark.parametrize("name", ["2026-268", IMAGE])
def test_new_damage_that_a_newer_version_mends_asks_for_nothing(name: str) -> None:
    """It is news all the same: a disk may be failing."""
    scrubbed = ScrubbedBatch.of(BATCH, [reading(name, "failed")])
    (item,) = items([scrubbed], {}, newer={name: "a newer one"})
    assert (item.outcome, item.state) == (Outcome.DAMAGED, State.FAILED)
    assert item.reason == "1 file is missing: 'a'. a newer one is newer and intact."
    assert needs_action([scrubbed])


def test_an_unreadable_backup_is_not_checked() -> None:
    """It may be intact."""
    (item,) = report(ScrubbedBatch.of(BATCH, [reading(result="not checked")]))
    assert (item.name, item.outcome, item.state) == ("2026-268", Outcome.NOT_CHECKED, State.NOT_CHECKED)


def test_a_dry_run_reports_what_would_be_read() -> None:
    """With the size."""
    (item,) = report(ScrubbedBatch.dry_run_only(BATCH))
    assert (item.outcome, item.state, item.size_bytes) == (Outcome.WOULD_READ, State.NOT_CHECKED, 700)


def test_backups_that_arent_due_are_counted_and_dated() -> None:
    """Also in a dry run: their names and sizes are as published, and none was read."""
    rest = ScrubBatch(name=NOT_DUE, not_read=NotRead(backups=18, oldest=WHEN, damaged=2, replaced=1, due=2))
    for scrubbed in (ScrubbedBatch.of(rest, []), ScrubbedBatch.dry_run_only(rest)):
        (item,) = items([scrubbed], {}, zone=ZoneInfo("America/Sao_Paulo"))
        assert (item.outcome, item.state) == (Outcome.NOT_READ, State.PASSED)
        assert (item.backups, item.verified) == (18, WHEN)
        assert item.reason == (
            "Names, kinds and sizes of all files of 16 backups are as published; none was read. "
            "The oldest verification is of 2026-09-27 06:30 UTC-3. "
            "2 of them are due, but others were requested; the next scrub reads them. "
            "1 damaged backup not read: others were requested. "
            "1 damaged backup not read: a newer version is intact."
        )


def test_a_dry_run_reports_what_the_quick_check_found() -> None:
    """It needs a person, whatever was read."""
    found = BATCH.model_copy(update={"found": ("2026-268: 1 file is missing: 'a'.",)})
    assert needs_action([ScrubbedBatch.dry_run_only(found)]) == ["2026-268: 1 file is missing: 'a'."]
    assert needs_action([ScrubbedBatch.of(found, [])]) == []


def test_a_batch_whose_backups_were_removed_is_excluded() -> None:
    """It is neither passed nor failed."""
    (item,) = report(ScrubbedBatch.of(BATCH, []))
    assert item.outcome is Outcome.EXCLUDED


def test_only_the_first_few_warnings_are_reported() -> None:
    """A read-only vault gives one for each backup."""
    many = [reading(warnings=[f"Warning {number}."]) for number in range(9)]
    (item,) = report(ScrubbedBatch.of(BATCH, many))
    assert item.warnings == ("Warning 0.", "Warning 1.", "Warning 2.", "6 more warnings.")


def test_the_xcom_stays_small_for_a_year_of_days() -> None:
    """Intact backups are counted, not listed."""
    scrubbed = ScrubbedBatch.of(BATCH, [reading() for _ in range(366)])
    assert len(scrubbed.model_dump_json()) < 500
    assert ScrubbedBatch.model_validate_json(scrubbed.model_dump_json()) == scrubbed
