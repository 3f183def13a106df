"""How far a restore's last part got, and what each disk of the machine holds.

It's the restored state, or what was there before: either is complete, whatever was cut off, and wherever.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

from .folder import MachineFolder


class Piece(NamedTuple):
    """What gets to its place in one move: a disk's file, the NVRAM's, the folder of a TPM's state.

    Args:
        what: such as ``vda``.
        place: where to.
        new: where it lies until then; the same for a block device, which is written to directly.
        kept: where what was there before goes; None: nothing was, or it can't be kept.
        overlay: whether the new one is only what differs, to be written over what is there.
    """

    what: str
    place: Path
    new: Path
    kept: Path | None
    overlay: bool = False

    @property
    def moved(self) -> bool:
        """Whether it has got there."""
        return self.new == self.place or not os.path.lexists(self.new)


def pieces(folder: MachineFolder) -> list[Piece]:
    """Give what an open journal says is to be moved."""
    told = folder.restoring.facts("begin").get("pieces", [])
    return [
        Piece(what, Path(place), Path(new), Path(kept) if kept else None, overlay)
        for what, place, new, kept, overlay in told
    ]


def standing(folder: MachineFolder) -> str:
    """Say in sentences how an open restore stands; nothing, when none is open."""
    began: dict[str, Any] = folder.restoring.facts("begin")
    if not began:
        return ""
    steps = folder.restoring.steps()
    told = [
        f"{piece.what} {_told(piece, in_place=began['in_place'], begun=f'commit {piece.what}' in steps)}"
        for piece in pieces(folder)
    ]
    step = folder.restoring.entries()[-1]["step"]
    return (
        f"The restore of {began['machine']} to {began['generation']} was cut off at the step {step}: "
        f"{'; '.join(told)}. Don't start the machine; run the same restore again, and it goes on from there."
    )


def _told(piece: Piece, *, in_place: bool, begun: bool) -> str:
    if piece.moved:
        kept = f" (what was there before is {piece.kept})" if _there(piece.kept) else ""
        return f"is the restored one, complete{kept}"
    if piece.overlay and begun:
        return f"is the restored one, complete only together with {piece.new}"
    if not in_place or not (_there(piece.place) or _there(piece.kept)):
        return f"isn't at its place yet (the restored one, complete, is {piece.new})"
    where = piece.place if _there(piece.place) else piece.kept
    return f"is the old one, complete ({where}; the restored one, complete too, is {piece.new})"


def _there(path: Path | None) -> bool:
    return path is not None and os.path.lexists(path)
