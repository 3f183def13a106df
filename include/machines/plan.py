"""Which machines of a host are imaged, how, and why others aren't: a pure function that gives reasons."""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from fnmatch import fnmatchcase

from include.agent.scratch import needed_bytes
from include.errors import BackupError, ConfigError, NoSpaceError
from include.facts import Facts
from include.listing import named
from include.machines.facts import Disk, Machine, Method, Survey
from include.machines.generation import folder_name
from include.machines.section import HostSection, MachinesSection
from include.names import shown
from include.wording import size

FILES = 16  # names that a generation takes in the vault, and more
_ROUNDING = 10  # a tenth more: chunks are written whole, and the machine goes on writing until it's frozen
_NOT_LIVE = "Its host's libvirt can't image it live (backup-begin). Give it the method cold in the site file."


class Action(StrEnum):
    """What is done about a machine."""

    IMAGE = "image"
    REFUSE = "refuse"  # a person must mend it
    EXCLUDE = "exclude"  # the site file says so


class Planned(Facts):
    """What was decided about one machine.

    Args:
        host: the Airflow connection of its host.
        name: its name.
        uuid: by which the host is asked for it.
        action: what is done.
        reason: why, as sentences.
        method: how it will be frozen.
        was: ``running`` or ``off``.
        disks: what is kept of it.
        scratch_bytes: the room that its host must have while it's imaged.
    """

    host: str
    name: str
    uuid: str
    action: Action
    reason: str
    method: Method
    was: str
    disks: tuple[Disk, ...]
    scratch_bytes: int = 0


def decide(section: MachinesSection, host: HostSection, survey: Survey) -> list[Planned]:
    """Decide about the machines of a host that the site file's patterns match, by name.

    Raises:
        ConfigError: a pattern matches no machine.
    """
    _require_matches(host, survey.machines)
    chosen = [machine for machine in survey.machines if _matches(machine.name, host.machines)]
    return [_planned(section, host, survey, machine) for machine in sorted(chosen, key=lambda one: one.name)]


def require_scratch(survey: Survey, planned: Iterable[Planned]) -> None:
    """Insist on room for what guests overwrite while they are imaged, one after the other.

    Raises:
        NoSpaceError: says how much is missing.
    """
    need = max((one.scratch_bytes for one in planned if one.action is Action.IMAGE), default=0)
    if need > survey.scratch.free_bytes:
        raise NoSpaceError(
            f"{survey.host} has {size(survey.scratch.free_bytes)} free in {survey.scratch.path} for what "
            f"guests write while they are imaged, and needs {size(need)}. No machine was stopped. Make room "
            "there, or name another scratch folder in the site file."
        )


def room_needed(planned: Iterable[Planned]) -> int:
    """Give the bytes that the vault must have free for these machines' images.

    What the host has allocated, and a tenth more, but never more than the guests see. An older generation
    as a base makes it less where the vault's file system shares blocks; that isn't counted on. Compressed
    qcow2 can take more: the transfer then ends with the vault full, and the machine has long been running.
    """
    disks = [disk for one in planned if one.action is Action.IMAGE for disk in one.disks]
    return sum(min(disk.bytes, disk.allocated + disk.allocated // _ROUNDING) for disk in disks)


def require_unique(planned: Iterable[Planned]) -> None:
    """Insist that no two hosts have a machine of one name to image: the vault keeps them by name.

    Raises:
        ConfigError: names them.
    """
    hosts: dict[str, list[str]] = {}
    for one in planned:
        if one.action is Action.IMAGE:
            hosts.setdefault(one.name, []).append(one.host)
    if twice := {name: found for name, found in hosts.items() if len(found) > 1}:
        told = "; ".join(f"{shown(name)} is on {' and '.join(found)}" for name, found in twice.items())
        raise ConfigError(f"{told}. Exclude it on all hosts but one (machines.hosts in the site file).")


def _require_matches(host: HostSection, machines: Sequence[Machine]) -> None:
    names = [machine.name for machine in machines]
    patterns = [*host.machines, *host.exclude]  # of one that is excluded by a slip of the pen, too
    lost = [pattern for pattern in patterns if not any(fnmatchcase(name, pattern) for name in names)]
    if lost:
        there = f"It has {named(sorted(names))}." if names else "It has no machine at all."
        raise ConfigError(
            f"machines.hosts in the site file: {named(lost)} matches no machine of {host.connection}. {there}"
        )


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _planned(section: MachinesSection, host: HostSection, survey: Survey, machine: Machine) -> Planned:
    method = _method(section, survey, machine)
    action, reason = _judged(host, machine)
    if action is Action.IMAGE and method == "live" and not survey.backup:
        action, reason = Action.REFUSE, _NOT_LIVE
    return Planned(
        host=host.connection,
        name=machine.name,
        uuid=machine.uuid,
        action=action,
        reason=reason or _told(method),
        method=method,
        was=machine.state,
        disks=machine.disks,
        scratch_bytes=_scratch(machine, method),
    )


def _judged(host: HostSection, machine: Machine) -> tuple[Action, str]:
    if _matches(machine.name, host.exclude):
        return Action.EXCLUDE, "The site file excludes it."
    if machine.problems:
        return Action.REFUSE, " ".join(machine.problems)
    if machine.state not in ("running", "off"):
        return Action.REFUSE, f"It is {machine.state}, neither running nor off."
    try:
        folder_name(machine.name)
    except BackupError as unfit:
        return Action.REFUSE, str(unfit)
    return Action.IMAGE, ""


def _method(section: MachinesSection, survey: Survey, machine: Machine) -> Method:
    if machine.state == "off":
        return "offline"
    wanted = section.treatment(machine.name).method
    return "copy" if wanted == "cold" and not survey.backup else wanted


def _told(method: Method) -> str:
    return {
        "cold": "It runs: it is stopped for seconds and imaged while it runs again.",
        "live": "It runs, and goes on running while it is imaged.",
        "copy": "It runs: it is down while its disks are copied, since its host's libvirt can't do better.",
        "offline": "It is off, and stays off.",
    }[method]


def _scratch(machine: Machine, method: Method) -> int:
    """As the agent asks it, too, before it stops a machine (``include/agent/check.py``)."""
    if method == "offline":
        return 0
    if method == "copy":
        return sum(disk.allocated for disk in machine.disks)
    return needed_bytes(sum(disk.bytes for disk in machine.disks))
