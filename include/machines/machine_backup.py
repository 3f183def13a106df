"""Securing one machine: frozen, pulled, proven, released, published. Each step can be killed, and done again.

Freezing and releasing are calls that the machine's host brings to their end by itself, whatever becomes of
us. Pulling and proving leave what they found in the vault's staging; only publishing gives a final name.
"""

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from include.day_backup import write_json
from include.errors import BackupError, MachineNotImagedError, VaultError
from include.listing import named
from include.locks import soon
from include.machines import filesystems, image, publication
from include.machines.chunks import Chunks
from include.machines.facts import FreezeRequest, Frozen, Released
from include.machines.generation import Generations, PublishedGeneration, StagedGeneration, to_the_second
from include.machines.host import Host
from include.machines.machine_record import KeptDisk, MachineRecord
from include.machines.plan import FILES
from include.machines.pull import Pulled, pull, pull_again
from include.machines.served import Way
from include.record import Proof
from include.space import Room
from include.transfer import connected
from include.vault import Vault
from include.wording import counted

PULL_ENDS_S = 20.0  # one that a person ended: Airflow ends it at its next heartbeat, or kills it 5 s later
HEALINGS = 2  # times that chunks which came out wrong are pulled again
_LATER = {"record.json", "SHA256SUMS"}  # written when it's published


