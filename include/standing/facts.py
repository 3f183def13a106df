"""What a DAG says of a vault: one part, one asset event; small, plain JSON, checked at the door.

Of most parts the newest event counts, whole: they are read from the vault, and can be published anew at any
time. Two are histories, folded from many events: what the source was seen to hold, and what runs did.
"""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, NonNegativeFloat, NonNegativeInt

from include.facts import Day, Facts, ZoneName
from include.machines.facts import Method
from include.report import Kind, Outcome, Space, State
from include.report.states import Text
from include.section import WeeklyCron
from include.source import State as SourceState


class VaultPart(Facts):
    """The vault itself, and the rules by which the rest is judged.

    Args:
        zone: the institute's.
        lag_days: how many days ago the newest day that is due was.
        proof_age_days: days within which every byte is to be proven again.
        keeps_days: days that the source keeps a day, where the site file says so.
        machines_schedule: when machines are imaged, as a weekly cron line in that zone; None: not told.
        space: the room, and where it is going.
    """

    kind: Literal["vault"] = "vault"
    zone: ZoneName
    lag_days: NonNegativeInt
    proof_age_days: NonNegativeFloat
    keeps_days: NonNegativeInt | None = None
    machines_schedule: WeeklyCron | None = None
    space: Space


class DayFacts(Facts):
    """A day that the vault holds: its newest revision.

    Args:
        copied: when the copy was whole.
        proven: when every byte of it was last found good.
        audited: whether that was an audit, later than the copy.
        run: the run that made it.
        damage: what is wrong with it, as a sentence.
        warnings: what a person should know of it.
    """

    day: Day
    revision: Annotated[int, Field(ge=1)] = 1
    files: NonNegativeInt
    bytes: NonNegativeInt
    copied: AwareDatetime
    proven: AwareDatetime
    audited: bool = False
    run: Text
    damage: Text | None = None
    warnings: tuple[Text, ...] = ()


class DaysPart(Facts):
    """The days of one year that the vault holds, oldest first."""

    kind: Literal["days"] = "days"
    year: int
    days: tuple[DayFacts, ...]


class SeenDay(Facts):
    """What the source held of one day when a run looked, and what the run decided, as a sentence."""

    day: Day
    state: SourceState
    reason: Text


class SourcePart(Facts):
    """What one run saw at the source; a history."""

    kind: Literal["source"] = "source"
    days: tuple[SeenDay, ...]


class GenerationFacts(Facts):
    """One generation of a machine.

    Args:
        instant: whose state it holds.
        bytes: what it takes on the vault's disk, as if it shared nothing.
        sent_bytes: what came over the wire for it.
        method: how its disks were frozen; ``unknown`` where its record can't be read.
        downtime_s: how long the machine was down for it; None where it wasn't stopped, or nobody knows.
        proven: when every byte of it was last found good.
        booted: whether the machine has booted from it.
        damage: what is wrong with it, as a sentence.
    """

    instant: AwareDatetime
    bytes: NonNegativeInt
    sent_bytes: NonNegativeInt
    method: Method | Literal["unknown"]
    downtime_s: NonNegativeFloat | None
    proven: AwareDatetime
    booted: bool = False
    damage: Text | None = None


class DrillFacts(Facts):
    """The last time that a machine was booted from an image.

    Args:
        how: what was seen, as a sentence.
        seconds: what it took, from the image to the proof.
        image: the instant of the generation that was booted.
    """

    when: AwareDatetime
    result: State
    how: Text
    seconds: NonNegativeFloat
    image: AwareDatetime


class LeavingFacts(Facts):
    """The generation that would be removed next, and why, as a sentence."""

    instant: AwareDatetime
    reason: Text


class MachinePart(Facts):
    """One machine.

    Args:
        host: the Airflow connection of its host.
        budget_s: what its downtime should not go beyond.
        generations: those in the vault, oldest first.
        drill: the last one; None: never drilled.
        leaving: what goes next; None: nothing as far as can be told.
    """

    kind: Literal["machine"] = "machine"
    name: Text
    host: Text
    budget_s: NonNegativeFloat
    generations: tuple[GenerationFacts, ...]
    drill: DrillFacts | None = None
    leaving: LeavingFacts | None = None


class MachinesPart(Facts):
    """All machines that the vault holds: in one event, for an event each would be too many for one task."""

    kind: Literal["machines"] = "machines"
    machines: tuple[MachinePart, ...]


class ScreenPart(Facts):
    """The picture of a machine's screen in its last drill: a small PNG, in base64."""

    kind: Literal["screen"] = "screen"
    name: Text
    when: AwareDatetime
    png: str


class TroubledItem(Facts):
    """An item of a run that isn't safe after it: a day, a machine, a backup."""

    name: Text
    state: State
    outcome: Outcome
    reason: Text


class RunPart(Facts):
    """What one run did; a history.

    Args:
        dag: its DAG.
        run: its id.
        about: what it does.
        line: its report's subject, without the prefix.
        good: whether its verdict is green.
        items: how many it was about.
        troubled: those that aren't safe after it.
        needs_person: sentences.
    """

    kind: Literal["run"] = "run"
    dag: Text
    run: Text
    about: Kind
    line: Text
    good: bool
    dry_run: bool = False
    started: AwareDatetime
    finished: AwareDatetime
    items: NonNegativeInt
    troubled: tuple[TroubledItem, ...] = ()
    needs_person: tuple[Text, ...] = ()


Part = Annotated[
    VaultPart | DaysPart | SourcePart | MachinePart | MachinesPart | ScreenPart | RunPart,
    Field(discriminator="kind"),
]


class Published(Facts):
    """One event's ``extra``.

    Args:
        version: of this format.
        vault: the vault's own id, by its marker.
        path: its folder, as its worker calls it.
        taken: when it was read.
        part: what is said.
    """

    version: Literal[1] = 1
    vault: Text
    path: Text
    taken: AwareDatetime
    part: Part
