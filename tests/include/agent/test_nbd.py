"""The NBD client, against a real qemu-nbd; and against servers that are none, or break off."""

import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from include.agent import nbd
from include.agent.nbd import Export, Extent, NbdError, NbdGoneError
from tests.include.agent.serving import MIB, Disks


def sparse(path: Path, size: int, **parts: bytes) -> Path:
    """Write a raw disk with data at some places: ``sparse(path, size, at_4096=b"x")``."""
    with path.open("wb") as disk:
        disk.truncate(size)
        for place, data in parts.items():
            disk.seek(int(place.removeprefix("at_")))
            disk.write(data)
    return path


def read(export: Export, offset: int, count: int) -> bytes:
    """Read a part of a disk."""
    buffer = bytearray(count)
    export.read(offset, memoryview(buffer)).result(30)
    return bytes(buffer)


@contextmanager
def listening(path: Path, said: bytes) -> Iterator[None]:
    """Have something at a socket that says a few bytes, and hangs up."""

    def answer() -> None:
        caller, _ = server.accept()
        with caller:
            caller.sendall(said)

    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        thread = threading.Thread(target=answer)
        thread.start()
        yield
        thread.join()


def test_what_is_read_is_what_is_there(disks: Disks, tmp_path: Path) -> None:
    """At any place, of any length, many at once."""
    content = os.urandom(3 * MIB + 512)
    disk = sparse(tmp_path / "disk", len(content), at_0=content)
    with Export(disks.export("vda", "--format=raw", str(disk)), "vda") as export:
        assert export.bytes == len(content)
        places = [(0, 1), (1, 4095), (MIB - 1, 2), (0, 3 * MIB), (len(content) - 512, 512)]
        buffers = [bytearray(count) for _, count in places]
        asked = [export.read(at, memoryview(buffer)) for (at, _), buffer in zip(places, buffers, strict=True)]
        for answer, (at, count), buffer in zip(asked, places, buffers, strict=True):
            answer.result(30)
            assert buffer == content[at : at + count]


def test_holes_are_told_from_data(disks: Disks, tmp_path: Path) -> None:
    """And the parts cover all that was asked for, once."""
    disk = sparse(tmp_path / "disk", 64 * MIB, at_0=b"x" * 65536, at_33554432=b"y" * 65536)
    with Export(disks.export("vda", "--format=raw", str(disk)), "vda") as export:
        parts = list(export.extents(0, 64 * MIB))
        assert [part.end for part in parts[:-1]] == [part.start for part in parts[1:]]
        assert (parts[0].start, parts[-1].end) == (0, 64 * MIB)
        data = {(part.start, part.end) for part in parts if not part.zeros}
        assert data == {(0, 65536), (32 * MIB, 32 * MIB + 65536)}
        assert list(export.extents(MIB, 2 * MIB)) == [Extent(MIB, 2 * MIB, zeros=True)]
        assert read(export, 16 * MIB, MIB) == bytes(MIB)


def test_a_disk_larger_than_a_status_can_tell_is_told_in_parts(disks: Disks, tmp_path: Path) -> None:
    """A length has 32 bits there."""
    size = 3 * nbd._STATUS_BYTES + MIB  # noqa: SLF001 - the border itself
    disk = sparse(tmp_path / "disk", size, **{f"at_{size - 65536}": b"x" * 65536})
    with Export(disks.export("vda", "--format=raw", str(disk)), "vda") as export:
        parts = list(export.extents(0, size))
        assert sum(part.end - part.start for part in parts) == size
        assert [part for part in parts if not part.zeros] == [Extent(size - 65536, size, zeros=False)]


def test_qcow2_is_read_as_its_guest_sees_it(disks: Disks, tmp_path: Path) -> None:
    """With what lies below it."""
    below = sparse(tmp_path / "below", 8 * MIB, at_1048576=b"below" * 1000)
    top = tmp_path / "top.qcow2"
    create = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(below), "-F", "raw", str(top)]
    subprocess.run(create, check=True)
    with Export(disks.export("vda", "--format=qcow2", str(top)), "vda") as export:
        assert (export.bytes, read(export, MIB, 5)) == (8 * MIB, b"below")


