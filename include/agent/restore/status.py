"""How far a swap got, and what each disk of the VM holds.

Wherever it was interrupted, each disk is complete: restored, or still the old one.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

from include.agent.state_folder import VmFolder


class Move(NamedTuple):
    """What is moved into place in one step: a disk's file, the NVRAM's, or the folder of a TPM's state.

    Args:
        what: its name, such as ``vda``.
        place: its destination.
        new: its path until then; equal to ``place`` for a block device, which is written to directly.
        old: where the old content is kept; None if there was none, or it can't be kept.
        overlay: whether ``new`` is an overlay, to be committed to what is in place.
    """

    what: str
    place: Path
    new: Path
    old: Path | None
    overlay: bool = False

    @property
    def moved(self) -> bool:
        """Whether it is in place."""
        return self.new == self.place or not os.path.lexists(self.new)


def moves(folder: VmFolder) -> list[Move]:
    """Return the moves of an open journal."""
    entries = folder.restoring.entry("begin").get("moves", [])
    return [
        Move(what, Path(place), Path(new), Path(old) if old else None, overlay)
        for what, place, new, old, overlay in entries
    ]


def describe_unfinished(folder: VmFolder) -> str:
    """Return what an interrupted swap left, in sentences; empty if none is open."""
    began: dict[str, Any] = folder.restoring.entry("begin")
    if not began:
        return ""
    steps = folder.restoring.steps()
    states = [
        f"{move.what} {_state(move, in_place=began['in_place'], begun=f'commit {move.what}' in steps)}"
        for move in moves(folder)
    ]
    step = folder.restoring.entries()[-1]["step"]
    return (
        f"The restore of {began['vm']} to {began['generation']} was interrupted at the step {step}: "
        f"{'; '.join(states)}. Don't start the VM. Run the same restore again: it resumes."
    )


def _state(move: Move, *, in_place: bool, begun: bool) -> str:
    if move.moved:
        old = f" (its old content is {move.old})" if _exists(move.old) else ""
        return f"is restored{old}"
    if move.overlay and begun:
        return f"is restored, but only together with {move.new}"
    if not in_place or not (_exists(move.place) or _exists(move.old)):
        return f"isn't in place yet (its restored content is {move.new})"
    where = move.place if _exists(move.place) else move.old
    return f"is still the old one ({where}; its restored content is {move.new})"


def _exists(path: Path | None) -> bool:
    return path is not None and os.path.lexists(path)
