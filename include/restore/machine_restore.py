"""A machine brought back from the vault to a KVM host.

What is sent is what differs; each chunk is proven here before, and there after. Nothing of the machine is
touched until all of it is proven at the host; then the host puts it to its place, step by step. Whatever is
killed, the next try goes on where it was.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from include.errors import (
    BackupError,
    DamagedError,
    HostError,
    HostNotReadyError,
    MachineNotRestoredError,
    SourceUnreachableError,
)
from include.facts import Facts
from include.listing import named
from include.machines.chunks import Chunks
from include.machines.generation import Generations, PublishedGeneration
from include.machines.host import Host
from include.machines.progress import Progress
from include.machines.restore_facts import Place, RestoreDisk, RestoreRequest, Swapped
from include.restore import machine_definition
from include.restore.machine_choice import kept_meanwhile, other_good
from include.restore.machine_request import Asked, asked
from include.restore.machine_sender import Sender, proven, sending
from include.restore.machine_wish import MachineWish
from include.transfer import connected
from include.vault import Vault
from include.wording import counted, size

HEALINGS = 2  # times that chunks which came out wrong are sent again


class MachineRestored(Facts):
    """What was restored.

    Args:
        swapped: what became of the machine.
        sent_bytes: what differed, and was sent.
        chunks: how many were read back at the host.
        seconds: what it took.
        warnings: what a person should know.
    """

    swapped: Swapped
    sent_bytes: int
    chunks: int
    seconds: float
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class MachineRestore:
    """One machine on its way back.

    Args:
        vault: where from.
        host: where to.
        wish: what is asked for.
        generation: the one that was chosen.
        run: the run that does it.
        say: told how it goes, a line at a time.
    """

    vault: Vault
    host: Host
    wish: MachineWish
    generation: PublishedGeneration
    run: str
    say: Callable[[str], None]

    def places(self) -> tuple[Place, ...]:
        """Give where its disks would go, and touch nothing.

        Raises:
            ConfigError: what is asked for can't be.
            VaultError: the generation can't be read.
            MachineNotPossibleError: something stands in the way at the host.
        """
        with self._damage_told(note=False):
            return self.host.check_restore(self._request().request).disks

    def run_all(self) -> MachineRestored:
        """Bring it back.

        Raises:
            ConfigError: what is asked for can't be.
            VaultError: the generation is damaged; nothing of the machine was touched.
            MachineNotPossibleError: something stands in the way at the host; nothing was touched.
            MachineNotRestoredError: it failed there; says what each disk holds.
            PassingError: another try goes on where it was.
        """
        began = time.monotonic()
        with kept_meanwhile(self.vault, self.generation):
            with self._damage_told():
                asked = self._request()
            found, sent = self.host.check_restore(asked.request), 0
            if not (found.done or found.begun):
                sent = self._transfer(asked.request)
            swapped = found.done or self._swap(asked.request)
        return MachineRestored(
            swapped=swapped,
            sent_bytes=sent,
            chunks=sum(self._chunks(disk.name).count for disk in asked.request.disks),
            seconds=round(time.monotonic() - began, 3),
            warnings=(*asked.warnings, *swapped.warnings),
        )

    def _request(self) -> Asked:
        self.wish.require_in_order()
        return asked(self.wish, self.generation, self.run)

    def _transfer(self, request: RestoreRequest) -> int:
        """Have all disks at the host, proven; gives the bytes that were sent."""
        command = self.host.receive_command()
        with connected(self.host.door.route) as config, sending(config, command, request) as sender:
            wanted = {disk.name: self._compared(sender, disk) for disk in request.disks}
            direct = [place.path for place in sender.places if place.direct]
            if direct:
                self._prove_first(wanted)  # nothing can be taken back there
            try:
                return sum(self._sent(sender, disk.name, wanted[disk.name]) for disk in request.disks)
            except EOFError:
                if direct:
                    self.say(f"{named(direct)} is written to directly: incomplete until this is run again.")
                raise

    def _compared(self, sender: Sender, disk: RestoreDisk) -> list[int]:
        chunks = self._chunks(disk.name)
        wanted = sender.compare(disk.name, chunks)
        differs = f"{counted(len(wanted), 'chunk')} of {chunks.count:,}"
        self.say(f"{self.wish.machine} {disk.name}: {differs} differ from what {disk.path} holds.")
        return wanted

    def _prove_first(self, wanted: Mapping[str, list[int]]) -> None:
        for disk, indexes in wanted.items():
            with self._damage_told():
                for _ in proven(self.generation.image(disk), self._chunks(disk), indexes):
                    pass

    def _sent(self, sender: Sender, disk: str, wanted: list[int]) -> int:
        """Send chunks until the host proves the disk; gives the bytes."""
        chunks, image, sent = self._chunks(disk), self.generation.image(disk), 0
        for _ in range(HEALINGS + 1):
            total = sum(chunks.length(index) for index in wanted)
            if wanted:
                progress = Progress(f"{self.wish.machine} {disk}", total, self.say)
                with self._damage_told():
                    sender.write(disk, image, chunks, wanted, progress)
            sent += total
            wanted = sender.prove(disk, chunks)
            if not wanted:
                self.say(
                    f"{self.wish.machine} {disk}: {size(sent)} sent; {counted(chunks.count, 'chunk')} proven."
                )
                return sent
        raise MachineNotRestoredError(
            f"{disk} of {self.wish.machine}: what the host's disk gives back still isn't what was sent. The "
            "machine is as it was. Check that disk."
        )

    @contextmanager
    def _damage_told(self, *, note: bool = True) -> Iterator[None]:
        try:
            yield
        except DamagedError as damaged:
            proofs = self.generation.proofs
            if note and (told := proofs.note_damage(f"A restore found it: {damaged}", self.run)):
                self.say(told)
            others = Generations(self.vault).of(self.generation.machine)
            raise DamagedError(
                f"{damaged} Nothing of the machine was touched. {other_good(self.generation, others)}"
            ) from damaged

    def _swap(self, request: RestoreRequest) -> Swapped:
        try:
            return self.host.swap(request)
        except (HostError, SourceUnreachableError) as cut_off:
            told = ""
            with suppress(BackupError):  # the host is away: then the next try will say it
                told = self.host.cut_off(machine_definition.uuid_of(request.definition))
            if told:
                raise HostNotReadyError(f"{cut_off} {told}") from cut_off
            raise

    def _chunks(self, disk: str) -> Chunks:
        return Chunks.read(self.generation.chunks(disk))
