"""Records are read as they were written, and damaged ones are refused."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from include.record import Record

WRITTEN: dict[str, Any] = {
    "day": "2026-268",
    "revision": 2,
    "origin": {"connection": "supim_cluster", "folder": "/data/supim/2026/268"},
    "files": 48,
    "bytes": 412_000_000,
    "steps": 24,
    "fingerprint": "ab" * 32,
    "warnings": ["'x' is a FIFO, socket or device: it holds no data and isn't copied."],
    "run": "scheduled__2026-268",
    "copied": "2026-09-27T09:30:04Z",
    "copy_seconds": 31.5,
    "proofs": [
        {"when": "2026-09-27T09:31:00Z", "how": "SHA-256 of 48 files equal at both ends", "seconds": 2.0}
    ],
    "structure": "cd" * 32,
}


def test_a_record_is_written_as_it_is_read() -> None:
    """Plain JSON, for readers that know nothing of this software."""
    record = Record.model_validate_json(json.dumps(WRITTEN))
    assert json.loads(record.model_dump_json()) == WRITTEN
    assert str(record.day) == "2026-268"


def test_a_record_without_descriptors_says_so() -> None:
    """None isn't zero."""
    assert Record.model_validate({**WRITTEN, "steps": None}).steps is None


def test_a_record_that_is_older_than_its_last_fact_is_read() -> None:
    """Vaults outlive the software that wrote them."""
    old = {name: fact for name, fact in WRITTEN.items() if name != "structure"}
    assert Record.model_validate(old).structure == ""


@pytest.mark.parametrize("key", sorted(WRITTEN.keys() - {"structure"}))
def test_a_record_without_one_of_its_facts_is_refused(key: str) -> None:
    """Half a record is none."""
    with pytest.raises(ValidationError, match=f"(?s){key}.*Field required"):
        Record.model_validate({name: fact for name, fact in WRITTEN.items() if name != key})
