"""What an audit tells: damage first, and nothing that isn't proven is good news."""

from include.audit.due import REST, Batch
from include.audit.reading import Reading
from include.audit.report import Again, Audited, items, needs_person
from include.report import Item, Outcome, State
from tests.include.days import DAY, record

IMAGE = "maq1 2026-11-22T05-00-03Z"
BATCH = Batch(name="SUPIM 2026", backups=("2026-268", "2026-269"), bytes=700)


def reading(name: str = "2026-268", result: str = "passed", **facts: object) -> Reading:
    """Give what came of reading one backup."""
    day = DAY if name.startswith("2026") else None
    what = {"name": name, "day": day, "result": result, "how": "1 file is missing: 'a'."}
    return Reading.model_validate({**what, "files": 4, "bytes": 100, "seconds": 1.5, **facts})


def told(*audited: Audited, fetched: Again | None = None) -> list[Item]:
    """Give the items."""
    return items(audited, {DAY: fetched} if fetched else {})


def test_what_is_whole_is_told_by_the_batch() -> None:
    """With its files, bytes and seconds."""
    audited = Audited.of(BATCH, [reading(), reading("2026-269")])
    (item,) = told(audited)
    assert (item.name, item.outcome, item.state) == ("SUPIM 2026", Outcome.PROVEN_AGAIN, State.PASSED)
    assert item.reason == "2 backups read from the disk, every byte, as published."
    assert (item.files, item.size_bytes, item.seconds) == (8, 200, 3)
    assert needs_person([audited]) == []


def test_what_a_person_must_change_is_told_though_all_is_whole() -> None:
    """Once, as the plan left it."""
    planned = [BATCH.model_copy(update={"needs_person": "The audit reads too slowly."}), BATCH]
    assert needs_person([Audited.of(BATCH, [reading()])], planned) == ["The audit reads too slowly."]


def test_each_damaged_backup_is_an_item_before_all_others() -> None:
    """And a person must find out why."""
    whole = Audited.of(BATCH, [reading("2026-269")])
    spoilt = Audited.of(Batch(name="maq1", backups=(IMAGE,)), [reading(IMAGE, "failed")])
    first, second = told(whole, spoilt)
    assert (first.name, first.outcome, first.state) == (IMAGE, Outcome.DAMAGED, State.FAILED)
    assert first.reason.startswith(
        "1 file is missing: 'a'. What is there of it stays until a newer one is whole."
    )
    assert second.outcome is Outcome.PROVEN_AGAIN
    (sentence,) = needs_person([whole, spoilt])
    assert sentence.startswith(f"What the vault gives back of '{IMAGE}' isn't what was published.")


def test_a_day_that_was_fetched_again_is_whole_again() -> None:
    """As another revision; a person must look at the disk all the same."""
    audited = Audited.of(BATCH, [reading(result="failed"), reading("2026-269")])
    day, rest = told(audited, fetched=Again(record=record(revision=2)))
    assert (day.name, day.outcome, day.state) == ("2026-268", Outcome.FETCHED_AGAIN, State.PASSED)
    assert (day.revision, day.size_bytes) == (2, 412_000_000)
    assert "It is damaged: 1 file is missing: 'a'. It was fetched again" in day.reason
    assert rest.reason.startswith("1 backup read")
    assert needs_person([audited])


def test_a_day_that_cant_be_fetched_again_says_why() -> None:
    """Whether that's known or not."""
    audited = Audited.of(BATCH, [reading(result="failed")])
    (item,) = told(audited, fetched=Again(why="It can't be fetched again. The source has no folder."))
    assert (item.outcome, item.state) == (Outcome.DAMAGED, State.FAILED)
    assert item.reason == "1 file is missing: 'a'. It can't be fetched again. The source has no folder."
    (item,) = told(audited)
    assert item.outcome is Outcome.DAMAGED
    assert item.reason.endswith("It wasn't come to be fetched again. See the run; then clear what failed.")


def test_what_couldnt_be_read_is_not_checked() -> None:
    """It may be whole."""
    (item,) = told(Audited.of(BATCH, [reading(result="not checked")]))
    assert (item.name, item.outcome, item.state) == ("2026-268", Outcome.NOT_CHECKED, State.NOT_CHECKED)


def test_a_dry_run_says_what_it_would_read() -> None:
    """And how much."""
    (item,) = told(Audited.rehearsed(BATCH))
    assert (item.outcome, item.state, item.size_bytes) == (Outcome.WOULD_READ, State.NOT_CHECKED, 700)


def test_what_isnt_due_is_safe_by_the_proofs_that_there_are() -> None:
    """In a dry run, too."""
    rest = Batch(name=REST, reason="2 backups proven within the time set.")
    for audited in (Audited.of(rest, []), Audited.rehearsed(rest)):
        (item,) = told(audited)
        assert (item.outcome, item.reason) == (Outcome.ALREADY_SAFE, "2 backups proven within the time set.")


def test_what_was_removed_meanwhile_is_nobodys_item() -> None:
    """Neither good nor bad."""
    (item,) = told(Audited.of(BATCH, []))
    assert item.outcome is Outcome.EXCLUDED


def test_many_warnings_are_told_by_a_few() -> None:
    """A vault that is read-only has one for each backup."""
    many = [reading(warnings=[f"Warning {number}."]) for number in range(9)]
    (item,) = told(Audited.of(BATCH, many))
    assert item.warnings == ("Warning 0.", "Warning 1.", "Warning 2.", "And 6 more like these.")


def test_what_travels_is_short_however_many_are_whole() -> None:
    """A year of days is one batch."""
    audited = Audited.of(BATCH, [reading() for _ in range(366)])
    assert len(audited.model_dump_json()) < 500
    assert Audited.model_validate_json(audited.model_dump_json()) == audited
