"""The site file's section ``boot_test``: how VMs are booted from their images, and how that is checked."""

from typing import Annotated, Any

from pydantic import BeforeValidator, ByteSize, Field

from include.config.section import MonthlyCron, Section


class BootChecks(Section):
    """The checks of a VM that booted: all that are set; if none is, a weak one, that its system shows itself.

    It does if its guest agent answers, or it writes to its disks; see ``include/agent/boot_test/checks.py``.
    """

    serial: str | None = Field(
        default=None, min_length=1, description="A text that its serial console shows, such as 'login:'."
    )
    guest_agent: bool = Field(default=False, description="Its guest agent answers.")
    screen_s: float | None = Field(
        default=None,
        ge=1,
        description="Seconds during which its screen shows a picture and doesn't change; a weak check.",
    )

    def requested(self) -> dict[str, Any]:
        """Return the checks as the agent on the host knows them: those that are configured, or ``system``."""
        configured = self.serial or self.guest_agent or self.screen_s
        return {**self.model_dump(), "system": not configured}


class BootTestSettings(Section):
    """How a VM is booted from its image."""

    timeout_s: float = Field(default=600, ge=1, le=7200, description="Seconds that booting may take.")
    memory_max: ByteSize = Field(
        default=ByteSize(2 * 10**9), ge=2**20, description="The most memory that a VM gets in a boot test."
    )
    scratch_max: ByteSize = Field(
        default=ByteSize(8 * 10**9),
        ge=2**20,
        description="The most that a VM may write in a boot test, to its host's scratch folder.",
    )
    checks: BootChecks = Field(
        default=BootChecks(), description="What must pass; without any check, some sign of its system."
    )


class BootTestOverride(BootTestSettings):
    """How these VMs are booted; ``boot_test: off`` if they aren't."""

    boot: bool = Field(
        default=True, description="Whether they are booted at all; `boot_test: off` is the same as false."
    )


class BootTestSection(BootTestSettings):
    """The boot tests."""

    schedule: MonthlyCron = Field(
        default="0 12 10 * *",
        description="When the monthly run starts, as a cron line in the institute's zone.",
    )
    per_run: int = Field(default=4, ge=1, le=1000, description="How many VMs are booted in a run.")
    required: bool = Field(
        default=False, description="Whether an image is removed only once a newer one has booted."
    )

    def merged_with(self, override: BootTestOverride | None) -> BootTestSettings | None:
        """Return the settings of a VM; None if it isn't booted."""
        if override and not override.boot:
            return None
        usual = self.model_dump(include=set(BootTestSettings.model_fields))
        others = override.model_dump(exclude_unset=True, exclude={"boot"}) if override else {}
        checks = usual["checks"] | others.get("checks", {})
        return BootTestSettings.model_validate(usual | others | {"checks": checks})


def _off(value: object) -> object:
    return {"boot": False} if value is False else value  # YAML's off


MaybeBootTest = Annotated[BootTestOverride, BeforeValidator(_off)]
"""An override, or ``off``."""
