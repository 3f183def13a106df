"""What was found of a backup later on."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from include.proofs import Found, ProofLog

WHEN = datetime(2026, 11, 22, 5, 0, 3, tzinfo=UTC)


def found(what: str = "audit", result: str = "passed", how: str = "It was read.") -> Found:
    """Give what somebody found."""
    facts = {"what": what, "when": WHEN, "result": result, "how": how, "seconds": 1.5, "run": "a run"}
    return Found.model_validate(facts)


@pytest.fixture
def log(tmp_path: Path) -> ProofLog:
    """Give a backup's log that isn't there yet."""
    return ProofLog(tmp_path / "268.proofs")


def test_nothing_was_found_of_what_nobody_looked_at(log: ProofLog) -> None:
    """And that is no error."""
    assert (log.read(), log.last("audit"), log.damaged) == ([], None, None)


def test_what_is_found_is_added_and_the_rest_stays(log: ProofLog) -> None:
    """Byte for byte."""
    log.append(found(how="One\nline \N{GREEK SMALL LETTER ALPHA} always."))
    before = log.path.read_bytes()
    log.append(found("drill"))
    assert log.path.read_bytes().startswith(before)
    assert log.read() == [found(how="One\nline \N{GREEK SMALL LETTER ALPHA} always."), found("drill")]


def test_a_line_that_a_crash_cut_off_spoils_no_other(log: ProofLog) -> None:
    """Wherever it was cut."""
    log.append(found())
    whole = log.path.read_bytes()
    for cut in (1, len(whole) // 2, len(whole) - 2):  # without its last brace and line break
        log.path.write_bytes(whole + whole[:cut])
        log.append(found("drill"))
        assert log.read() == [found(), found("drill")], cut


def test_it_is_damaged_until_an_audit_finds_it_whole(log: ProofLog) -> None:
    """A drill that failed says nothing of its bytes, nor does an audit that couldn't read."""
    log.append(found("drill", "failed"))
    assert log.damaged is None
    log.append(found(result="failed", how="Chunk 3 is other than it was."))
    log.append(found(result="not checked"))
    assert log.damaged == found(result="failed", how="Chunk 3 is other than it was.")
    log.append(found())
    assert log.damaged is None
