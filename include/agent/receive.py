"""Takes disks from the vault: only the chunks that differ from what is at their place, each checked.

The vault's side begins with a line of JSON, what is to be restored (``restoring.py``), and hears one:

    {"disks": [{"name": "vda", "path": "/vms/maq1.img", "new": "/vms/maq1.img.restoring-...", "base": true}]}

Then it asks, a line of JSON each time, and some of these are followed by more:

    {"do": "compare", "disk": "vda", "chunk_bytes": 1048576, "count": 4096}   so many hashes: the disk to be
    {"do": "write", "disk": "vda", "count": 3}                                so many frames D
    {"do": "prove", "disk": "vda"}

Frames are those of ``wire.py``; in answers:

    S  first chunk, how many: the new disk holds them
    W  first chunk, how many: it doesn't: they are wanted
    L  a sign of life
    E  0, length; then JSON: the end
    X  0, length; then JSON: it can't be done: {"error": class, "message": sentence}

Each chunk is read from the disk itself, past the page cache, after it was last written: those that the
new disk began with when they are compared, all others when it's proven. Until all is proven, and ``swap``
is called, the machine is as it was; a block device excepted, which is written to directly. A disk that was
begun stays for the next try.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from . import new_disk
from .errors import AgentError, BusyError, NotRestoredError, UsageError
from .folder import MachineFolder, State, held, read_json, write_json
from .nbd import LARGEST_READ, Export, NbdError
from .nbd_write import all_written
from .reading import Part, blocks, sha256
from .restore_room import restore_room
from .restoring import Restore
from .target import Target, look, programs_there
from .virsh import Virsh
from .wire import DIGEST_BYTES, FRAME, Runs, Wire, WrongQuestionError

_DONE, _NOBODY_LISTENS = 0, 1  # exit statuses
_PATIENCE_S = 5.0
_PROVES_S = 4 * 3600  # the vault's side may read all of its images before it sends the first chunk
_UNTOUCHED = "The machine wasn't touched; what was begun is kept for the next try."
_DIRECT = "A block device is written to directly: it's incomplete until this restore is run again."


def receive(state: State, virsh: Virsh, wire_in: BinaryIO, wire_out: int) -> int:
    """Take what the vault's side sends, until it sends no more.

    Args:
        state: the agent's folder.
        virsh: the host's libvirt.
        wire_in: what is heard.
        wire_out: a file descriptor for the answers.

    Returns:
        an exit status: 0 done, 1 nobody listens; else that of what went wrong (``errors.py``).
    """
    wire = Wire(wire_in, wire_out)
    say, standing = wire.say, _UNTOUCHED
    try:
        restore = Restore(wire.heard())
        with _held(state, restore) as (folder, room):
            programs_there()
            targets = look(state, virsh, restore)
            say(_introduction(targets))
            say, standing = wire.refuse, _DIRECT if any(target.device for target in targets) else _UNTOUCHED
            _Receiving(folder, room, restore, targets, wire).all()
    except (BrokenPipeError, EOFError):
        return _NOBODY_LISTENS
    except (NbdError, WrongQuestionError, OSError) as error:
        return _refused(say, NotRestoredError(f"The new disk can't be made. {error} {standing}"))
    except AgentError as error:
        return _refused(say, error)
    finally:
        signal.alarm(0)
    return _DONE


def _refused(say: Callable[[dict[str, Any]], None], error: AgentError) -> int:
    say({"error": type(error).__name__, "message": str(error), "status": error.status})
    return error.status


@contextmanager
def _held(state: State, restore: Restore) -> Iterator[tuple[MachineFolder, Path]]:
    """Keep every other restore of the machine off, and give a room."""
    state.make()
    folder = state.of(restore.uuid)
    folder.make()
    folder.restore.mkdir(mode=0o700, exist_ok=True)
    with held(folder.restore / "lock", patience_s=_PATIENCE_S) as mine:
        if not mine:
            raise BusyError(f"{restore.name} is being restored by somebody else. Come again.")
        with restore_room(folder, restore) as room:
            yield folder, room


def _introduction(targets: list[Target]) -> dict[str, Any]:
    return {"disks": [told(target) for target in targets]}


def told(target: Target) -> dict[str, Any]:
    """Give what the vault's side is told of a disk's place."""
    return {
        "name": target.disk.name,
        "path": str(target.disk.path),
        "new": str(target.new),
        "base": bool(target.base),
        "flat": target.flat,
        "begun": not target.device and os.path.lexists(target.new),
    }


class _Receiving:
    """The disks of a machine, as they come."""

    def __init__(
        self, folder: MachineFolder, room: Path, restore: Restore, targets: list[Target], wire: Wire
    ) -> None:
        self._folder = folder
        self._room = room
        self._token = restore.token
        self._targets = {target.disk.name: target for target in targets}
        self._wire = wire
        self._digests: dict[str, bytes] = {}
        self._chunk_bytes = 0
        self._wanted: dict[str, set[int]] = {}
        self._unread: dict[str, set[int]] = {}  # chunks not read from the disk since they were written

    def all(self) -> None:
        """Do what is asked, until nothing is."""
        does = {"compare": self._compare, "write": self._write, "prove": self._prove}
        while asked := self._wire.heard(_PROVES_S):
            target = self._targets.get(str(asked.get("disk")))
            do = does.get(str(asked.get("do")))
            if not (target and do):
                raise WrongQuestionError(f"That isn't known: {asked}.")
            do(target, asked)

    def _alive(self) -> None:
        self._wire.frame(b"L", 0, 0)

    def _compare(self, target: Target, asked: dict[str, Any]) -> None:
        """Say which chunks of the new disk aren't as they are to be; zeros are put there at once."""
        self._take_digests(target, asked)
        self._forget_proof(target)
        new_disk.make(target, self._alive)
        runs, read, wants = Runs(self._wire), 0, self._none_wanted(target)
        unread = self._unread[target.disk.name] = set()
        with new_disk.writable(target, self._room) as (export, from_disk), all_written(export) as writes:
            part = Part(export, self._chunk_bytes, 0, self._count(target))
            of_zeros = part.of_zeros()
            for index, block in blocks(part):
                length, wanted = self._length(target, index), self._digest(target, index)
                read += length if block else 0
                if self._same(block, length, wanted, of_zeros):
                    runs.add(b"S", index)
                    if not from_disk:
                        unread.add(index)
                elif wanted == of_zeros.get(length) and not target.device:
                    writes.add(export.zero(index * self._chunk_bytes, length))
                    runs.add(b"S", index)
                    unread.add(index)
                else:
                    runs.add(b"W", index)
                    wants.add(index)
        runs.end()
        self._wire.words(b"E", {"read_bytes": read})

    def _same(
        self,
        block: tuple[memoryview, bytes] | None,
        length: int,
        wanted: bytes,
        of_zeros: dict[int, bytes],
    ) -> bool:
        if block is None:
            return wanted == of_zeros.get(length)
        view, digest = block
        return wanted == (digest if len(view) == length else sha256(view[:length]))

    def _write(self, target: Target, asked: dict[str, Any]) -> None:
        """Write chunks, each once it's known to be what was hashed."""
        unread = self._unread.setdefault(target.disk.name, set())
        with new_disk.writable(target, self._room) as (export, _), all_written(export) as writes:
            for _ in range(int(asked.get("count", 0))):
                index, data = self._chunk(target)
                unread.add(index)
                writes.add(export.write(index * self._chunk_bytes, data))
        self._wire.words(b"E", {})

    def _chunk(self, target: Target) -> tuple[int, memoryview]:
        kind, index, length, digest = FRAME.unpack(self._wire.exactly(FRAME.size))
        if (
            kind != b"D"
            or index not in self._wanted.get(target.disk.name, ())
            or length != self._length(target, index)
        ):
            raise WrongQuestionError(f"Nobody wants the chunk {index:,} of {length:,} bytes.")
        data = memoryview(self._wire.exactly(length))
        if sha256(data) != digest or digest != self._digest(target, index):
            raise NotRestoredError(
                f"Chunk {index:,} of {target.disk.name} arrived other than it was hashed. "
                f"{_DIRECT if target.device else _UNTOUCHED}"
            )
        return index, data

    def _prove(self, target: Target, _asked: dict[str, Any]) -> None:
        """Read back from the disk what was written; what isn't as it is to be is wanted again.

        What wasn't written was read from there when it was compared.
        """
        if missing := self._wanted.get(target.disk.name, {0}) - self._unread.get(target.disk.name, set()):
            raise WrongQuestionError(f"{len(missing):,} chunks of {target.disk.name} haven't come yet.")
        runs, wants, unread = Runs(self._wire), self._none_wanted(target), self._unread[target.disk.name]
        with new_disk.from_the_disk(target, self._room) as export:
            for part in self._parts(export, unread):
                of_zeros = part.of_zeros()
                for index, block in blocks(part):
                    wanted = self._digest(target, index)
                    good = self._same(block, self._length(target, index), wanted, of_zeros)
                    runs.add(b"S" if good else b"W", index)
                    if not good:
                        wants.add(index)
        runs.end()
        self._unread[target.disk.name] = set()
        if not wants:
            self._note_proof(target)
        self._wire.words(b"E", {})

    def _parts(self, export: Export, chunks: set[int]) -> Iterator[Part]:
        """Give chunks as parts of the disk, each as long as it can be."""
        ordered = sorted(chunks)
        starts = [index for index in ordered if index - 1 not in chunks]
        ends = [index + 1 for index in ordered if index + 1 not in chunks]
        for first, end in zip(starts, ends):
            yield Part(export, self._chunk_bytes, first, end)

    def _take_digests(self, target: Target, asked: dict[str, Any]) -> None:
        self._chunk_bytes, count = int(asked.get("chunk_bytes", 0)), int(asked.get("count", -1))
        if not 0 < self._chunk_bytes <= LARGEST_READ or count != self._count(target):
            raise UsageError(
                f"{target.disk.name} can't have {count:,} chunks of {self._chunk_bytes:,} bytes."
            )
        self._digests[target.disk.name] = bytes(self._wire.exactly(count * DIGEST_BYTES))

    def _none_wanted(self, target: Target) -> set[int]:
        self._wanted[target.disk.name] = set()
        return self._wanted[target.disk.name]

    def _count(self, target: Target) -> int:
        return -(-target.disk.bytes // self._chunk_bytes) if self._chunk_bytes else 0

    def _length(self, target: Target, index: int) -> int:
        return min(self._chunk_bytes, target.disk.bytes - index * self._chunk_bytes)

    def _digest(self, target: Target, index: int) -> bytes:
        return self._digests[target.disk.name][index * DIGEST_BYTES : (index + 1) * DIGEST_BYTES]

    def _forget_proof(self, target: Target) -> None:
        self._keep_proofs({name: seen for name, seen in self._proofs().items() if name != target.disk.name})

    def _note_proof(self, target: Target) -> None:
        self._keep_proofs({**self._proofs(), target.disk.name: seen(target)})

    def _proofs(self) -> dict[str, Any]:
        found = read_json(self._folder.restore / "proven.json")
        return dict(found.get("disks", {})) if found.get("token") == self._token else {}

    def _keep_proofs(self, disks: dict[str, Any]) -> None:
        write_json(self._folder.restore / "proven.json", {"token": self._token, "disks": disks})


def seen(target: Target) -> list[int]:
    """Give by what a disk's files are known to be the very ones that were proven."""
    files = [target.new, target.place] if target.overlay else [target.new]
    found = [path.stat() for path in files]
    return [fact for one in found for fact in (one.st_ino, one.st_size, one.st_mtime_ns)]
