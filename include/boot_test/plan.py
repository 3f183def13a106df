"""Which VMs a run boots: first those whose newest undamaged image never booted, then the longest untested."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, tzinfo

from include.errors import NotInVaultError, RequestError
from include.models import Model
from include.names import shown
from include.vault.clock import is_ahead
from include.vms.archive import PublishedVm, VmArchive

_NEVER = datetime.min.replace(tzinfo=UTC)


class BootTestCandidate(Model):
    """A VM that may be booted from its newest undamaged image.

    Args:
        name: the VM's name.
        generation: the name of that image's generation; None if the vault has no undamaged one.
        passed: whether that image has passed a boot test.
        last: when an image of the VM was last boot-tested; None if never.
        off: whether the site file excludes the VM.
    """

    name: str
    generation: str | None
    passed: bool
    last: datetime | None
    off: bool = False


class DueBootTest(Model):
    """A boot test to do, and why."""

    name: str
    generation: str
    reason: str


def candidates(generations: VmArchive, is_off: Callable[[str], bool]) -> list[BootTestCandidate]:
    """Return a candidate for each VM of a vault; ``is_off`` returns whether the site file excludes it."""
    return [_candidate(name, generations.of(name), off=is_off(name)) for name in generations.vms()]


def due(vms: Iterable[BootTestCandidate], per_run: int, zone: tzinfo) -> list[DueBootTest]:
    """Return the boot tests of a run, in order: at most ``per_run``; the reasons have dates in a zone."""
    waiting = [vm for vm in vms if vm.generation and not vm.off]
    waiting.sort(key=lambda vm: (vm.passed, vm.last or _NEVER, vm.name))
    return [_due(vm, vm.generation, zone) for vm in waiting[:per_run] if vm.generation]


def by_name(vms: Iterable[BootTestCandidate], name: str) -> DueBootTest:
    """Return the boot test of a VM requested by name, even if it has passed one.

    Raises:
        NotInVaultError: the vault doesn't have it.
        RequestError: no image of it is undamaged, or the site file excludes it.
    """
    found = next((vm for vm in vms if vm.name == name), None)
    if not found:
        raise NotInVaultError(
            f"The vault has no image of a VM named {shown(name)}. Nothing was booted.", about=shown(name)
        )
    if found.off:
        raise RequestError(
            f"The site file excludes {name} from boot tests (vms.overrides, boot_test: off). Nothing was "
            "booted."
        )
    if not found.generation:
        raise RequestError(f"The vault has no undamaged image of {name}. Nothing was booted.")
    return DueBootTest(name=name, generation=found.generation, reason="It was requested by name.")


def newest_undamaged(generations: list[PublishedVm]) -> PublishedVm | None:
    """Return the newest generation without known damage."""
    return next((found for found in reversed(generations) if not found.verification_log.damaged), None)


def _candidate(name: str, generations: list[PublishedVm], *, off: bool) -> BootTestCandidate:
    newest = newest_undamaged(generations)
    last = newest.verification_log.last("boot_test") if newest else None
    logs = [generation.verification_log for generation in generations]
    times = [entry.when for log in logs if (entry := log.last("boot_test")) and not is_ahead(entry.when)]
    return BootTestCandidate(
        name=name,
        generation=newest.name if newest else None,
        passed=last is not None and last.result == "passed",
        last=max(times, default=None),
        off=off,
    )


def _due(vm: BootTestCandidate, generation: str, zone: tzinfo) -> DueBootTest:
    since = (
        f"was last boot-tested on {vm.last.astimezone(zone):%Y-%m-%d}" if vm.last else "was never boot-tested"
    )
    return DueBootTest(name=vm.name, generation=generation, reason=f"{vm.name} {since}.")
