"""What is done about each path of a day at its target, and why; decided before anything is written."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from include.listing import Entry, Listing


class Action(StrEnum):
    """What is to be done about a path."""

    SEND = "send"
    LEAVE = "leave"
    OVERWRITE = "overwrite"
    REFUSE = "refuse"  # the whole day: half a restored day helps nobody


@dataclass(frozen=True)
class Step:
    """What is to be done about one path.

    Args:
        entry: what is wanted there.
        action: what to do.
        reason: why, as the rest of a sentence about it.
    """

    entry: Entry
    action: Action
    reason: str

    @property
    def moves(self) -> bool:
        """Whether something is written."""
        return self.action in (Action.SEND, Action.OVERWRITE)


def decide(wanted: Listing, there: Listing, *, overwrite: bool) -> list[Step]:
    """Decide about each path that is wanted, folders before what is in them.

    Args:
        wanted: files with their hashes, links, and the folders above them.
        there: what the target holds of these paths, hashed there.
        overwrite: whether another file may be replaced. A folder never is, nor is what stands where a
            folder belongs: that could be a link that leads elsewhere.
    """
    at_target = {entry.path: entry for entry in there.entries}
    return [_step(entry, at_target.get(entry.path), overwrite=overwrite) for entry in wanted.entries]


def paths(steps: Iterable[Step], action: Action) -> list[str]:
    """Name the paths about which the same is done."""
    return [step.entry.path for step in steps if step.action is action]


def _step(wanted: Entry, there: Entry | None, *, overwrite: bool) -> Step:
    if there is None:
        return Step(wanted, Action.SEND, "isn't there yet")
    if _same(wanted, there):
        return Step(wanted, Action.LEAVE, "is there, to the byte")
    if "folder" in (wanted.kind, there.kind):
        return Step(wanted, Action.REFUSE, f"is a {there.kind} there, and a {wanted.kind} in the vault")
    if overwrite:
        return Step(wanted, Action.OVERWRITE, "is another there, and was to be overwritten")
    return Step(wanted, Action.REFUSE, "is another there")


def _same(one: Entry, other: Entry) -> bool:
    return (one.kind, one.size, one.target, one.sha256) == (
        other.kind,
        other.size,
        other.target,
        other.sha256,
    )
