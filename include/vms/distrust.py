"""What follows when a chunk that counted as unchanged turns out to differ: all is read from now on.

    <vault>/vm/<vm>/read-whole.json    until a person removes it, each backup of the VM reads its disks whole

The generations since its last one that was read whole may have the same fault in chunks that nobody read
again: they count as damaged, whatever a scrub finds, as their checksums are of what was carried.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from pydantic import AwareDatetime, ValidationError

from include.agent.durable_files import make_folder, write_json
from include.models import Model
from include.names import named
from include.vault.verification_log import LogEntry
from include.vms.archive import VmArchive
from include.vms.published import PublishedVm

_FILE = "read-whole.json"


class Distrust(Model):
    """Why the disks of a VM are read whole: the run that found it, when, and what it found."""

    run: str
    when: AwareDatetime
    how: str


def distrust_file(archive: VmArchive, vm: str) -> Path:
    """Return the file that has a VM's disks read whole while it exists."""
    return archive.folder_of(vm) / _FILE


def distrust_warning(archive: VmArchive, vm: str) -> str:
    """Return why the disks of a VM are read whole, as sentences; an empty text if they needn't be."""
    path = distrust_file(archive, vm)
    if not path.exists():
        return ""
    try:
        why = Distrust.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as damaged:
        return f"Its disks are read whole. {path} can't be read: {damaged}."
    since = f"Its disks are read whole since {why.when:%Y-%m-%d}."
    return f"{since} {why.how} Once that is understood, remove {path}."


def distrust(archive: VmArchive, vm: str, run: str, how: str) -> str:
    """Have a VM's disks read whole from now on, and mark the generations that may have the same fault.

    Args:
        archive: the vault's VMs; the caller has locked this one.
        vm: its name.
        run: the run that found it.
        how: what it found, as a sentence.

    Returns:
        what was found, and which generations are suspect, as sentences.
    """
    suspects = list(_since_read_whole(archive.of(vm)))
    names = f" Suspect, and not counted as verified any more: {named(one.name for one in suspects)}."
    message = f"{how}{names if suspects else ''}"
    path = distrust_file(archive, vm)
    make_folder(path.parent, 0o700)
    write_json(path, Distrust(run=run, when=datetime.now(UTC), how=message).model_dump(mode="json"))
    _mark(suspects, run, how)
    return message


def found_by(archive: VmArchive, vm: str, run: str) -> str:
    """Return what a run has found already; mark what an earlier try of it was killed before it marked.

    Args:
        archive: see :func:`distrust`.
        vm: see there.
        run: the run, which hasn't published the VM yet.

    Returns:
        what :func:`distrust` returned; an empty text if the run found nothing.
    """
    try:
        why = Distrust.model_validate_json(distrust_file(archive, vm).read_bytes())
    except (OSError, ValidationError):
        return ""
    if why.run != run:
        return ""
    _mark([one for one in _since_read_whole(archive.of(vm)) if not one.verification_log.damage], run, why.how)
    return why.how


def _mark(suspects: Sequence[PublishedVm], run: str, how: str) -> None:
    for one in suspects:
        entry = LogEntry(what="reread", when=datetime.now(UTC), result="failed", how=how, seconds=0, run=run)
        one.verification_log.append(entry)


def _since_read_whole(generations: Sequence[PublishedVm]) -> Iterator[PublishedVm]:
    """Yield the generations since the last one of which everything was read, newest first."""
    for generation in reversed(generations):
        record = generation.readable_record
        if record and not any(disk.carried_bytes for disk in record.disks):
            return
        yield generation
