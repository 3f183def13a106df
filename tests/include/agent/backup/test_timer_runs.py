"""When the timer ran last: by a clock that nobody sets back, and since the host booted."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from include.agent.backup import timer_runs
from include.agent.backup.timer_runs import RAN, STARTED, note, survey
from include.agent.state_folder import StateFolder, read_json


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    """The agent's state folder."""
    made = StateFolder(str(tmp_path / "s"))
    made.make()
    return made


def change(state: StateFolder, what: str, **fields: object) -> None:
    """Change what was noted."""
    noted = read_json(state.references_timer)
    state.references_timer.write_text(json.dumps({**noted, what: {**noted[what], **fields}}))


def hours_ago(hours: float) -> dict[str, Any]:
    """Return a moment so long ago."""
    return {"since_boot_s": time.monotonic() - hours * 3600}


def test_it_is_quiet_since_it_ran_or_was_started(state: StateFolder) -> None:
    """Its first run comes half a minute after its start."""
    note(state, STARTED)
    found = survey(state)
    assert (found["last_run"], found["quiet_s"] < 1800) == (None, True)
    note(state, RAN)
    change(state, STARTED, **hours_ago(1))
    found = survey(state)
    assert (found["last_run"] is not None, found["quiet_s"] < 1800) == (True, True)
    change(state, RAN, **hours_ago(2))
    assert 3600 <= survey(state)["quiet_s"] < 5400
    assert list(state.root.glob(".references-timer*")) == []


def test_a_clock_that_was_set_hides_nothing(state: StateFolder) -> None:
    """Neither that it ran just now, nor that it did long ago."""
    note(state, RAN)
    change(state, RAN, at="2001-01-01T00:00:00+00:00")
    assert survey(state)["quiet_s"] < 1800
    change(state, RAN, at="2099-01-01T00:00:00+00:00", **hours_ago(1))
    assert survey(state)["quiet_s"] >= 3600


def test_what_was_noted_before_the_boot_doesnt_count(state: StateFolder) -> None:
    """Nor what is damaged, or was never noted: it is quiet since the boot then."""
    note(state, RAN)
    booted = time.monotonic()
    change(state, RAN, boot="another", since_boot_s=1e9)
    assert survey(state)["quiet_s"] > booted - 1
    for damaged in ("", "[]", '{"ran": 1}', '{"ran": {"since_boot_s": "x"}}'):
        state.references_timer.write_text(damaged)
        found = survey(state)
        assert (found["last_run"], found["quiet_s"] > booted - 1) == (None, True)
    state.references_timer.unlink()
    assert survey(state)["quiet_s"] > booted - 1


def test_where_nothing_can_be_noted_the_timer_works_on(
    state: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a full disk."""
    monkeypatch.setattr(timer_runs, "_BOOT", state.root / "gone")
    note(state, RAN)
    assert not state.references_timer.exists()