@dataclass(frozen=True)
class MachineBackup:
    """One machine on its way from its host into the vault.

    Args:
        vault: where to.
        host: where from.
        machine: its name, by which the vault keeps it.
        uuid: by which the host knows it.
        run: the run that does it, for journal and record.
        reserve_bytes: room that the vault keeps free.
        say: told how it goes, a line at a time.
    """

    vault: Vault
    host: Host
    machine: str
    uuid: str
    run: str
    reserve_bytes: int
    say: Callable[[str], None]

    def freeze(self, request: FreezeRequest, need_bytes: int = 0) -> Frozen:
        """Have the machine's disks frozen, and the machine running again, as it was.

        A run that has proven images of the machine already doesn't stop it a second time.

        Args:
            request: how.
            need_bytes: :func:`room_needed` for it; checked again before anything is stopped.

        Raises:
            NoSpaceError: the room isn't there; nothing was stopped.
            NotYetError: another run is at the machine, or another machine of its host is down.
            BackupError: what the host says; see ``Host.freeze``.
        """
        with self._held() as staged:
            if proven := self._proven(staged):
                self.say(f"{self.machine}: this run has proven images of it already; it isn't stopped again.")
                return proven.frozen
            Room.of(self.vault.root).require(need_bytes, FILES, self.reserve_bytes)
            return self.host.freeze(self.uuid, request)

    def pull(self, frozen: Frozen) -> Pulled | None:
        """Receive the frozen disks into staging; only what differs from the newest generation comes.

        Returns:
            what came; None where the images are proven already.

        Raises:
            ImageGoneError: the host doesn't hold the frozen disks any more.
            NotYetError: another run is at the machine.
            NoSpaceError: the vault filled up.
            PassingError: the connection broke; another try goes on where it was.
        """
        with self._held() as staged:
            return None if self._proven(staged) else self._pull(staged, frozen)

    def prove(self, frozen: Frozen) -> MachineRecord:
        """Read the images back from the disk, and hold each chunk against what the host hashed.

        Chunks that differ, such as those of a decayed base, are pulled again while the host holds the disks.

        Returns:
            the record to be.

        Raises:
            MachineNotImagedError: they still differ; nothing is published.
        """
        with self._held() as staged:
            return self._proven(staged) or self._prove(staged, frozen)

    def release(self) -> Released:
        """End the machine's job at its host; what isn't proven by then never will be, and is dropped."""
        released = self.host.release(self.uuid, self.run)
        mine = soon(lambda: self._generations.hold(self.machine), PULL_ENDS_S)
        with suppress(BackupError), mine as staged:
            if staged.run == self.run and not staged.draft.exists():
                staged.clear()
        return released

    def publish(self, frozen: Frozen) -> MachineRecord:
        """Give the proven images their final name, read-only.

        Returns:
            the record of the generation that this run published, now or before.

        Raises:
            MachineNotImagedError: there are no proven images.
        """
        with self._generations.hold(self.machine) as staged:
            if staged.run == self.run and staged.draft.exists() and staged.data.exists():
                publication.publish(staged)
            if not (published := self._published()):
                raise MachineNotImagedError(
                    f"{frozen.machine} has no proven images in the vault. Clear its freeze task."
                )
            if staged.run in (self.run, None):
                staged.clear()
            published.seal()
            return published.record

    @property
    def _generations(self) -> Generations:
        return Generations(self.vault)

    def _published(self) -> PublishedGeneration | None:
        for one in self._generations.of(self.machine):
            if (record := one.readable_record) and record.run == self.run:
                return one
        return None

    def _proven(self, staged: StagedGeneration) -> MachineRecord | None:
        if published := self._published():
            return published.record
        if staged.run == self.run:
            with suppress(VaultError):  # none, or damaged: it's proven anew
                return publication.read_draft(staged).record
        return None

    @contextmanager
    def _held(self) -> Iterator[StagedGeneration]:
        with self._generations.hold(self.machine) as staged:
            if staged.run != self.run and staged.draft.exists() and staged.data.exists():
                self._finish_left(staged)
            yield staged

    def _finish_left(self, staged: StagedGeneration) -> None:
        """Publish what another run had proven, and was ended before it could publish it."""
        try:
            left = publication.publish(staged)
            staged.clear()
            left.seal()
        except VaultError as refused:
            self.say(f"{self.machine}: what another run had proven can't be published. {refused}")
        else:
            self.say(f"{self.machine}: {left.name}, proven by another run, is published now.")

    def _pull(self, staged: StagedGeneration, frozen: Frozen) -> Pulled:
        if staged.is_of(self.run, frozen.instant):
            with suppress(OSError, ValueError):  # not all of it came yet, or that can't be read
                return Pulled.model_validate_json(staged.pulled.read_bytes())
        with self._way(frozen) as way:
            pulled = pull(way, staged, self._base(), self.say)
        write_json(staged.pulled, pulled.model_dump(mode="json"))
        return pulled

    def _base(self) -> PublishedGeneration | None:
        # A damaged one would do, as each chunk is proven anyway; but the new image would share its blocks.
        whole = [one for one in self._generations.of(self.machine) if not one.damage]
        return whole[-1] if whole else None

    def _prove(self, staged: StagedGeneration, frozen: Frozen) -> MachineRecord:
        pulled, started = self._pull(staged, frozen), time.monotonic()
        sha256, healed = self._read_back(staged, frozen)
        count = sum(Chunks.read(staged.chunks(disk.name)).count for disk in frozen.disks)
        how = f"SHA-256 of {counted(count, 'chunk')} read back from the disk equal to the host's"
        how += f"; {counted(healed, 'chunk')} pulled again before" if healed else ""
        proof = Proof(when=datetime.now(UTC), how=how, seconds=round(time.monotonic() - started, 3))
        record = self._record(staged, frozen, pulled, sha256, proof)
        sums = {name: _sha256(staged.data / name) for name in sorted(record.names - record.images - _LATER)}
        sums |= {f"{disk.name}.img": disk.sha256 for disk in record.disks}
        write_json(staged.draft, publication.Draft(record=record, sums=sums).model_dump(mode="json"))
        self.say(f"{self.machine}: {how}.")
        return record

    def _read_back(self, staged: StagedGeneration, frozen: Frozen) -> tuple[dict[str, str], int]:
        """Give each disk's SHA-256 once all are proven, and how many chunks were healed for that."""
        sha256, healed, left = dict[str, str](), 0, [disk.name for disk in frozen.disks]
        for healing in range(HEALINGS + 1):
            proofs = {disk: self._proof(staged, disk) for disk in left}
            sha256 |= {disk: proof.sha256 for disk, proof in proofs.items()}
            bad = {disk: proof.bad for disk, proof in proofs.items() if proof.bad}
            if not bad:
                return sha256, healed
            left, healed = list(bad), healed + sum(len(chunks) for chunks in bad.values())
            if healing < HEALINGS:
                self._heal(staged, frozen, bad)
        raise MachineNotImagedError(
            f"{self.machine}: what the vault's disk gives back of {named(left)} still isn't what the host "
            "hashed. Nothing was published. Check the vault's disk."
        )

    def _proof(self, staged: StagedGeneration, disk: str) -> image.Proof:
        return image.read_back(staged.image(disk), Chunks.read(staged.chunks(disk)), self.say)

    def _heal(self, staged: StagedGeneration, frozen: Frozen, bad: Mapping[str, list[int]]) -> None:
        told = ", ".join(f"{counted(len(chunks), 'chunk')} of {disk}" for disk, chunks in bad.items())
        self.say(f"{self.machine}: {told} came out other than the host hashed them; pulled again.")
        with self._way(frozen) as way:
            pull_again(way, staged, bad)

    @contextmanager
    def _way(self, frozen: Frozen) -> Iterator[Way]:
        command = self.host.serve_command(self.uuid)
        with connected(self.host.door.route) as config:
            yield Way(config, command, frozen)

    def _record(
        self,
        staged: StagedGeneration,
        frozen: Frozen,
        pulled: Pulled,
        sha256: Mapping[str, str],
        proof: Proof,
    ) -> MachineRecord:
        sent = {disk.name: disk.sent_bytes for disk in pulled.disks}
        disks = tuple(
            KeptDisk(
                name=disk.name,
                bytes=disk.bytes,
                source_format=disk.format,
                source_path=disk.path,
                sha256=sha256[disk.name],
                sent_bytes=sent[disk.name],
                filesystems=tuple(filesystems.found(staged.image(disk.name))),
            )
            for disk in frozen.disks
        )
        base = self._base()
        return MachineRecord(
            machine=self.machine,
            uuid=self.uuid,
            host=self.host.door.connection,
            instant=to_the_second(frozen.instant),
            method=frozen.method,
            was=frozen.was,
            downtime_s=frozen.downtime_s,
            steps=frozen.steps,
            stopped=frozen.stopped,
            proof_of_life=frozen.proof,
            disks=disks,
            files=tuple(pulled.files),
            base=base.name if base else None,
            bytes=sum(path.stat().st_blocks * 512 for path in staged.data.iterdir()),
            run=self.run,
            pull_seconds=pulled.seconds,
            warnings=(*frozen.warnings, *_unclean(disks), *self._strangers(base)),
            proofs=(proof,),
        )

    def _strangers(self, base: PublishedGeneration | None) -> list[str]:
        before = base.record.uuid if base else self.uuid
        told = f"The generation before is another machine's of the same name (UUID {before})."
        return [] if before == self.uuid else [told]


def _unclean(disks: Iterable[KeptDisk]) -> list[str]:
    return [
        f"{disk.name}, {found.told}" for disk in disks for found in disk.filesystems if found.clean is False
    ]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
