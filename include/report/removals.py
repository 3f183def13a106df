"""What retention removed, what it would remove, and why it removed nothing, for the weekly report."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from include.config.site_file import Site
from include.report import GenerationNote
from include.report.phrases import joined
from include.text import counted, size
from include.vault.vault import Vault
from include.vms.record import VmRecord
from include.vms.removal import RemovedGeneration, due_removals, removals_after


def gone(removed: Iterable[RemovedGeneration]) -> Iterator[GenerationNote]:
    """Yield what was removed."""
    for one in removed:
        if not one.refused:
            reason = f"{one.reason} Its size was {size(one.bytes)}."
            yield GenerationNote(name=_generation(one), reason=reason)


def still_there(removed: Iterable[RemovedGeneration]) -> Iterator[str]:
    """Yield what couldn't be removed, and why, as sentences."""
    for one in removed:
        if one.refused:
            yield f"{_generation(one)} was to be removed, but is still there. {one.refused}"


def would_go(vault: Vault, site: Site, vms: Sequence[str], coming: datetime) -> Iterator[GenerationNote]:
    """Yield what would be removed after a run that images these VMs, of which it makes generations then."""
    boot_tests = {vm for vm in vms if site.boot_test_required(vm)}
    for one in removals_after(vault, vms, site.vms.keep, coming, boot_tests=boot_tests):
        reason = f"It would go once the new image is verified. {one.reason}"
        yield GenerationNote(name=_generation(one), reason=reason)


def held(vault: Vault, site: Site, made: Sequence[VmRecord], failed: Sequence[str]) -> str:
    """Return that nothing was removed, because of what failed, and what to do, as sentences.

    Args:
        vault: the vault.
        site: the site file.
        made: what the run published.
        failed: the VMs of which something failed, and the hosts whose VMs couldn't be listed.

    Returns:
        an empty text if nothing failed, or nothing was to be removed.
    """
    boot_tests = {record.vm for record in made if site.boot_test_required(record.vm)}
    due = len(due_removals(vault, made, site.vms.keep, boot_tests=boot_tests)) if failed else 0
    if not due:
        return ""
    stay = "stays" if due == 1 else "stay"
    return (
        f"No old image was removed, because {joined(failed)} failed: {counted(due, 'image')} that retention "
        f"no longer keeps {stay} until a run backs up all VMs. Fix the cause, or exclude a VM that can't be "
        "backed up in the site file (vms.hosts, exclude)."
    )


def _generation(removed: RemovedGeneration) -> str:
    return f"{removed.vm} {removed.instant.astimezone(UTC):%Y-%m-%dT%H-%M-%SZ}"
