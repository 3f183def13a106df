"""The site file's section ``vms``: which VMs are backed up, how, and how many generations are kept."""

from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeFloat, NonNegativeInt, model_validator

from include.config.boot_test import MaybeBootTest
from include.config.section import AbsolutePath, Section, WeeklyCron
from include.errors import ConfigError
from include.names import matches


class HealthChecks(Section):
    """The health check of a VM that was started again, beyond libvirt's state "running"."""

    guest_agent: bool = Field(default=False, description="Its guest agent must answer.")
    address: str | None = Field(
        default=None, description="The address of its TCP ports; null: the one that its guest agent reports."
    )
    ports: tuple[Annotated[int, Field(ge=1, le=65535)], ...] = Field(
        default=(), description="TCP ports that must answer."
    )
    same_ports: bool = Field(
        default=False,
        description="Only ports that answered before must answer; of common ones if none is named.",
    )
    timeout_s: NonNegativeFloat = Field(default=120, description="Seconds that the check may take.")


class KeepRules(Section):
    """How many generations of each VM are kept; one is what a run backs up of it, images and definition."""

    last: NonNegativeInt = Field(
        default=3, description="The newest generations, which are kept whatever their weeks."
    )
    weekly: NonNegativeInt = Field(default=8, description="Weeks of which the newest is kept.")
    monthly: NonNegativeInt = Field(default=6, description="Months of which the newest is kept.")
    yearly: NonNegativeInt = Field(default=3, description="Years of which the newest is kept.")


class VmSettings(Section):
    """How a VM is stopped for its backup, and how it is checked once it runs again."""

    method: Literal["cold", "live"] = Field(
        default="cold",
        description="cold: stopped for seconds; live: not shut down, and suspended for a "
        "moment on a host with XFS or Btrfs that can clone all its disks.",
    )
    managed_save: Literal["refuse", "disks_only"] = Field(
        default="refuse",
        description="A VM that is off with saved memory (`virsh managedsave`). refuse: not backed up; "
        "disks_only: its disks are, without that memory, crash-consistent.",
    )
    on_timeout: Literal["leave", "destroy"] = Field(
        default="leave",
        description="A guest that ignores the shutdown. leave: it runs on, without a backup; destroy: it is "
        "switched off, and backed up crash-consistent.",
    )
    restart_changes: Literal["refuse", "allow"] = Field(
        default="refuse",
        description="A VM that a restart would change, because its running definition differs. refuse: not "
        "stopped; allow: backed up, and the report lists what changed.",
    )
    shutdown_timeout_s: float = Field(
        default=300, ge=1, le=7200, description="Seconds after which a shutdown counts as ignored."
    )
    watchdog_s: float = Field(
        default=1800,
        ge=20,
        le=86400,
        description="Seconds after which the watchdog on the host starts the VM.",
    )
    downtime_budget_s: float = Field(
        default=60, gt=0, description="Seconds of downtime above which the report warns."
    )
    carry_unchanged: bool = Field(
        default=True,
        description="Whether clones of its disks stay on a host with XFS or Btrfs and systemd, so that what "
        "hasn't changed isn't read by the next backup; they take the space of what the guest overwrites.",
    )
    reread_share: int = Field(
        default=8,
        ge=1,
        le=1000,
        description="One in so many chunks that haven't changed is read all the same, others each time.",
    )
    health_check: HealthChecks = Field(
        default=HealthChecks(), description="What must pass before the VM counts as running again."
    )

    @property
    def least_watchdog_s(self) -> float:
        """The shortest ``watchdog_s``: the guest's time to shut down and to pass its health check."""
        return self.shutdown_timeout_s + self.health_check.timeout_s


class VmOverride(VmSettings):
    """Other settings for some VMs: the first entry whose pattern matches a VM counts, alone."""

    vms: str = Field(description="A name pattern.")
    boot_test: MaybeBootTest | None = Field(
        default=None,
        description="How they are booted: timeout_s, memory_max, scratch_max, checks; or off.",
    )


