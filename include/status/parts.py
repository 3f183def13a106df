"""The parts of a vault's status, one in each asset event: small, plain JSON, validated on input.

Of most parts only the newest event counts: they are read from the vault, and can be published again at any
time. Three are histories, folded from many events: surveys of the source, runs, and acknowledged alerts.
"""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, NonNegativeFloat, NonNegativeInt

from include.config.section import WeeklyCron
from include.days.record import RevisionCause
from include.days.source import SourceState
from include.models import Day, Model, ZoneName
from include.results.states import Kind, Outcome, State, Text
from include.status.space import Space
from include.vms.models import Method
from include.vms.protection import Protection


class VaultPart(Model):
    """The vault itself, and the rules that decide the state of its days and VMs.

    Args:
        zone: the institute's time zone.
        lag_days: how many days before today the newest due day is.
        max_age_days: days within which every byte is verified again.
        keep_days_at_source: how many days the source keeps a day; None: unknown.
        vms_schedule: when VMs are imaged, as a weekly cron line in that zone; None: unknown.
        space: its space, and how fast it fills.
    """

    kind: Literal["vault"] = "vault"
    zone: ZoneName
    lag_days: NonNegativeInt
    max_age_days: NonNegativeFloat
    keep_days_at_source: NonNegativeInt | None = None
    vms_schedule: WeeklyCron | None = None
    space: Space


class DayStatus(Model):
    """The newest revision of a day in the vault.

    Args:
        cause: why the revision was made; None if its record is unreadable.
        copied: when the copy was complete.
        verified: when every byte was last verified.
        scrubbed: whether a scrub did that, after the copy.
        run: the run that copied it.
        damage: what is wrong with it, as a sentence.
        warnings: sentences for the operator.
    """

    day: Day
    revision: Annotated[int, Field(ge=1)] = 1
    cause: RevisionCause | None = None
    files: NonNegativeInt
    bytes: NonNegativeInt
    copied: AwareDatetime
    verified: AwareDatetime
    scrubbed: bool = False
    run: Text
    damage: Text | None = None
    warnings: tuple[Text, ...] = ()


class DaysPart(Model):
    """The days of one year in the vault, oldest first."""

    kind: Literal["days"] = "days"
    year: int
    days: tuple[DayStatus, ...]


class DayAtSource(Model):
    """What a run found of one day at the source, and the reason for what it then did, as a sentence."""

    day: Day
    state: SourceState
    reason: Text


class SourcePart(Model):
    """One run's survey of the source; a history."""

    kind: Literal["source"] = "source"
    days: tuple[DayAtSource, ...]


class GenerationStatus(Model):
    """One generation of a VM.

    Args:
        instant: the instant whose state it holds.
        bytes: its size on the vault's disk, ignoring what generations share.
        sent_bytes: what was sent for it.
        method: how it was imaged; ``unknown`` if its record is unreadable.
        downtime_s: how long the VM was down for it; None: it was not stopped, or unknown.
        verified: when every byte was last verified.
        booted: whether it passed a boot test.
        protection: by whom it is protected from removal, since when and why; None: it isn't.
        damage: what is wrong with it, as a sentence.
    """

    instant: AwareDatetime
    bytes: NonNegativeInt
    sent_bytes: NonNegativeInt
    method: Method | Literal["unknown"]
    downtime_s: NonNegativeFloat | None
    verified: AwareDatetime
    booted: bool = False
    protection: Protection | None = None
    damage: Text | None = None


class BootTestStatus(Model):
    """A VM's last boot test.

    Args:
        how: what showed the result, as a sentence.
        seconds: how long it took.
        image: the instant of the generation that was booted.
    """

    when: AwareDatetime
    result: State
    how: Text
    seconds: NonNegativeFloat
    image: AwareDatetime


class NextRemoval(Model):
    """The generation that would be removed next, and the reason, as a sentence."""

    instant: AwareDatetime
    reason: Text


class VmPart(Model):
    """One VM.

    Args:
        host: the Airflow connection of its host.
        budget_s: its downtime budget.
        generations: those in the vault, oldest first; before them those dated in the future.
        boot_test: the last one; None: not boot-tested.
        next_removal: what the next weekly run removes; None: nothing.
        how_imaged: how its newest image was made and read, in sentences; empty: unknown.
    """

    kind: Literal["vm"] = "vm"
    name: Text
    host: Text
    budget_s: NonNegativeFloat
    generations: tuple[GenerationStatus, ...]
    boot_test: BootTestStatus | None = None
    next_removal: NextRemoval | None = None
    how_imaged: Text = ""


class VmsPart(Model):
    """All VMs in the vault, in one event: one task can't publish an event for each."""

    kind: Literal["vms"] = "vms"
    vms: tuple[VmPart, ...]


class ScreenPart(Model):
    """A screenshot of a VM's last boot test: a small PNG, in base64."""

    kind: Literal["screen"] = "screen"
    name: Text
    when: AwareDatetime
    png: str


class TroubledItem(Model):
    """An item that isn't safe after a run, or was left out of it: a day, a VM, a backup."""

    name: Text
    state: State
    outcome: Outcome
    reason: Text


class RunPart(Model):
    """One run; a history.

    Args:
        dag: its DAG.
        run: its id.
        about: the kind of run.
        line: its report's subject, without the prefix.
        good: whether its result is green.
        partial: whether it was asked for some VMs only.
        items: how many items it had.
        troubled: the items that aren't safe after it.
        left_out: the VMs that it left out: copies that restores made, and those that the site file excludes.
        needs_action: what somebody has to do that no state of a day or VM shows, as sentences.
        refused: whether it was a request by hand with which nothing could be done.
        vault_gone: why the vault couldn't be opened when the run ended, as a sentence; empty if it could be.
    """

    kind: Literal["run"] = "run"
    dag: Text
    run: Text
    about: Kind
    line: Text
    good: bool
    partial: bool = False
    dry_run: bool = False
    started: AwareDatetime
    finished: AwareDatetime
    items: NonNegativeInt
    troubled: tuple[TroubledItem, ...] = ()
    left_out: tuple[TroubledItem, ...] = ()
    needs_action: tuple[Text, ...] = ()
    refused: bool = False
    vault_gone: Text = ""


class AcknowledgedPart(Model):
    """Somebody acknowledged an alert on the page, or withdrew that; a history, and the page publishes it.

    Args:
        key: the alert's key.
        by: the name of the user.
        until: until when the alert is folded away; None: until its fact changes.
    """

    kind: Literal["acknowledged"] = "acknowledged"
    key: Text
    by: Text
    until: AwareDatetime | None = None


Part = Annotated[
    VaultPart | DaysPart | SourcePart | VmPart | VmsPart | ScreenPart | RunPart | AcknowledgedPart,
    Field(discriminator="kind"),
]


class PublishedPart(Model):
    """The ``extra`` of one asset event.

    Args:
        version: of this format.
        vault: the vault's id, from its marker.
        path: its folder on the worker.
        taken: when the part was read.
        part: the data.
    """

    version: Literal[1] = 1
    vault: Text
    path: Text
    taken: AwareDatetime
    part: Part
