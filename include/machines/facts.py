"""What a KVM host and the backup tell each other about machines: plain JSON, checked at the door."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, NonNegativeFloat, NonNegativeInt

from include.facts import Facts

_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)

Method = Literal["cold", "live", "copy", "offline"]
"""How the disks are frozen: stopped for seconds; not at all; stopped while they're copied; off anyway."""


class Disk(Facts):
    """A disk that holds a machine's data.

    Args:
        name: as the guest's definition calls it, such as ``vda``.
        kind: ``file`` or ``block``.
        format: ``raw`` or ``qcow2``, by the definition, never guessed.
        path: on the host.
        chain: the files that it's made of, itself first.
        bytes: what the guest sees.
        allocated: what the chain takes on the host, in bytes.
    """

    name: str
    kind: Literal["file", "block"]
    format: str
    path: str
    chain: tuple[str, ...]
    bytes: NonNegativeInt
    allocated: NonNegativeInt


class LeftOut(Facts):
    """A device that isn't kept, and why, such as a CD-ROM."""

    name: str
    reason: str


class OpenFreeze(Facts):
    """A freeze that nobody has released yet: whose, since when, and its last step."""

    run: str
    since: AwareDatetime
    step: str


class Machine(Facts):
    """One libvirt domain, as it was found.

    Args:
        name: may hold anything that libvirt takes.
        uuid: by which the host is asked for it.
        state: what it does now.
        autostart: whether it starts with its host.
        persistent: whether its definition outlives a stop.
        disks: what is kept of it.
        left_out: what isn't.
        nvram: path of its UEFI variables, if any.
        tpm: path of its emulated TPM's state, if any.
        guest_agent: whether its guest agent is connected.
        problems: why it can't be backed up, as sentences; empty when it can.
        frozen: what an earlier freeze left open.
    """

    name: str
    uuid: str
    state: Literal["running", "off", "paused", "other"]
    autostart: bool
    persistent: bool
    disks: tuple[Disk, ...]
    left_out: tuple[LeftOut, ...] = ()
    nvram: str | None = None
    tpm: str | None = None
    guest_agent: bool = False
    problems: tuple[str, ...] = ()
    frozen: OpenFreeze | None = None


class Scratch(Facts):
    """The room where a host keeps what guests overwrite while they are imaged."""

    path: str
    free_bytes: NonNegativeInt


class Survey(Facts):
    """What a host has.

    Args:
        host: its own name.
        libvirt: version.
        backup: whether its libvirt can image a running machine (``backup-begin``).
        scratch: the room for that.
        machines: all of them.
    """

    host: str
    libvirt: str
    backup: bool
    scratch: Scratch
    machines: tuple[Machine, ...]


class LifeSigns(Facts):
    """What proves that a machine is back, beyond libvirt's word that it runs."""

    guest_agent: bool = Field(default=False, description="Its guest agent must answer.")
    address: str | None = Field(
        default=None, description="Where its TCP ports are; null: as its guest agent knows it."
    )
    ports: tuple[Annotated[int, Field(ge=1, le=65535)], ...] = Field(
        default=(), description="TCP ports that must answer."
    )
    same_ports: bool = Field(
        default=False,
        description="Only those that answered before; of common ones if none is named.",
    )
    timeout_s: NonNegativeFloat = Field(default=120, description="Seconds that it may take.")


class FreezeRequest(Facts):
    """How a machine is to be frozen.

    Args:
        run: the Airflow run; asked again with the same one, the host goes on with the same freeze.
        method: how.
        on_timeout: what becomes of a guest that ignores the shutdown.
        shutdown_timeout_s: when it counts as ignored.
        lease_s: how long the host guards the machine's restart.
        scratch: where the host writes what guests overwrite; None: in its own state folder.
        proof: what proves that the machine is back.
    """

    run: str
    method: Method
    on_timeout: Literal["leave", "destroy"]
    shutdown_timeout_s: NonNegativeFloat
    lease_s: NonNegativeFloat
    scratch: str | None
    proof: LifeSigns


class Step(Facts):
    """One step of a freeze: which, when it began, and what it took."""

    step: str
    at: AwareDatetime
    seconds: NonNegativeFloat


class FrozenDisk(Facts):
    """A disk whose state is held: its name, and on the host its format, size in bytes and path."""

    name: str
    format: str
    bytes: NonNegativeInt
    path: str


class Frozen(Facts):
    """A machine whose disks are held at one instant, while it runs again, or stays off.

    Args:
        run: the run that asked.
        machine: its name.
        uuid: by which the host is asked for it.
        method: how it was done.
        was: what it did before, and does again.
        steps: what was done, first to last.
        downtime_s: from the shutdown request to the proof of life; 0 where it wasn't stopped.
        stopped: how it went down.
        proof: how it's known that it is back, as a sentence.
        instant: whose state the disks hold, by the host's clock.
        disks: those that are held.
        warnings: what a person should know.
    """

    run: str
    machine: str
    uuid: str
    method: Method
    was: Literal["running", "off"]
    steps: tuple[Step, ...]
    downtime_s: NonNegativeFloat
    stopped: Literal["by itself", "destroyed", "not stopped"]
    proof: str
    instant: Annotated[AwareDatetime, Field(ge=_FIRST, lt=_LAST)]
    disks: tuple[FrozenDisk, ...]
    warnings: tuple[str, ...] = ()


class Released(Facts):
    """What a release found and did.

    Args:
        machine: its name.
        state: what it does now.
        repaired: what had to be put right, as sentences.
        scratch_bytes: what the guest had overwritten meanwhile.
    """

    machine: str
    state: str
    repaired: tuple[str, ...]
    scratch_bytes: NonNegativeInt
