"""What became of one day, VM or backup: an item of its run's report.

Text from outside is made visible on input, so each text in a report is one printable line.
"""

from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, NonNegativeFloat, NonNegativeInt, model_validator

from include.models import Model
from include.results.states import Outcome, State, Text


class Downtime(Model):
    """How long a VM is down for its image, measured or expected.

    Args:
        method: ``cold``, ``live``, ``copy`` or ``offline``.
        was: ``running`` or ``off``, before and after.
        downtime_s: seconds from the shutdown request to the passed health check, or while it was suspended;
            None: unknown.
        budget_s: the downtime that the site file allows, in seconds.
        expected: whether it is the previous run's downtime, because nothing was stopped in this one.
    """

    method: Text
    was: Literal["running", "off"]
    downtime_s: NonNegativeFloat | None = None
    budget_s: NonNegativeFloat | None = None
    expected: bool = False

    @property
    def stops(self) -> bool:
        """Whether the VM is down at all: it was running, and was stopped or suspended."""
        return self.was == "running" and (self.method not in ("live", "offline") or bool(self.downtime_s))

    @property
    def over_s(self) -> float:
        """Seconds over the budget; 0 if within it, or if either is unknown."""
        if self.downtime_s is None or self.budget_s is None:
            return 0
        return max(self.downtime_s - self.budget_s, 0)


class Item(Model):
    """One day, VM or backup that the run was to handle, and what became of it.

    Raises:
        ValidationError: the state is passed but the outcome is not verified, or the other way round.
    """

    name: Text = Field(description="the item's name: 2026-268, or maq1")
    short_name: Text | None = Field(default=None, description="its name in the subject, if another")
    state: State
    outcome: Outcome
    reason: Text = Field(description="what was done and why, in sentences")
    backups: NonNegativeInt = Field(default=1, description="how many backups it stands for")
    cause: Text | None = Field(default=None, description="why it failed, as a phrase for the subject")
    own: bool = Field(default=False, description="whether the run was started for this item")
    size_bytes: NonNegativeInt | None = None
    files: NonNegativeInt | None = None
    seconds: NonNegativeFloat | None = Field(default=None, description="the time that this run spent on it")
    verified: AwareDatetime | None = Field(default=None, description="of the oldest: when it was verified")
    verification: Text | None = Field(default=None, description="what was compared, and when")
    revision: Annotated[int, Field(ge=1)] = Field(default=1, description="2 and up: a later version")
    revision_cause: Text | None = Field(default=None, description="why the revision was made")
    downtime: Downtime | None = Field(default=None, description="of a VM")
    sent_bytes: NonNegativeInt | None = Field(default=None, description="bytes sent over the network")
    evidence: Text | None = Field(default=None, description="how consistent a VM's image is, in sentences")
    picture: Text | None = Field(default=None, description="the path of a PNG in the vault")
    picture_caption: Text | None = Field(
        default=None, description="what the picture shows, in a sentence; None: it is a screenshot"
    )
    left_out: tuple[Text, ...] = Field(default=(), description="what a VM's image lacks, one phrase each")
    warnings: tuple[Text, ...] = ()

    @model_validator(mode="after")
    def _passed_means_verified(self) -> Self:
        if (self.state is State.PASSED) != self.outcome.verified:
            raise ValueError(f"{self.name}: {self.outcome!s} can't be {self.state!s}")
        return self
