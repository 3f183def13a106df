"""The log of scrubs and boot tests beside a backup."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from include.vault.verification_log import LogEntry, VerificationLog

WHEN = datetime(2026, 11, 22, 5, 0, 3, tzinfo=UTC)


def found(what: str = "scrub", result: str = "passed", how: str = "It was read.") -> LogEntry:
    """Return a log entry."""
    fields = {"what": what, "when": WHEN, "result": result, "how": how, "seconds": 1.5, "run": "a run"}
    return LogEntry.model_validate(fields)


@pytest.fixture
def log(tmp_path: Path) -> VerificationLog:
    """A backup's log that doesn't exist yet."""
    return VerificationLog(tmp_path / "268.verifications")


def test_a_missing_log_is_empty(log: VerificationLog) -> None:
    """A backup that was never scrubbed has none."""
    assert (log.read(), log.last("scrub"), log.damaged) == ([], None, None)


def test_an_entry_is_appended_and_the_others_stay(log: VerificationLog) -> None:
    """Byte for byte."""
    log.append(found(how="One\nline \N{GREEK SMALL LETTER ALPHA} always."))
    before = log.path.read_bytes()
    log.append(found("boot_test"))
    assert log.path.read_bytes().startswith(before)
    assert log.read() == [found(how="One\nline \N{GREEK SMALL LETTER ALPHA} always."), found("boot_test")]


def test_a_line_that_a_crash_cut_off_affects_no_other(log: VerificationLog) -> None:
    """Wherever it was cut off."""
    log.append(found())
    line = log.path.read_bytes()
    for cut in (1, len(line) // 2, len(line) - 2):  # without its last brace and line feed
        log.path.write_bytes(line + line[:cut])
        log.append(found("boot_test"))
        assert log.read() == [found(), found("boot_test")], cut


def test_a_backup_is_damaged_until_a_scrub_passes(log: VerificationLog) -> None:
    """A failed boot test doesn't count, nor does a scrub that couldn't read it."""
    log.append(found("boot_test", "failed"))
    assert log.damaged is None
    log.append(found(result="failed", how="Chunk 3 is other than it was."))
    log.append(found(result="not checked"))
    assert log.damaged == found(result="failed", how="Chunk 3 is other than it was.")
    log.append(found())
    assert log.damaged is None


@pytest.mark.parametrize(
    ("by", "damage"),
    [
        ("restore", "A restore found it damaged: vda differs."),
        ("later_backup", "A later backup found it damaged: vda differs."),
    ],
)
def test_damage_is_described_by_what_found_it(log: VerificationLog, by: Any, damage: str) -> None:  # noqa: ANN401 - a Literal
    """It counts as a scrub's does: once, after a scrub that passed, and until the next one that passes."""
    log.append(found())
    assert log.record_damage("vda differs.", "a run", by=by) == ""
    assert log.record_damage("vdb differs, too.", "a run", by=by) == ""
    assert log.damage == damage
    assert (log.damaged, log.last("scrub")) == (log.last_reading, found())
    assert len(log.read()) == 2
    log.append(found())
    assert log.damaged is None