class HostSection(Section):
    """A KVM host, and which of its VMs are backed up."""

    ssh_conn_id: str = Field(default="kvm_host", description="The Airflow SSH connection of the host.")
    uri: str = Field(
        default="qemu:///system", pattern=r"^\S+$", description="The connection URI of libvirt there."
    )
    vms: list[str] = Field(
        min_length=1,
        description="Name patterns; each must match a VM. A copy that a restore made must be named exactly.",
    )
    exclude: list[str] = Field(
        default=[], description="Name patterns of VMs that are left out; each must match one."
    )
    state: AbsolutePath = Field(default="/var/lib/inpe-backup", description="The agent's folder there.")
    scratch: AbsolutePath | None = Field(
        default=None,
        description="The folder for what guests write in backups and boot tests; null: the agent's folder.",
    )
    disk_folders: tuple[AbsolutePath, ...] = Field(
        default=(),
        description="Folders there that restores may write disks to, besides its storage pools and the "
        "folders of the VM's own disks.",
    )


class VmsSection(VmSettings):
    """The weekly backup of VMs."""

    schedule: WeeklyCron = Field(
        default="0 2 * * 0", description="When the weekly run starts, as a cron line in the institute's zone."
    )
    start_deadline_s: float = Field(
        default=4 * 3600, gt=0, description="Seconds after its schedule at which a run may still stop a VM."
    )
    retry_delay_s: int = Field(default=120, ge=1, description="Seconds between retries.")
    max_parallel: int = Field(
        default=4,
        ge=1,
        description="VMs that are backed up at once, one per host; fewer than Airflow's parallelism.",
    )
    keep: KeepRules = Field(default=KeepRules(), description="How many generations are kept.")
    hosts: list[HostSection] = Field(default=[], description="The KVM hosts.")
    overrides: list[VmOverride] = Field(
        default=[], description="Other settings for some VMs; the first whose pattern matches counts."
    )

    @model_validator(mode="after")
    def _watchdogs_outlast_the_stops(self) -> Self:
        for override in [None, *self.overrides]:
            settings, whose = self._merged(override), f" for {override.vms}" if override else ""
            least_s = settings.least_watchdog_s
            if settings.watchdog_s < least_s:
                raise ValueError(
                    f"watchdog_s{whose} is {settings.watchdog_s:.0f}, and must be at least "
                    f"shutdown_timeout_s and health_check.timeout_s together, {least_s:.0f}."
                )
        return self

    @model_validator(mode="after")
    def _hosts_are_different(self) -> Self:
        names = [host.ssh_conn_id for host in self.hosts]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"hosts has the connection {', '.join(twice)} twice. Remove one.")
        return self

    def host(self, ssh_conn_id: str) -> HostSection:
        """Return a host by its connection.

        Raises:
            ConfigError: the site file doesn't have it.
        """
        for host in self.hosts:
            if host.ssh_conn_id == ssh_conn_id:
                return host
        raise ConfigError(f"The site file has no host {ssh_conn_id} under vms.hosts.")

    def uri(self, ssh_conn_id: str) -> str:
        """Return the URI of libvirt on a host; the usual one if the site file doesn't have the host."""
        usual = HostSection(vms=["*"])
        return next((host for host in self.hosts if host.ssh_conn_id == ssh_conn_id), usual).uri

    def settings(self, vm: str) -> VmSettings:
        """Return the settings of a VM."""
        return self._merged(self.override(vm))

    def override(self, vm: str) -> VmOverride | None:
        """Return the first override whose pattern matches a VM's name."""
        return next((override for override in self.overrides if matches(vm, override.vms)), None)

    def _merged(self, override: VmOverride | None) -> VmSettings:
        usual = self.model_dump(include=set(VmSettings.model_fields))
        others = override.model_dump(exclude_unset=True, exclude={"vms", "boot_test"}) if override else {}
        health_check = usual["health_check"] | others.get("health_check", {})
        return VmSettings.model_validate(usual | others | {"health_check": health_check})
