"""What counts as a change at the source, and what is no part of a day."""

from include.config.datasets import TEMPORARY
from tests.include.days.day_tasks import Rehearsal
from tests.include.days.sample_days import DAY
from tests.include.days.test_backup import LAST, rewrite


def test_a_change_that_kept_size_and_time_is_a_revision(rehearsal: Rehearsal) -> None:
    """Its change time (ctime) shows it: the next run plans the day again."""
    folder = rehearsal.write_day()
    first = rehearsal.do()
    rewrite(folder / LAST, keep_time=True)
    with rehearsal.backup() as backup:
        surveyed = backup.source.survey([DAY])[DAY]
    assert first
    assert surveyed.fingerprint != first.fingerprint
    rehearsal.do()
    assert rehearsal.published_names() == ["268", "268.r2"]
    assert rehearsal.is_published()


def test_temporary_files_are_no_part_of_a_day(rehearsal: Rehearsal) -> None:
    """They go by themselves, which is no new revision; the record names them."""
    folder = rehearsal.write_day()
    names = (".nfs0000000002a4c1d500000007", ".data.dat.2026.268.0.0h.aB3dE6", "notes~", ".notes.swp")
    for name in names:
        (folder / name).write_bytes(b"for a moment")
    rehearsal = rehearsal.but(exclude=TEMPORARY)
    record = rehearsal.do()
    assert record
    assert record.files == 4
    (warning,) = record.warnings
    assert warning.startswith("Left out by name (exclude in the site file): '.data.dat.2026.268.0.0h.aB3dE6'")
    assert warning.endswith(", '.notes.swp' and 1 more.")
    for name in names:
        (folder / name).unlink()
    rehearsal.do()
    assert rehearsal.published_names() == ["268"]
