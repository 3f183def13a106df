"""One VM of a weekly run: its item in the report, and what about it needs action."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from include.errors import (
    NoSpaceError,
    TooLateError,
    VmNotPossibleError,
    VmNotStoppedError,
    VmNotThawedError,
    VmWithheldError,
)
from include.report import causes
from include.report.alarm import VmOnHost, how_to_thaw, what_to_do
from include.report.vm_image import descriptions, image_fields
from include.report.vm_result import (
    NOT_BACK,
    RUNNING,
    UNTOUCHED,
    VmResult,
    is_left_alone,
    is_of_end_backup,
    went_down,
)
from include.results.failure import Failure
from include.results.item import Downtime, Item
from include.results.states import Kind, Outcome, State
from include.results.task_labels import task_label
from include.text import duration
from include.vms.description import how_imaged, how_read
from include.vms.models import BegunBackup
from include.vms.plan import VmAction, VmPlan
from include.vms.record import VmRecord

_NOT_STOPPED = (*UNTOUCHED, VmNotStoppedError.__name__, NoSpaceError.__name__)
_OUTCOMES = {
    VmNotStoppedError.__name__: Outcome.NOT_STOPPED,
    VmNotPossibleError.__name__: Outcome.NOT_POSSIBLE,
    VmWithheldError.__name__: Outcome.NOT_ATTEMPTED,
    TooLateError.__name__: Outcome.TOO_LATE,
}
_NO_RESULT = (
    "Its tasks left no result; they were killed or never started. Check their logs, then clear "
    f"{task_label('begin_backup')}."
)

_NOT_STARTED = "Not started: an earlier task of the run failed or left no result."
_REFUSED = "Not started: what this run was asked for was refused."


@dataclass(frozen=True)
class VmCase:
    """All that is known of one VM of a run.

    Args:
        name: as the report shows it.
        planned: what was decided.
        result: what its tasks left; None: they never started.
        record: of the generation that the run published, according to its tasks or to the vault.
        last: of its newest generation that was imaged by the planned method.
        budget_s: the downtime that the site file allows, in seconds.
        clean_dry_run: whether this is a dry run that met no failure.
        is_refused: whether what the run was asked for was refused.
        zone: the zone of times in sentences.
        uri: of libvirt on its host.
    """

    name: str
    planned: VmPlan
    result: VmResult | None
    record: VmRecord | None
    last: VmRecord | None
    budget_s: float
    clean_dry_run: bool
    is_refused: bool
    zone: tzinfo
    uri: str

    @property
    def item(self) -> Item:
        """The VM's item. That it is down comes first, whatever else is known."""
        if self.planned.action is VmAction.EXCLUDE:
            return self._item(Outcome.EXCLUDED, self.planned.reason, State.NOT_CHECKED)
        if self.planned.action is VmAction.REFUSE:
            return self._item(Outcome.NOT_POSSIBLE, self.planned.reason)
        if self._not_back:
            return self._not_back_item(self._not_back)
        if self.record:
            return self._imaged_item(self.record)
        if self.clean_dry_run:
            return self._would_image_item()
        return self._not_imaged_item()

    @property
    def holds_retention(self) -> bool:
        """Whether retention isn't applied because of it: it isn't backed up, or a task of it failed."""
        return self.item.state is State.FAILED or bool(self._failures)

    def needs_action(self) -> Iterator[str]:
        """Yield what somebody must do about the VM, in sentences."""
        vm = VmOnHost(self.name, self.planned.uuid, self.planned.host, self.uri)
        if self._not_thawed:
            yield how_to_thaw(vm)
        elif self._not_back:
            yield what_to_do(vm)
        elif self._down_state:
            yield (
                f"{self.name} came back, but is {self._down_state} now: somebody stopped it, or it failed. "
                "Check it."
            )
        if self._may_be_open:
            yield (
                f"The backup of {self.name} may still be open on {vm.host}: {task_label('end_backup')} did "
                "not confirm its end. The watchdog there still restarts the VM, but the snapshot takes up "
                "space. Clear that task now, or the next run ends the backup."
            )

    @property
    def _not_back(self) -> str | None:
        """Why the VM isn't seen to run; None if nothing suggests that."""
        if self._not_back_failure:
            return self._not_back_failure.message
        if self._down_state and not self._begun:
            return went_down(self._down_state)
        return None

    @property
    def _not_back_failure(self) -> Failure | None:
        return next((one for one in self._failures if one.error in NOT_BACK), None)

    @property
    def _not_thawed(self) -> bool:
        failure = self._not_back_failure
        return failure is not None and failure.error == VmNotThawedError.__name__

    @property
    def _down_state(self) -> str | None:
        """The state of a VM that ran before and doesn't now; None if it runs, or that is unknown."""
        was = self._begun.was if self._begun else self.planned.was
        ended = self.result.ended if self.result else None
        if not ended or was != "running" or ended.state in RUNNING:
            return None
        return None if self._left_alone else ended.state  # then a person stopped it, or moved it away

    @property
    def _left_alone(self) -> bool:
        return not self._begun and is_left_alone(self._cause)

    @property
    def _may_be_open(self) -> bool:
        """Whether the backup may still be open on the host."""
        if not self.result or self.result.ended:
            return False
        return self._cause is None or self._cause.error not in UNTOUCHED

    @property
    def _begun(self) -> BegunBackup | None:
        if self.record:
            return self.record.begun
        return self.result.begun if self.result else None

    @property
    def _failures(self) -> tuple[Failure, ...]:
        return self.result.failures if self.result else ()

    @property
    def _cause(self) -> Failure | None:
        """Why there is no image."""
        return next((failure for failure in self._failures if not is_of_end_backup(failure)), None)

    def _not_back_item(self, reason: str) -> Item:
        ended = self.result.ended if self.result else None
        sentences = [reason]
        if ended and self._not_back_failure:
            sentences.append(f"When the backup ended, it was {ended.state}.")
        if self.record:
            sentences.append("Its image was published and verified.")
        return self._item(
            Outcome.FROZEN if self._not_thawed and not self._down_state else Outcome.NOT_BACK,
            " ".join(sentences),
            downtime=self._downtime,
            warnings=self._warnings(),
            **(image_fields(self.record, self.zone) if self.record else {}),
        )

    def _imaged_item(self, record: VmRecord) -> Item:
        return self._item(
            Outcome.IMAGED,
            " ".join(filter(None, [how_imaged(record), record.health_check, how_read(record)])),
            State.PASSED,
            downtime=self._downtime,
            warnings=self._warnings(),
            **image_fields(record, self.zone),
        )

    def _would_image_item(self) -> Item:
        expected = Downtime(
            method=self.planned.method,
            was="off" if self.planned.was == "off" else "running",
            downtime_s=self.last.downtime_s if self.last else None,
            budget_s=self.budget_s,
            expected=True,
        )
        return self._item(
            Outcome.WOULD_IMAGE,
            self.planned.reason,
            State.NOT_CHECKED,
            downtime=expected,
            size_bytes=sum(disk.allocated for disk in self.planned.disks),
            left_out=descriptions(self.planned.left_out),
        )

    def _not_imaged_item(self) -> Item:
        if self.result is None:
            return self._item(Outcome.NOT_ATTEMPTED, _REFUSED if self.is_refused else _NOT_STARTED)
        cause = self._cause
        outcome = _OUTCOMES.get(cause.error, Outcome.NOT_IMAGED) if cause else Outcome.NOT_IMAGED
        return self._item(
            outcome,
            cause.message if cause else _NO_RESULT,
            cause=causes.cause(cause, Kind.VMS) if cause and outcome is Outcome.NOT_IMAGED else None,
            downtime=self._downtime,
            warnings=self._warnings(),
        )

    def _item(self, outcome: Outcome, reason: str, state: State = State.FAILED, **fields: Any) -> Item:  # noqa: ANN401 - fields of Item
        own = outcome is not Outcome.EXCLUDED
        return Item(name=self.name, own=own, state=state, outcome=outcome, reason=reason, **fields)

    @property
    def _downtime(self) -> Downtime | None:
        """How long the VM was down; None if it wasn't stopped."""
        if begun := self._begun:
            return Downtime(
                method=begun.method, was=begun.was, downtime_s=begun.downtime_s, budget_s=self.budget_s
            )
        if self._cause and self._cause.error in _NOT_STOPPED:
            return None
        was = self.planned.was
        return Downtime(
            method=self.planned.method, was="off" if was == "off" else "running", budget_s=self.budget_s
        )

    def _warnings(self) -> tuple[str, ...]:
        """Return the warnings about the VM; why it isn't back is its reason instead."""
        repairs = self.result.ended.repaired if self.result and self.result.ended else ()
        not_back = self._not_back_failure
        failures = [one for one in self._failures if is_of_end_backup(one) and one is not not_back]
        return (
            *(self._begun.warnings if self._begun else ()),
            *self._over_budget(),
            *(f"Repaired when the backup ended: {repair}" for repair in repairs),
            *(f"Ending the backup failed: {failure.message}" for failure in failures),
        )

    def _over_budget(self) -> list[str]:
        down = self._downtime
        if not down or not down.over_s or down.downtime_s is None:
            return []
        return [f"Down for {duration(down.downtime_s)}, over its budget of {duration(self.budget_s)}."]
