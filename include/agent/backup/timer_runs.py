"""When the timer that removes references ran last, so that its failure is reported.

    <state>/references-timer.json    when it ran, and when it was started

Its age is taken from the monotonic clock, which nobody sets; a note from before the last boot doesn't count.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from include.agent.journal import now
from include.agent.state_folder import StateFolder, read_json

EVERY_S = 30
RAN, STARTED = "ran", "started"
_BOOT = Path("/proc/sys/kernel/random/boot_id")


def note(state: StateFolder, what: str) -> None:
    """Note that it runs just now, or was started; not if the disk is full.

    It isn't synced, which would wake the disk twice a minute: a power cut begins another boot.

    Args:
        state: the agent's state folder.
        what: ``RAN`` or ``STARTED``.
    """
    path = state.references_timer
    part = path.with_name(f".{path.name}.{os.getpid()}")
    with suppress(OSError):
        moment = {"at": now(), "boot": _boot(), "since_boot_s": time.monotonic()}
        part.write_text(json.dumps({**read_json(path), what: moment}), encoding="ascii")
        part.replace(path)


def survey(state: StateFolder) -> dict[str, Any]:
    """Return how often it is due, its last run by the host's clock, and for how long nothing was seen of it.

    Returns:
        ``every_s``; ``last_run``, None if there was none; ``quiet_s``, since it ran or was started, or since
        the boot.
    """
    noted = read_json(state.references_timer)
    ran, started = (_moment(noted.get(what)) for what in (RAN, STARTED))
    boot, time_now = _boot(), time.monotonic()
    seen = [one["since_boot_s"] for one in (ran, started) if one.get("boot") == boot]
    return {
        "every_s": EVERY_S,
        "last_run": ran.get("at"),
        "quiet_s": round(max(time_now - max(seen, default=0.0), 0.0), 1),
    }


def _moment(noted: Any) -> dict[str, Any]:
    """Return what was noted; an empty object if it is damaged."""
    if isinstance(noted, dict) and isinstance(noted.get("since_boot_s"), float):
        return noted
    return {}


def _boot() -> str:
    return _BOOT.read_text(encoding="ascii").strip()
