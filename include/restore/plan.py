"""Decide what to do with each path of a day at its target, and why, before anything is written."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from include.days.manifest import Manifest
from include.days.manifest_entry import ManifestEntry


class RestoreAction(StrEnum):
    """What to do with a path."""

    SEND = "send"
    LEAVE = "leave"
    OVERWRITE = "overwrite"
    REFUSE = "refuse"  # refuses the whole day, not just this path


@dataclass(frozen=True)
class RestoreStep:
    """What to do with one path.

    Args:
        entry: the file, link or folder to restore.
        action: what to do.
        reason: why; completes a sentence that starts with the path.
    """

    entry: ManifestEntry
    action: RestoreAction
    reason: str

    @property
    def writes(self) -> bool:
        """Whether the path is written."""
        return self.action in (RestoreAction.SEND, RestoreAction.OVERWRITE)


def decide(selected: Manifest, existing: Manifest, *, overwrite: bool) -> list[RestoreStep]:
    """Decide about each selected path; a folder comes before its content.

    Args:
        selected: the files to restore with their hashes, the links, and the folders above them.
        existing: what the target has at these paths, hashed there.
        overwrite: whether a different file or link may be replaced. A folder is never replaced, and nothing
            is replaced by a folder: it could be a link that leads elsewhere.
    """
    at_target = {entry.path: entry for entry in existing}
    return [_step(entry, at_target.get(entry.path), overwrite=overwrite) for entry in selected]


def paths(steps: Iterable[RestoreStep], action: RestoreAction) -> list[str]:
    """Return the paths of the steps with an action."""
    return [step.entry.path for step in steps if step.action is action]


def _step(selected: ManifestEntry, existing: ManifestEntry | None, *, overwrite: bool) -> RestoreStep:
    if existing is None:
        return RestoreStep(selected, RestoreAction.SEND, "doesn't exist yet")
    if _same(selected, existing):
        return RestoreStep(selected, RestoreAction.LEAVE, "is identical")
    if "folder" in (selected.kind, existing.kind):
        return RestoreStep(
            selected, RestoreAction.REFUSE, f"is a {existing.kind} there, but a {selected.kind} in the vault"
        )
    if overwrite:
        return RestoreStep(selected, RestoreAction.OVERWRITE, "differs there and is overwritten")
    return RestoreStep(selected, RestoreAction.REFUSE, "differs there")


def _same(one: ManifestEntry, other: ManifestEntry) -> bool:
    return one.content == other.content
