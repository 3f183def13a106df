"""Receive disks from the vault: only the chunks that differ from the old disks, each verified.

The worker first sends a line of JSON, the request (``request.py``), and gets one back:

    {"disks": [{"name": "vda", "path": "/vms/maq1.img", "new": "/vms/maq1.img.restoring-...", "base": true}]}

Then it sends commands, a line of JSON each; data follows some of them:

    {"do": "compare", "disk": "vda", "chunk_bytes": 1048576, "count": 4096}   then the hash of each chunk
    {"do": "write", "disk": "vda"}     then a frame D for each chunk, and a frame E
    {"do": "verify", "disk": "vda"}

Frames and signs of life are those of ``wire.py``; the worker's are frames, too, between those of a write. In
answers:

    S  first chunk, count: the new disk holds them
    W  first chunk, count: the new disk lacks them; the worker is to send them
    L  a sign of life
    E  0, length; then JSON: the end of the answer
    X  0, length; then JSON: an error: {"error": class, "message": sentence}

Each chunk is read from the disk itself, past the page cache, after its last write: the chunks that the new
disk began with in ``compare``, all others in ``verify``. Until everything is verified and ``swap`` is called,
the VM is unchanged, except on a block device, which is written to directly. A disk that was begun stays for
the next try.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from include.agent.bitmap import Bitmap
from include.agent.disks import new_disk
from include.agent.disks.chunk_reader import ChunkRange, ranges, read_chunks, sha256
from include.agent.disks.disk_program import DiskProgramError, require_space
from include.agent.disks.nbd_client import LARGEST_READ, NbdError
from include.agent.disks.nbd_writer import all_written
from include.agent.durable_files import make_folder
from include.agent.errors import AgentError, BusyError, NotRestoredError, UsageError, error_json
from include.agent.restore.disk_digests import DiskDigests
from include.agent.restore.disk_place import DiskPlace
from include.agent.restore.request import RestoreRequest
from include.agent.restore.target import checked_restore, require_programs
from include.agent.restore.verified import ComparedDisks, VerifiedDisks
from include.agent.restore.work_folder import restore_work_folder
from include.agent.state_folder import StateFolder, VmFolder, locked
from include.agent.virsh import Virsh
from include.agent.wire import FRAME, Runs, Wire, WireInput, WrongQuestionError

_DONE, _NOBODY_LISTENS = 0, 1  # exit statuses
_PATIENCE_S = 5.0
_UNTOUCHED = "The VM wasn't touched; the next try resumes."
_DIRECT = "A block device is written to directly: it's incomplete until this restore is run again."


def receive(state: StateFolder, virsh: Virsh, wire_in: WireInput, wire_out: int) -> int:
    """Execute the worker's commands until it closes the connection.

    Args:
        state: the agent's folder.
        virsh: the host's libvirt.
        wire_in: where the commands come from.
        wire_out: the file descriptor for the answers.

    Returns:
        An exit status: 0 when done, 1 when the connection broke, else that of the error (``errors.py``).
    """
    wire = Wire(wire_in, wire_out)
    with wire.beating():
        return _received(state, virsh, wire)


def _received(state: StateFolder, virsh: Virsh, wire: Wire) -> int:
    send, outcome = wire.send_json, _UNTOUCHED
    try:
        restore = RestoreRequest(wire.receive_json())
        with _locked(state, restore) as (folder, work_folder):
            require_programs()
            targets = checked_restore(state, virsh, restore).places
            send({"disks": [describe(target) for target in targets]})
            send, outcome = wire.send_error, _outcome(targets)
            _Receiver(folder, work_folder, restore, targets, wire).run()
    except (BrokenPipeError, EOFError):
        return _NOBODY_LISTENS
    except (NbdError, DiskProgramError, WrongQuestionError, OSError) as error:
        return _failed(send, NotRestoredError(f"The new disk can't be written. {error} {outcome}"))
    except AgentError as error:
        return _failed(send, error)
    return _DONE


def _outcome(targets: list[DiskPlace]) -> str:
    return _DIRECT if any(target.device for target in targets) else _UNTOUCHED


def _failed(send: Callable[[dict[str, Any]], None], error: AgentError) -> int:
    send(error_json(error))
    return error.status


@contextmanager
def _locked(state: StateFolder, restore: RestoreRequest) -> Iterator[tuple[VmFolder, Path]]:
    """Lock the VM against other restores, and yield its folder and a work folder."""
    state.make()
    folder = state.of(restore.uuid)
    folder.make()
    make_folder(folder.restore, 0o700)
    with locked(folder.restore / "lock", timeout_s=_PATIENCE_S) as mine:
        if not mine:
            raise BusyError(f"Another restore of {restore.name} is running. Try again later.")
        with restore_work_folder(folder, restore) as work_folder:
            yield folder, work_folder


def describe(target: DiskPlace) -> dict[str, Any]:
    """Return a disk's place as JSON for the worker."""
    return {
        "name": target.disk.name,
        "path": str(target.disk.path),
        "new": str(target.disk.path if target.device else target.new),
        "base": bool(target.base),
        "flat": target.flat,
        "begun": not target.device and os.path.lexists(target.new),
    }


