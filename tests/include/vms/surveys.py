"""Surveys of hosts, and the plans that are made of them."""

from typing import Any

from include.config.vms import HostSection, VmsSection
from include.vms.models import HostSurvey, Vm
from include.vms.plan import VmPlan, decide
from tests.include.vms.sample_vms import UUID

MIB = 1 << 20
GB = 10**9


def disk(size: int = 100 * MIB, allocated: int = 50 * MIB, name: str = "vda") -> dict[str, Any]:
    """Return a disk."""
    path = {"kind": "file", "format": "raw", "path": f"/vms/{name}", "chain": [f"/vms/{name}"]}
    return {"name": name, "bytes": size, "allocated": allocated, **path}


def vm(name: str, *disks: dict[str, Any], **fields: object) -> Vm:
    """Return a running VM."""
    about = {"name": name, "uuid": UUID, "state": "running", "autostart": False, "persistent": True}
    return Vm.model_validate({**about, "disks": list(disks or [disk()]), **fields})


def survey(*vms: Vm, backup: bool = True, free_bytes: int = 100 * GB) -> HostSurvey:
    """Return the survey of a host."""
    scratch = {"path": "/var/lib/inpe-backup", "free_bytes": free_bytes}
    about = {"host": "kvm1", "libvirt": "9.0.0", "backup": backup, "scratch": scratch}
    return HostSurvey.model_validate({**about, "vms": list(vms)})


def section(**fields: object) -> VmsSection:
    """Return the site file's section."""
    return VmsSection.model_validate(fields)


def host(*vms: str, exclude: tuple[str, ...] = ()) -> HostSection:
    """Return a host of the site file."""
    return HostSection(vms=list(vms or ["*"]), exclude=list(exclude))


def decided(
    found: HostSurvey, *patterns: str, exclude: tuple[str, ...] = (), **fields: object
) -> list[VmPlan]:
    """Decide about a host's VMs."""
    return decide(section(**fields), host(*patterns, exclude=exclude), found)


def planned_of(found: Vm, *, backup: bool = True, **fields: object) -> VmPlan:
    """Decide about one VM."""
    (planned,) = decide(section(**fields), host(), survey(found, backup=backup))
    return planned