def test_an_export_of_another_name_isnt_there(disks: Disks, tmp_path: Path) -> None:
    """The server says so itself."""
    where = disks.export("vda", "--format=raw", str(sparse(tmp_path / "disk", MIB)))
    with pytest.raises(NbdGoneError, match="refuses"):
        Export(where, "vdb")


def test_no_server_is_a_freeze_that_is_gone(tmp_path: Path) -> None:
    """Not an error of the disk."""
    with pytest.raises(NbdGoneError, match="doesn't answer"):
        Export(str(tmp_path / "none"), "vda")


@pytest.mark.parametrize(
    "said", [b"", b"NBDMAGIC", b"HTTP/1.1 400 Bad Request\r\n", b"NBDMAGIC\0\0\x42\x02\x81\x86\x12\x53\0\0"]
)
def test_what_is_no_server_is_told_from_one(short: Path, said: bytes) -> None:
    """It hangs up, it's another protocol, or it's the NBD of twenty years ago."""
    with listening(short / "s", said), pytest.raises(NbdError, match="NBD server"):
        Export(str(short / "s"), "vda")


def test_a_disk_that_cant_be_read_somewhere_is_told(disks: Disks, tmp_path: Path) -> None:
    """The server lives on, and so does the rest of the disk."""
    disk = sparse(tmp_path / "disk", 4 * MIB, at_0=b"x" * (4 * MIB))
    faults = tmp_path / "faults"
    faults.write_text('[inject-error]\nevent = "none"\nerrno = "5"\nsector = "2048"\n')
    options = f"driver=raw,file.driver=blkdebug,file.config={faults},file.image.driver=file"
    where = disks.export("vda", "--image-opts", f"{options},file.image.filename={disk}")
    with Export(where, "vda") as export:
        with pytest.raises(NbdError, match=r"can't be read: .*Input/output error"):
            read(export, MIB, MIB)
        assert read(export, 0, 4) == b"xxxx"


def test_a_read_past_the_end_is_refused(disks: Disks, tmp_path: Path) -> None:
    """And nothing is made up."""
    where = disks.export("vda", "--format=raw", str(sparse(tmp_path / "disk", MIB)))
    with Export(where, "vda") as export, pytest.raises(NbdError, match="can't be read"):
        read(export, MIB, 4096)


def test_a_server_that_dies_is_told_to_all_who_wait(disks: Disks, tmp_path: Path) -> None:
    """And to whoever asks afterwards."""
    disk = sparse(tmp_path / "disk", 64 * MIB, at_0=b"x" * (64 * MIB))
    where = disks.export("vda", "--format=raw", str(disk))
    with Export(where, "vda") as export:
        disks.end()
        buffer = memoryview(bytearray(MIB))
        with pytest.raises(NbdGoneError, match="went away"):
            export.read(0, buffer).result(30)
        with pytest.raises(NbdGoneError, match="went away"):
            list(export.extents(0, MIB))


def test_a_server_that_is_stuck_is_given_up(
    disks: Disks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After as long as no storage takes that works."""
    monkeypatch.setattr(nbd, "ANSWER_S", 1)
    where = disks.export("vda", "--format=raw", str(sparse(tmp_path / "disk", MIB, at_0=b"x" * MIB)))
    with Export(where, "vda") as export:
        stopped = subprocess.run(["pgrep", "-f", where], capture_output=True, text=True, check=True)
        pids = stopped.stdout.split()
        subprocess.run(["kill", "-STOP", *pids], check=True)
        try:
            with pytest.raises(NbdGoneError, match="no answer for 1 s"):
                read(export, 0, MIB)
        finally:
            subprocess.run(["kill", "-CONT", *pids], check=True)
