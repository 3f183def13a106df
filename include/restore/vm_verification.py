"""Verify the small files of a generation before a restore begins.

The images are verified chunk by chunk, as they are sent.
"""

from include.errors import BackupError, DamagedError, VaultError
from include.scrub.faults import Faults
from include.scrub.hashing import compare, missing_and_unexpected
from include.vault.files import read_whole
from include.vault.sha256sums import parse_sums
from include.vms.archive import PublishedVm
from include.vms.record import VmRecord


def require_intact(generation: PublishedVm) -> VmRecord:
    """Check that the definition, the firmware and the lists of chunks are as published.

    Returns:
        The generation's record.

    Raises:
        DamagedError: a file is damaged; the message has the damage.
        VaultError: a file can't be read.
    """
    record = generation.record
    small = record.names - record.images - {generation.sums.name}
    try:
        sums = parse_sums(read_whole(generation.sums))
        faults = dict(
            missing_and_unexpected(small, [name for name in small if generation.file(name).is_file()])
        )
        existing = [(name, sums.get(name, "")) for name in small - faults.keys()]
        compare(generation.folder, existing, lambda _: None, faults.__setitem__)
        damage = Faults(faults).sentences
    except OSError as refused:
        raise VaultError(f"{generation.folder} can't be read: {refused}.") from refused
    except (BackupError, ValueError) as garbled:
        raise DamagedError(
            f"{generation.folder} is damaged. Its SHA256SUMS can't be read: {garbled}."
        ) from garbled
    if damage:
        raise DamagedError(f"{generation.folder} is damaged. {' '.join(damage)}")
    return record
