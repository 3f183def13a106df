"""Records are read unchanged, and incomplete ones are refused."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from include.days.record import DayRecord

RECORD: dict[str, Any] = {
    "day": "2026-268",
    "revision": 2,
    "cause": "changed at the source",
    "origin": {"ssh_conn_id": "supim_cluster", "folder": "/data/supim/2026/268"},
    "files": 48,
    "bytes": 412_000_000,
    "steps": 24,
    "fingerprint": "ab" * 32,
    "warnings": ["'x' is a FIFO, socket or device: it holds no data and isn't copied."],
    "run": "scheduled__2026-268",
    "copied": "2026-09-27T09:30:04Z",
    "copy_seconds": 31.5,
    "verifications": [
        {"when": "2026-09-27T09:31:00Z", "how": "SHA-256 of 48 files equal at both ends", "seconds": 2.0}
    ],
    "structure": "cd" * 32,
}


def test_a_record_survives_json_unchanged() -> None:
    """It is plain JSON, for readers without this software."""
    record = DayRecord.model_validate_json(json.dumps(RECORD))
    assert json.loads(record.model_dump_json()) == RECORD
    assert str(record.day) == "2026-268"


def test_without_a_descriptor_check_the_steps_are_none() -> None:
    """Not 0."""
    assert DayRecord.model_validate({**RECORD, "steps": None}).steps is None


@pytest.mark.parametrize("key", sorted(RECORD))
def test_a_record_without_one_of_its_fields_is_refused(key: str) -> None:
    """An incomplete record isn't read."""
    with pytest.raises(ValidationError, match=f"(?s){key}.*Field required"):
        DayRecord.model_validate({name: value for name, value in RECORD.items() if name != key})
