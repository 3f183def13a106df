"""What a KVM host and the backup tell each other about a restore: plain JSON, checked at the door."""

import base64
from typing import Annotated

from pydantic import BeforeValidator, NonNegativeInt, PlainSerializer, PositiveInt

from include.facts import Facts


def _decoded(text: object) -> object:
    return base64.b64decode(text, validate=True) if isinstance(text, str) else text


Content = Annotated[
    bytes,
    BeforeValidator(_decoded),
    PlainSerializer(lambda content: base64.b64encode(content).decode(), when_used="json"),
]
"""What a file holds; in JSON as Base64."""


class RestoreDisk(Facts):
    """A disk that is to be restored.

    Args:
        name: as the guest's definition calls it.
        path: where to, on the host.
        format: ``raw`` or ``qcow2``.
        bytes: what the guest sees.
        data_bytes: what of it isn't a hole, in the vault.
    """

    name: str
    path: str
    format: str
    bytes: PositiveInt
    data_bytes: NonNegativeInt


class RestoreRequest(Facts):
    """What a host is asked to restore; see ``include/agent/restoring.py``."""

    run: str
    generation: str
    in_place: bool
    keep_old: bool
    start: bool
    definition: str
    disks: tuple[RestoreDisk, ...]
    files: dict[str, Content]


class Place(Facts):
    """A disk's place at the host.

    Args:
        name: the disk's.
        path: where it comes to.
        new: where it's written until then; a block device itself.
        base: whether it begins with what is there.
        flat: whether that is one file, without others below it.
        begun: whether a try before began it.
    """

    name: str
    path: str
    new: str
    base: bool
    flat: bool
    begun: bool

    @property
    def direct(self) -> bool:
        """Whether it's written to directly."""
        return self.path == self.new


class Swapped(Facts):
    """What became of a machine.

    Args:
        machine: its name.
        uuid: its UUID.
        kept: where the old disks and firmware are.
        definition: where the old definition is.
        state: what it does now, in virsh's words.
        at: when that was, by the host's clock.
        warnings: what a person should know.
    """

    machine: str
    uuid: str
    kept: tuple[str, ...]
    definition: str | None
    state: str
    at: str
    warnings: tuple[str, ...]


class Checked(Facts):
    """How a restore stands at a host.

    Args:
        done: what became of the machine, where this run has done it already.
        begun: whether its last part was cut off, and is to be gone on with.
        disks: the places, where neither is so.
    """

    done: Swapped | None
    begun: bool
    disks: tuple[Place, ...]
