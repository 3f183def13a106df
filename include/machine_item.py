"""What is said of one machine of a weekly run: its item of the report, and what of it needs a person."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from include.errors import MachineNotBackError, MachineNotPossibleError, MachineNotStoppedError, NoSpaceError
from include.facts import Facts
from include.failure import Failure
from include.machines.facts import Frozen, Released
from include.machines.machine_record import MachineRecord
from include.machines.plan import Action, Planned
from include.report import Item, Outcome, Standstill, State
from include.wording import duration

HOST_WITHHELD = "didn't come back in this run"  # as include/agent/job.py has it

_DONE = {
    "cold": "It was stopped, and imaged while it ran again.",
    "live": "It was imaged while it ran.",
    "copy": "It was stopped, and down while its disks were copied.",
    "offline": "It was imaged without being started.",
}
_STOPPED = {
    "by itself": "the guest shut down by itself.",
    "destroyed": "it was switched off, so the disks are as after a power cut.",
    "not stopped": "it went on running, so the disks are as after a power cut.",
}
_STOPS_NOTHING = {
    MachineNotPossibleError.__name__,
    MachineNotStoppedError.__name__,
    NoSpaceError.__name__,
}


class MachineDoing(Facts):
    """What the tasks of one machine left behind.

    Args:
        frozen: by its freeze.
        record: of the generation that the run published.
        released: by its release.
        failures: of the tasks that freeze, pull, verify, publish and release it, in this order.
    """

    frozen: Frozen | None = None
    record: MachineRecord | None = None
    released: Released | None = None
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True)
class MachineCase:
    """All that is known of one machine of a run.

    Args:
        name: as it's shown.
        planned: what was decided.
        doing: what became of it; None: its tasks never came to their turn.
        record: of what the run published, by its tasks' word or the vault's.
        last: of its newest generation that was frozen as it would be now.
        budget_s: what its downtime should not go beyond.
        rehearsed: whether the run only looked, and found nothing in the way.
    """

    name: str
    planned: Planned
    doing: MachineDoing | None
    record: MachineRecord | None
    last: MachineRecord | None
    budget_s: float
    rehearsed: bool

    @property
    def item(self) -> Item:
        """The machine's part of the report. What is down leads, whatever else is known."""
        if self.planned.action is Action.EXCLUDE:
            return self._told(Outcome.EXCLUDED, self.planned.reason, State.NOT_CHECKED)
        if self.planned.action is Action.REFUSE:
            return self._told(Outcome.NOT_POSSIBLE, self.planned.reason)
        if self._not_back:
            return self._down(self._not_back)
        if self.record:
            return self._imaged(self.record)
        if self.rehearsed:
            return self._would_be_imaged()
        return self._not_imaged()

    def needs_person(self) -> Iterator[str]:
        """Give what somebody must do about it, as sentences."""
        host, uuid = self.planned.host, self.planned.uuid
        if self._not_back:
            yield (
                f"{self.name} did not come back. Look at it now: at {host}, `virsh domstate {uuid}` says "
                f"what it does, and `virsh start {uuid}` starts it."
            )
        elif self._gone_down:
            yield (
                f"{self.name} was proven to run again, and is {self._gone_down} by now: somebody stopped it, "
                "or it failed. Look at it."
            )
        if self._held:
            yield (
                f"Nothing says that {self.name} was released: {host} keeps watch over its restart, but may "
                "still hold its disks. The next run puts that right; so does clearing its task release."
            )

    @property
    def _not_back(self) -> str | None:
        """Why it isn't proven to run again, None when nothing speaks against it."""
        if said := self._said_not_back:
            return said.message
        if self._gone_down and not self._frozen:
            return f"It ran before, and its host says that it is {self._gone_down} now."
        return None

    @property
    def _said_not_back(self) -> Failure | None:
        said = (failure for failure in self._failures if failure.error == MachineNotBackError.__name__)
        return next(said, None)

    @property
    def _gone_down(self) -> str | None:
        """What a machine does instead of running, which it did before; None when it does, or isn't known."""
        was = self._frozen.was if self._frozen else self.planned.was
        released = self.doing.released if self.doing else None
        up = not released or released.state in ("running", "idle")
        return None if up or not released or was != "running" else released.state

    @property
    def _held(self) -> bool:
        """Whether its host may still hold its disks."""
        if not self.doing or self.doing.released:
            return False
        return self._why_not is None or self._why_not.error != MachineNotPossibleError.__name__

    @property
    def _frozen(self) -> Frozen | None:
        if self.record:
            return self.record.frozen
        return self.doing.frozen if self.doing else None

    @property
    def _failures(self) -> tuple[Failure, ...]:
        return self.doing.failures if self.doing else ()

    @property
    def _why_not(self) -> Failure | None:
        """Why there is no image."""
        return next((failure for failure in self._failures if not is_of_release(failure)), None)

    def _down(self, why: str) -> Item:
        released = self.doing.released if self.doing else None
        reason = why
        reason += f" Its release found it {released.state}." if released and self._said_not_back else ""
        reason += " An image of it was published, and proven." if self.record else ""
        facts = _image_facts(self.record) if self.record else {}
        return self._told(
            Outcome.NOT_BACK, reason, standstill=self._standstill, warnings=self._warnings(why), **facts
        )

    def _imaged(self, record: MachineRecord) -> Item:
        return self._told(
            Outcome.IMAGED,
            f"{_DONE[record.method]} {record.proof_of_life}",
            State.PASSED,
            standstill=self._standstill,
            warnings=self._warnings(),
            **_image_facts(record),
        )

    def _would_be_imaged(self) -> Item:
        expected = Standstill(
            method=self.planned.method,
            was="off" if self.planned.was == "off" else "running",
            downtime_s=self.last.downtime_s if self.last else None,
            budget_s=self.budget_s,
            expected=True,
        )
        size = sum(disk.allocated for disk in self.planned.disks)
        reason = self.planned.reason
        return self._told(
            Outcome.WOULD_IMAGE, reason, State.NOT_CHECKED, standstill=expected, size_bytes=size
        )

    def _not_imaged(self) -> Item:
        why = self._why_not
        if self.doing is None:
            return self._told(
                Outcome.NOT_ATTEMPTED, "It wasn't begun: an earlier task of the run failed, or gave no word."
            )
        if why is None:
            reason = "Its tasks ended without a word: killed, or the worker went down. See their logs; then "
            return self._unsaid(Outcome.NOT_IMAGED, f"{reason}clear its task freeze.")
        if why.error == MachineNotStoppedError.__name__:
            return self._unsaid(Outcome.NOT_STOPPED, why.message)
        if why.error == MachineNotPossibleError.__name__:
            withheld = HOST_WITHHELD in why.message
            return self._unsaid(Outcome.NOT_ATTEMPTED if withheld else Outcome.NOT_POSSIBLE, why.message)
        return self._unsaid(Outcome.NOT_IMAGED, why.message)

    def _unsaid(self, outcome: Outcome, reason: str) -> Item:
        return self._told(outcome, reason, standstill=self._standstill, warnings=self._warnings())

    def _told(self, outcome: Outcome, reason: str, state: State = State.FAILED, **facts: Any) -> Item:  # noqa: ANN401 - fields of Item
        own = outcome is not Outcome.EXCLUDED
        return Item(name=self.name, own=own, state=state, outcome=outcome, reason=reason, **facts)

    @property
    def _standstill(self) -> Standstill | None:
        """How long it was down; None where it wasn't stopped."""
        if self._frozen:
            frozen = self._frozen
            return Standstill(
                method=frozen.method, was=frozen.was, downtime_s=frozen.downtime_s, budget_s=self.budget_s
            )
        if self._why_not and self._why_not.error in _STOPS_NOTHING:
            return None
        was = self.planned.was
        return Standstill(
            method=self.planned.method, was="off" if was == "off" else "running", budget_s=self.budget_s
        )

    def _warnings(self, told: str = "") -> tuple[str, ...]:
        """Give what a person should know of it, but what is told already."""
        released = self.doing.released if self.doing else None
        lost = [failure.message for failure in self._failures if is_of_release(failure)]
        return (
            *(self._frozen.warnings if self._frozen else ()),
            *self._overdue(),
            *(f"Found at its release: {repaired}" for repaired in (released.repaired if released else ())),
            *(f"Its release failed: {message}" for message in lost if message != told),
        )

    def _overdue(self) -> list[str]:
        stop = self._standstill
        if not stop or not stop.over_s or stop.downtime_s is None:
            return []
        return [f"It was down for {duration(stop.downtime_s)}; its budget is {duration(self.budget_s)}."]


def is_of_release(failure: Failure) -> bool:
    """Tell whether a failure is of the task that lets go of a machine."""
    return failure.task.rpartition(".")[2] == "release"


def _image_facts(record: MachineRecord) -> dict[str, Any]:
    proof = record.proofs[-1]
    spent = sum(step.seconds for step in record.steps) + record.pull_seconds + proof.seconds
    return {
        "size_bytes": record.bytes,
        "sent_bytes": sum(disk.sent_bytes for disk in record.disks),
        "seconds": spent,
        "proof": f"{proof.how}, {proof.when.astimezone(UTC):%Y-%m-%d %H:%M} UTC",
        "evidence": _evidence(record),
    }


def _evidence(record: MachineRecord) -> str:
    """Say how consistent an image is; what isn't clean in it stands among the record's warnings."""
    stopped = "it was off." if record.was == "off" else _STOPPED[record.stopped]
    found = [f"{disk.name}, {found.told}" for disk in record.disks for found in disk.filesystems]
    told = [sentence for sentence in found if sentence not in record.warnings]
    return " ".join([stopped, *told] if found else [stopped, "No file system was found in it."])
