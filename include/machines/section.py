"""The site file's section ``machines``: which ones, how they are treated, what is kept."""

from fnmatch import fnmatchcase
from typing import Literal, Self

from pydantic import Field, model_validator

from include.errors import ConfigError
from include.machines.drill_section import DrillSection, DrillTreatment, MaybeDrill
from include.machines.facts import LifeSigns
from include.machines.retention import Keep
from include.section import AbsolutePath, Section, WeeklyCron


class Treatment(Section):
    """How a machine is stopped, and what proves that it is back."""

    method: Literal["cold", "live"] = Field(
        default="cold", description="cold: stopped for seconds; live: not stopped, as after a power cut."
    )
    on_timeout: Literal["leave", "destroy"] = Field(
        default="leave", description="What becomes of a guest that ignores the shutdown."
    )
    shutdown_timeout_s: float = Field(
        default=300, ge=1, le=7200, description="Seconds after which a shutdown counts as ignored."
    )
    lease_s: float = Field(
        default=1800,
        ge=20,
        le=86400,
        description="Seconds after which the host starts the machine by itself.",
    )
    downtime_budget_s: float = Field(
        default=60, gt=0, description="Seconds of downtime that the report takes for good."
    )
    proof: LifeSigns = Field(default=LifeSigns(), description="What must be seen before it counts as back.")

    @property
    def shortest_lease_s(self) -> float:
        """Seconds that the guest may take to stop, and then to be proven back."""
        return self.shutdown_timeout_s + self.proof.timeout_s


class Special(Treatment):
    """Another treatment for some machines; what isn't given is as usual, in ``proof`` too."""

    machines: str = Field(description="A name pattern.")
    drill: MaybeDrill | None = Field(
        default=None,
        description="How they are booted from their images: timeout_s, memory_max, proof; or off.",
    )


class HostSection(Section):
    """One KVM host, and which of its machines are backed up."""

    connection: str = Field(default="kvm_host", description="The Airflow SSH connection of the host.")
    uri: str = Field(default="qemu:///system", pattern=r"^\S+$", description="Which libvirt there.")
    machines: list[str] = Field(min_length=1, description="Name patterns; each must match a machine.")
    exclude: list[str] = Field(
        default=[], description="Name patterns of machines left out; each must match one."
    )
    state: AbsolutePath = Field(default="/var/lib/inpe-backup", description="The agent's folder there.")
    scratch: AbsolutePath | None = Field(
        default=None,
        description="Where the host keeps what guests overwrite meanwhile; null: with the agent.",
    )


class MachinesSection(Treatment):
    """The weekly backup of virtual machines."""

    schedule: WeeklyCron = Field(
        default="0 2 * * 0", description="When the weekly run starts, as a cron line in the institute's zone."
    )
    window_s: float = Field(
        default=4 * 3600, gt=0, description="Seconds after that when a run that comes late stops no machine."
    )
    retry_delay_s: int = Field(
        default=120, ge=1, description="Seconds between two tries of what a retry can help."
    )
    keep: Keep = Field(default=Keep(), description="How many generations stay.")
    drill: DrillSection = Field(default=DrillSection(), description="Machines booted from their images.")
    hosts: list[HostSection] = Field(default=[], description="The KVM hosts.")
    special: list[Special] = Field(
        default=[], description="Other treatment for some machines; the first whose pattern fits."
    )

    @model_validator(mode="after")
    def _leases_outlast_the_stops(self) -> Self:
        for special in [None, *self.special]:
            one, whose = self._merged(special), f" for {special.machines}" if special else ""
            if one.lease_s < one.shortest_lease_s:
                raise ValueError(
                    f"lease_s{whose} is {one.lease_s:.0f}, and must be at least shutdown_timeout_s and "
                    f"proof.timeout_s together, {one.shortest_lease_s:.0f}."
                )
        return self

    @model_validator(mode="after")
    def _hosts_are_different(self) -> Self:
        connections = [host.connection for host in self.hosts]
        if twice := sorted({name for name in connections if connections.count(name) > 1}):
            raise ValueError(f"hosts names the connection {', '.join(twice)} twice.")
        return self

    def host(self, connection: str) -> HostSection:
        """Give a host by its connection.

        Raises:
            ConfigError: there is none of that name.
        """
        for host in self.hosts:
            if host.connection == connection:
                return host
        raise ConfigError(f"The site file names no host {connection} under machines.hosts.")

    def treatment(self, machine: str) -> Treatment:
        """Give how one machine is treated."""
        return self._merged(self._special(machine))

    def drill_of(self, machine: str) -> DrillTreatment | None:
        """Give how one machine is booted from its images; None: it isn't."""
        special = self._special(machine)
        return self.drill.of(special.drill if special else None)

    def drill_required(self, machine: str) -> bool:
        """Tell whether an image of a machine goes only once a newer one was booted."""
        return self.drill.required and self.drill_of(machine) is not None

    def _special(self, machine: str) -> Special | None:
        return next((one for one in self.special if fnmatchcase(machine, one.machines)), None)

    def _merged(self, special: Special | None) -> Treatment:
        usual = self.model_dump(include=set(Treatment.model_fields))
        others = special.model_dump(exclude_unset=True, exclude={"machines", "drill"}) if special else {}
        proof = usual["proof"] | others.get("proof", {})
        return Treatment.model_validate(usual | others | {"proof": proof})