class _Receiver:
    """Executes the worker's commands on the disks of a VM."""

    def __init__(
        self,
        folder: VmFolder,
        work_folder: Path,
        restore: RestoreRequest,
        targets: list[DiskPlace],
        wire: Wire,
    ) -> None:
        self._work_folder = work_folder
        self._verified = VerifiedDisks(folder, restore.token)
        self._compared = ComparedDisks(targets)
        self._targets = {target.disk.name: target for target in targets}
        self._wire = wire
        self._digests: dict[str, DiskDigests] = {}
        self._chunk_bytes = 0
        self._missing: dict[str, Bitmap] = {}
        self._unread: dict[str, Bitmap] = {}  # chunks not read from the disk since their last write

    def run(self) -> None:
        """Execute commands until the connection is closed."""
        commands = {
            "compare": self._compare,
            "write": self._write,
            "verify": self._verify,
        }
        while command := self._wire.receive_json():
            target = self._targets.get(str(command.get("disk")))
            execute = commands.get(str(command.get("do")))
            if not (target and execute):
                raise WrongQuestionError(f"Unknown command: {command}.")
            execute(target, command)

    def _compare(self, target: DiskPlace, command: dict[str, Any]) -> None:
        """Report which chunks the new disk lacks; write chunks of zeros at once."""
        self._take_digests(target, command)
        self._verified.remove(target)
        new_disk.make(target, lambda: self._wire.send_frame(b"L", 0, 0))  # fails if the worker hung up
        runs, read, missing = Runs(self._wire), 0, self._reset_missing(target)
        unread = self._unread[target.disk.name] = Bitmap(self._count(target))
        opened = new_disk.writable(target, self._work_folder)
        with opened as (export, uncached), all_written(export) as writes:
            part = ChunkRange(export, self._chunk_bytes, 0, self._count(target))
            zero_digests = part.zero_digests()
            for index, block in read_chunks(part):
                length, expected = self._length(target, index), self._digest(target, index)
                read += length if block else 0
                if self._matches(block, length, expected, zero_digests):
                    runs.add(b"S", index)
                    if not uncached:
                        unread.add(index)
                elif expected == zero_digests.get(length) and not target.device:
                    writes.add(export.zero(index * self._chunk_bytes, length))
                    runs.add(b"S", index)
                    unread.add(index)
                else:
                    runs.add(b"W", index)
                    missing.add(index)
        self._compared.seen(target)
        runs.end()
        self._wire.send_json_frame(b"E", {"read_bytes": read})

    def _matches(
        self,
        block: tuple[memoryview, bytes] | None,
        length: int,
        expected: bytes,
        zero_digests: dict[int, bytes],
    ) -> bool:
        if block is None:
            return expected == zero_digests.get(length)
        view, digest = block
        return expected == (digest if len(view) == length else sha256(view[:length]))

    def _write(self, target: DiskPlace, _command: dict[str, Any]) -> None:
        """Write chunks, each once its hash is verified."""
        self._reread_if_changed(target)
        unread = self._unread.setdefault(target.disk.name, Bitmap(0))
        with new_disk.writable(target, self._work_folder) as (export, _), all_written(export) as writes:
            while chunk := self._chunk(target):
                index, data = chunk
                if not target.device:
                    require_space(target.new.parent)
                unread.add(index)
                writes.add(export.write(index * self._chunk_bytes, data))
        self._compared.written(target)
        self._wire.send_json_frame(b"E", {})

    def _chunk(self, target: DiskPlace) -> tuple[int, memoryview] | None:
        """Return the number and the data of the next chunk; None after the last."""
        kind, index, length, digest = FRAME.unpack(self._wire.receive(FRAME.size))
        while kind == b"L":
            kind, index, length, digest = FRAME.unpack(self._wire.receive(FRAME.size))
        if kind == b"E":
            return None
        is_missing = index in self._missing.get(target.disk.name, ())
        if kind != b"D" or not is_missing or length != self._length(target, index):
            raise WrongQuestionError(f"Unexpected chunk: number {index:,}, {length:,} bytes.")
        data = memoryview(self._wire.receive(length))
        if sha256(data) != digest or digest != self._digest(target, index):
            raise NotRestoredError(
                f"Checksum mismatch: chunk {index:,} of {target.disk.name} was damaged in transfer. "
                f"{_outcome([target])}"
            )
        return index, data

    def _verify(self, target: DiskPlace, _command: dict[str, Any]) -> None:
        """Read the written chunks back from the disk, and report those that differ as missing.

        The other chunks were read from the disk when they were compared; they are read again if anything
        else may have written to it since.
        """
        self._require_all_sent(target)
        self._reread_if_changed(target)
        runs, missing, unread = Runs(self._wire), self._reset_missing(target), self._unread[target.disk.name]
        with new_disk.uncached(target, self._work_folder) as export:
            self._compared.seen(target)  # as it is now: what is written meanwhile may have been read before
            for part in ranges(export, self._chunk_bytes, unread):
                zero_digests = part.zero_digests()
                for index, block in read_chunks(part):
                    length, expected = self._length(target, index), self._digest(target, index)
                    good = self._matches(block, length, expected, zero_digests)
                    runs.add(b"S" if good else b"W", index)
                    if not good:
                        missing.add(index)
        runs.end()
        self._unread[target.disk.name] = Bitmap(self._count(target))
        if not missing:
            self._verified.add(target, self._compared.state(target))
        self._wire.send_json_frame(b"E", {})

    def _require_all_sent(self, target: DiskPlace) -> None:
        name = target.disk.name
        if name not in self._digests:
            raise WrongQuestionError(f"{name} hasn't been compared yet.")
        unsent = sum(index not in self._unread[name] for index in self._missing[name])
        if unsent:
            raise WrongQuestionError(f"{unsent:,} chunks of {name} haven't arrived yet.")

    def _reread_if_changed(self, target: DiskPlace) -> None:
        if target.disk.name in self._digests and self._compared.changed(target):
            self._unread[target.disk.name] = Bitmap.full(self._count(target))

    def _take_digests(self, target: DiskPlace, command: dict[str, Any]) -> None:
        self._chunk_bytes, count = int(command.get("chunk_bytes", 0)), int(command.get("count", -1))
        if not 0 < self._chunk_bytes <= LARGEST_READ or count != self._count(target):
            raise UsageError(
                f"{target.disk.name} can't have {count:,} chunks of {self._chunk_bytes:,} bytes."
            )
        self._digests[target.disk.name] = DiskDigests.receive(self._wire, count, self._work_folder)

    def _reset_missing(self, target: DiskPlace) -> Bitmap:
        self._missing[target.disk.name] = Bitmap(self._count(target))
        return self._missing[target.disk.name]

    def _count(self, target: DiskPlace) -> int:
        return -(-target.disk.bytes // self._chunk_bytes)

    def _length(self, target: DiskPlace, index: int) -> int:
        return min(self._chunk_bytes, target.disk.bytes - index * self._chunk_bytes)

    def _digest(self, target: DiskPlace, index: int) -> bytes:
        return self._digests[target.disk.name][index]
