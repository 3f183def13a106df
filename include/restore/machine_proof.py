"""The proof that a generation in the vault is as it was published, as far as it's read before all else.

Images are proven chunk by chunk as they are sent; all else of a generation is small, and proven here.
"""

from include.audit.hashing import compare, missing_and_strange, told
from include.errors import BackupError, DamagedError, VaultError
from include.listing import sha256_of
from include.machines.generation import PublishedGeneration
from include.machines.machine_record import MachineRecord


def require_whole(generation: PublishedGeneration) -> MachineRecord:
    """Insist on the definition, the firmware and the lists of chunks as they were published.

    Returns:
        the record.

    Raises:
        DamagedError: says what is wrong.
        VaultError: it can't be read.
    """
    record = generation.record
    small = record.names - record.images - {generation.sums.name}
    try:
        sums = sha256_of(generation.sums.read_bytes())
        faults = missing_and_strange(small, [name for name in small if generation.file(name).is_file()])
        there = {name: sums.get(name, "") for name in small - faults.keys()}
        wrong = told({**faults, **compare(generation.folder, there, lambda _: None)})
    except OSError as refused:
        raise VaultError(f"{generation.folder} can't be read: {refused}.") from refused
    except (BackupError, ValueError) as garbled:
        raise DamagedError(f"{generation.folder} is damaged. Its SHA256SUMS: {garbled}.") from garbled
    if wrong:
        raise DamagedError(f"{generation.folder} is damaged. {' '.join(wrong)}")
    return record
