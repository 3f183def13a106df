"""Read back from the vault's disk what a backup has staged: what differs is transferred again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from include.agent.bitmap import Bitmap
from include.errors import VaultError, VmNotImagedError
from include.names import named
from include.results.task_labels import task_label
from include.text import counted
from include.vms import image
from include.vms.archive import PublishedVm, StagedVm
from include.vms.chunks import Chunks
from include.vms.incoming_disk import usable_base

BEGIN = task_label("begin_backup")
RETRIES = 2  # how often chunks that differ are transferred again
_OTHER_DATA = (
    "the vault's disk returns other data for {} than were written. "
    "Nothing was published. Check the vault's disk."
)


@dataclass(frozen=True)
class ReadBack:
    """Reads the staged images of a backup.

    Args:
        staged: where they are.
        disks: their names.
        again: transfers chunks again, by disk.
        log: is called with each line of progress.
    """

    staged: StagedVm
    disks: tuple[str, ...]
    again: Callable[[Mapping[str, Bitmap]], None]
    log: Callable[[str], None]

    def whole(self) -> tuple[dict[str, str], int]:
        """Return each image's SHA-256 once all chunks are the host's, and how many were transferred again.

        Raises:
            VmNotImagedError: some still differ.
        """
        sha256 = dict[str, str]()

        def read(disk: str) -> Bitmap:
            result = image.read_back(self.staged.image(disk), self._chunks(disk), self.log)
            sha256[disk] = result.sha256
            return result.bad

        repeated = self._until_good(read)
        return sha256, repeated

    def received(self, base: PublishedVm) -> int:
        """Return how many chunks were transferred again until all that the host sent were good.

        Args:
            base: the generation that the others were copied from.

        Raises:
            VmNotImagedError: some still differ.
        """

        def read(disk: str) -> Bitmap:
            chunks, (old, _) = self._chunks(disk), usable_base(base, disk)
            return image.bad_among(self.staged.image(disk), chunks, _new(chunks, old))

        return self._until_good(read)

    def _chunks(self, disk: str) -> Chunks:
        return Chunks.read(self.staged.chunks(disk))

    def _until_good(self, read: Callable[[str], Bitmap]) -> int:
        left, repeated = list(self.disks), 0
        for retry in range(RETRIES + 1):
            bad = {disk: found for disk in left if (found := read(disk))}
            if not bad:
                return repeated
            left, repeated = list(bad), repeated + sum(map(len, bad.values()))
            if retry < RETRIES:
                self._transfer_again(bad)
        raise VmNotImagedError(
            f"{self.staged.vm}: checksum mismatch after {RETRIES} retries: {_OTHER_DATA.format(named(left))}"
        )

    def _transfer_again(self, bad: Mapping[str, Bitmap]) -> None:
        self.log(f"{self.staged.vm}: checksum mismatch of {_counted(bad)}.")
        self.again(bad)


def not_the_hosts(
    staged: StagedVm, base: PublishedVm | None, bad: Mapping[str, Bitmap], run: str
) -> VmNotImagedError:
    """Return the error for chunks that differ once the host's backup is ended; record damage of the base.

    Args:
        staged: where they are.
        base: the generation that unchanged chunks were copied from.
        bad: the chunks' indexes by disk.
        run: the run.
    """
    damaged = {disk: found for disk, some in bad.items() if base and (found := _bad_in(base, disk, some))}
    if not (base and damaged):
        return VmNotImagedError(f"{staged.vm}: checksum mismatch: {_OTHER_DATA.format(named(bad))}")
    how = f"{_counted(damaged)} can't be copied from it to the next generation: checksum mismatch."
    unrecorded = base.verification_log.record_damage(how, run, by="later_backup")
    return VmNotImagedError(
        f"{staged.vm}: {base.name} is damaged: {how} Nothing was published. "
        f"{unrecorded or f'Clear its task {BEGIN} and no chunk is copied from there.'}"
    )


def _bad_in(base: PublishedVm, disk: str, some: Bitmap) -> Bitmap:
    try:
        return image.bad_among(base.image(disk), Chunks.read(base.chunks(disk)), some)
    except (OSError, VaultError):  # another size, or unreadable
        return some


def _counted(bad: Mapping[str, Bitmap]) -> str:
    return ", ".join(f"{counted(len(indexes), 'chunk')} of {disk}" for disk, indexes in bad.items())


def _new(chunks: Chunks, old: Chunks) -> Bitmap:
    """Return the chunks that the base hasn't. Zeros among them are holes: nothing is read."""
    different = (index for index in range(chunks.count) if chunks.digest(index) != old.digest(index))
    return Bitmap(chunks.count, different)
