"""The JSON that the backup and a KVM host's agent exchange about VMs, validated on input."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, NonNegativeFloat, NonNegativeInt

from include.config.vms import HealthChecks
from include.models import Model
from include.text import duration, span
from include.vault.clock import TOLERANCE
from include.vms.left_out import LeftOut
from include.vms.reference_timer import ReferenceTimer

_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)

Stopped = Literal["by itself", "destroyed", "saved", "suspended", "not stopped"]
"""How the guest was stopped: by itself, by force, its memory saved before, suspended for a moment; or not."""

Method = Literal["cold", "live", "copy", "offline"]
"""How the VM is stopped: for seconds; not at all; while its disks are copied; it is off anyway."""


class Qcow2Options(Model):
    """The options that a QCOW2 disk was made with, as ``qemu-img create -o`` names them.

    One that its host's qemu-img doesn't know yet has the value that it had before there was a choice.
    """

    cluster_size: Annotated[int, Field(ge=512, le=2 << 20)] = 1 << 16
    compat: Literal["0.10", "1.1"] = "1.1"
    compression_type: Literal["zlib", "zstd"] = "zlib"
    extended_l2: bool = False
    lazy_refcounts: bool = False
    refcount_bits: Literal[1, 2, 4, 8, 16, 32, 64] = 16


class VmDisk(Model):
    """A disk that is backed up.

    Args:
        name: the target device in the VM's definition, such as ``vda``.
        kind: ``file`` or ``block``.
        format: ``raw`` or ``qcow2``, by the definition, never guessed.
        path: on the host.
        chain: the files that it lies in, its own first: those of its backing chain, external data files.
        bytes: its size as the guest sees it.
        allocated: what these files occupy on the host, in bytes.
        qcow2: the options that it was made with; None if it isn't QCOW2.
    """

    name: str
    kind: Literal["file", "block"]
    format: str
    path: str
    chain: tuple[str, ...]
    bytes: NonNegativeInt
    allocated: NonNegativeInt
    qcow2: Qcow2Options | None = None


class OpenBackup(Model):
    """A backup that hasn't been ended: of which run, since when, and its last step."""

    run: str
    since: AwareDatetime
    step: str


class Vm(Model):
    """One libvirt domain, as surveyed.

    Args:
        name: anything that libvirt accepts.
        uuid: by which the agent identifies it.
        state: its current state.
        saved: whether it is off with saved memory (``virsh managedsave``).
        autostart: whether it starts with its host.
        persistent: whether its definition outlives a stop.
        disks: those that are backed up.
        unclonable: why its host's file system can't clone its disks; empty if it can.
        left_out: what else it has, which isn't.
        copy_of: the generation that a restore made it of beside the original, if any.
        nvram: path of its UEFI variables, if any.
        tpm: path of its emulated TPM's state, if any.
        guest_agent: whether its guest agent is connected.
        problems: why it can't be backed up, as sentences; empty when it can.
        restart_changes: what a restart would change, as phrases; empty where its running definition is as its
            persistent one.
        open_backup: a backup that an earlier run left open, if any.
        has_reference: whether clones of its last backup wait there for the next one.
    """

    name: str
    uuid: str
    state: Literal["running", "off", "paused", "other"]
    saved: bool = False
    autostart: bool
    persistent: bool
    disks: tuple[VmDisk, ...]
    unclonable: str = "not tried"
    left_out: tuple[LeftOut, ...] = ()
    copy_of: str | None = None
    nvram: str | None = None
    tpm: str | None = None
    guest_agent: bool = False
    problems: tuple[str, ...] = ()
    restart_changes: tuple[str, ...] = ()
    open_backup: OpenBackup | None = None
    has_reference: bool = False


class ScratchSpace(Model):
    """The folder in which a host keeps what guests overwrite during their backup, and its free space."""

    path: str
    free_bytes: NonNegativeInt


class HostSurvey(Model):
    """What a host has and can do.

    Args:
        host: its own name.
        libvirt: version.
        backup: whether its libvirt can back up a running VM (``backup-begin``).
        scratch: the space for that.
        reference_timer: the timer that removes references; None: the host has none.
        vms: all of its VMs.
    """

    host: str
    libvirt: str
    backup: bool
    scratch: ScratchSpace
    reference_timer: ReferenceTimer | None = None
    vms: tuple[Vm, ...]


