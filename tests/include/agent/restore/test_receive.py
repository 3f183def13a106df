"""A disk is compared and verified chunk by chunk, and what was found is reported on the way."""

import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from include.agent.disks import disk_program
from include.agent.disks.disk_program import DiskProgramError
from include.agent.restore.disk_place import DiskPlace
from include.agent.restore.receive import _Receiver, describe
from include.agent.restore.request import RestoreRequest
from include.agent.state_folder import StateFolder
from include.agent.wire import DIGEST_BYTES, FRAME, KEEP_ALIVE, NO_DIGEST, Wire
from include.vms.restore_models import DiskTarget
from tests.include.agent.restore.test_request import DISK, REQUEST, UUID
from tests.include.agent.send_process import Frame, frames_of, summary

CHUNK, COUNT = 4096, 12
LAST = FRAME.pack(b"E", 0, 0, NO_DIGEST)


def chunk(index: int) -> bytes:
    """Return a chunk of the disk to restore."""
    return bytes([index + 1]) * CHUNK


class Disk:
    """A disk in a file that is restored in this process."""

    def __init__(self, folder: Path, sent: Path) -> None:
        self.path, self._sent, self._folder = folder / "maq1.img", sent, folder
        disks = [{**DISK, "path": str(self.path), "bytes": COUNT * CHUNK}]
        self._restore = RestoreRequest({**REQUEST, "disks": disks})

    @property
    def new(self) -> Path:
        """The new disk beside it."""
        return self._restore.new(self.path)

    def receive(self, *commands: bytes, then: Callable[[], None] | None = None) -> list[list[Frame]]:
        """Execute commands, with something done before the last; return the answer to each."""
        state = StateFolder(str(self._folder / "state"))
        state.make()
        vm = state.of(UUID)
        vm.restore.mkdir(parents=True)
        place = DiskPlace(self._restore.disks[0], self.path, self.new, base="raw", base_bytes=COUNT * CHUNK)
        with self._sent.open("w+b") as out:
            wire = Wire(Commands(commands, then), out.fileno())
            _Receiver(vm, self._folder, self._restore, [place], wire).run()
            out.seek(0)
            return [list(frames_of(out)) for _ in commands]


class Commands(io.BytesIO):
    """The commands of a worker, each of which is sent when the last is done."""

    def __init__(self, commands: tuple[bytes, ...], then: Callable[[], None] | None) -> None:
        super().__init__(b"".join(commands))
        self._last, self._then = sum(map(len, commands[:-1])), then

    def readline(self, size: int | None = -1, /) -> bytes:
        """Return the next line."""
        if self._then and self.tell() == self._last:
            self._then()
        return super().readline(size)


def command(**values: object) -> bytes:
    """Return a command's line."""
    return json.dumps({"disk": "vda", **values}).encode() + b"\n"


def compare() -> bytes:
    """Return the command to compare the disk with the one to restore."""
    digests = b"".join(hashlib.sha256(chunk(index)).digest() for index in range(COUNT))
    assert len(digests) == COUNT * DIGEST_BYTES
    return command(do="compare", chunk_bytes=CHUNK, count=COUNT) + digests


def write(*indexes: int) -> bytes:
    """Return the command to write some chunks."""
    frames = [
        FRAME.pack(b"D", index, CHUNK, hashlib.sha256(chunk(index)).digest()) + chunk(index)
        for index in indexes
    ]
    return command(do="write") + b"".join([*frames, LAST])


@pytest.fixture
def disk(short: Path, tmp_path: Path) -> Disk:
    """A disk with other content than the one to restore, but for chunks 3, 4 and 7."""
    made = Disk(short, tmp_path / "sent")
    same = (3, 4, 7)
    made.path.write_bytes(b"".join(chunk(index if index in same else 99) for index in range(COUNT)))
    return made


def test_a_disk_of_which_all_differs_is_reported_on_the_way(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading it may take hours, and whoever sends nothing for long is given up."""
    monkeypatch.setattr("include.agent.wire.FLUSH_S", 0)
    disk.path.write_bytes(bytes([99]) * COUNT * CHUNK)
    [answer] = disk.receive(compare())
    assert summary(answer) == [("W", index, 1) for index in range(COUNT)]


def test_chunks_that_read_back_differently_are_reported_alone(disk: Disk) -> None:
    """Not the ones between them, which weren't written: they would be refused when they are sent again."""

    def rot() -> None:
        with disk.new.open("r+b") as file:
            for index in (2, 5, 8):
                file.seek(index * CHUNK)
                file.write(b"rotten")

    differing = [index for index in range(COUNT) if index not in (3, 4, 7)]
    answers = disk.receive(compare(), write(*differing), command(do="verify"), then=rot)
    assert [frame for frame in summary(answers[0]) if frame[0] == "W"] == [
        ("W", 0, 3),
        ("W", 5, 2),
        ("W", 8, 4),
    ]
    assert [frame for frame in summary(answers[2]) if frame[0] == "W"] == [("W", i, 1) for i in (2, 5, 8)]


def test_a_worker_that_is_busy_with_its_images_sends_signs_of_life(disk: Disk) -> None:
    """For hours, if it has to read all of them before it may write to a block device."""
    differing = [index for index in range(COUNT) if index not in (3, 4, 7)]
    chunks = [write(index).removeprefix(write()[: -len(LAST)]).removesuffix(LAST) for index in differing]
    written = command(do="write") + b"".join(KEEP_ALIVE * 2 + one for one in chunks) + KEEP_ALIVE + LAST
    answers = disk.receive(b"\n\n" + compare(), b"\n" + written, b"\n" + command(do="verify") + b"\n")
    assert summary(answers[2]) == [("S", 0, 3), ("S", 5, 2), ("S", 8, 4)]


def test_no_more_is_written_when_the_file_system_is_nearly_full(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guests that run on it would be paused."""
    usable = iter([3, 2, 1, 0])

    def fill() -> None:
        monkeypatch.setattr(disk_program, "usable_bytes", lambda _: next(usable))

    with pytest.raises(DiskProgramError, match="is nearly full"):
        disk.receive(compare(), write(0, 1, 2, 5), then=fill)
    assert disk.new.read_bytes()[5 * CHUNK :][:CHUNK] != chunk(5)


@pytest.mark.parametrize("device", [False, True])
def test_the_worker_knows_a_block_device_behind_a_link(*, device: bool) -> None:
    """As LVM's are. It verifies all of its images first: what is written there can't be undone."""
    restore = RestoreRequest({**REQUEST, "disks": [{**DISK, "path": "/dev/vg/maq1"}]})
    place = Path("/dev/dm-3")
    found = DiskPlace(restore.disks[0], place, place if device else restore.new(place), device)
    assert DiskTarget.model_validate(describe(found)).direct == device