class BackupRequest(Model):
    """How the backup of a VM is to be begun.

    Args:
        run: the Airflow run; for the same run, the host resumes the same backup.
        method: see there.
        managed_save: whether a VM that is off with saved memory is refused, or its disks alone are backed up.
        on_timeout: whether a guest that ignores the shutdown is left running or destroyed.
        restart_changes: whether a VM is refused that a restart would change.
        shutdown_timeout_s: after how many seconds the shutdown counts as ignored.
        watchdog_s: how many seconds the restart watchdog guards the VM.
        scratch: the host's folder for what guests overwrite; None: in the agent's folder.
        health_check: the checks that must pass before the VM counts as back.
    """

    run: str
    method: Method
    managed_save: Literal["refuse", "disks_only"]
    on_timeout: Literal["leave", "destroy"]
    restart_changes: Literal["refuse", "allow"]
    shutdown_timeout_s: NonNegativeFloat
    watchdog_s: NonNegativeFloat
    scratch: str | None
    health_check: HealthChecks


class TimedStep(Model):
    """One step of beginning a backup: its name, when it began, and how long it took."""

    step: str
    at: AwareDatetime
    seconds: NonNegativeFloat


class SnapshotDisk(Model):
    """A disk of an open backup: its name, and on the host its format, size in bytes, path and options."""

    name: str
    format: str
    bytes: NonNegativeInt
    path: str
    qcow2: Qcow2Options | None = None


class BegunBackup(Model):
    """An open backup: all disks of a VM as they were at one instant, while the VM runs again or stays off.

    Args:
        run: the run that requested it.
        vm: the VM's name.
        uuid: by which the agent identifies the VM.
        method: how it was done.
        cloned: whether the disks are clones, which the host's file system made, the VM off or suspended.
        not_cloned: why they aren't, as a phrase; empty if they are.
        was: the VM's state before, and again now.
        steps: what was done, first to last.
        downtime_s: from the shutdown request to the passed health check, or while it was suspended; else 0.
        stopped: how the guest was stopped.
        health_check: which checks have passed, as a sentence.
        instant: the time of the disks' state, by the host's clock, as are the steps' times.
        disks: the disks of the backup.
        left_out: what the VM has and the image won't have.
        warnings: sentences for the report.
        clock_offset_s: how far the host's clock was ahead of the vault's, in seconds.
    """

    run: str
    vm: str
    uuid: str
    method: Method
    cloned: bool = False
    not_cloned: str = ""
    was: Literal["running", "off"]
    steps: tuple[TimedStep, ...]
    downtime_s: NonNegativeFloat
    stopped: Stopped
    health_check: str
    instant: Annotated[AwareDatetime, Field(ge=_FIRST, lt=_LAST)]
    disks: tuple[SnapshotDisk, ...]
    left_out: tuple[LeftOut, ...] = ()
    warnings: tuple[str, ...] = ()
    clock_offset_s: float = 0

    @property
    def instant_at_vault(self) -> datetime:
        """The time of the disks' state, by the vault's clock."""
        return self.instant - timedelta(seconds=self.clock_offset_s)


class BegunOnHost(BegunBackup):
    """An open backup as its host answers, which doesn't know the vault's clock.

    Args:
        clock: the host's time when it answered.
    """

    clock: Annotated[AwareDatetime, Field(ge=_FIRST, lt=_LAST)]

    def seen_at(self, vault_time: datetime) -> BegunBackup:
        """Return the backup, with the offset of the host's clock and a warning if that is large.

        Args:
            vault_time: by the vault's clock, when the answer came; the backup was begun before.
        """
        ahead = max(self.clock, self.instant) - vault_time
        warnings = (*self.warnings, *clock_warnings(ahead))
        fields = {**self.model_dump(exclude={"clock"}), "clock_offset_s": round(ahead.total_seconds(), 3)}
        return BegunBackup.model_validate({**fields, "warnings": warnings})


def clock_warnings(ahead: timedelta) -> list[str]:
    """Return a warning if a host's clock differs from the vault's by more than well-kept clocks do."""
    if abs(ahead) <= TOLERANCE:
        return []
    by = span(abs(ahead).days) if abs(ahead) > timedelta(days=2) else duration(abs(ahead).total_seconds())
    direction = "ahead of" if ahead > timedelta() else "behind"
    return [f"Its host's clock is {by} {direction} the vault's, by which its image is named. Set the clocks."]


class ReferenceLabel(Model):
    """What clones are that stay on a host for the next backup.

    Args:
        run: the run whose backup they are of.
        generation: the name under which it was published.
        chunks: the SHA-256 of its ``.chunks``, by disk.
    """

    run: str
    generation: str
    chunks: dict[str, str]


class KeptReference(Model):
    """Whether the clones stay on their host; if they don't, why, as a phrase."""

    kept: bool
    reason: str


class EndedBackup(Model):
    """The result of ending a backup.

    Args:
        vm: the VM's name.
        state: its current state.
        repaired: what had to be repaired, as sentences.
        scratch_bytes: how much the guest had overwritten during the backup.
    """

    vm: str
    state: str
    repaired: tuple[str, ...]
    scratch_bytes: NonNegativeInt
