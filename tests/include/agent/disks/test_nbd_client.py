"""The NBD client, with a real qemu-nbd, and with servers that aren't NBD servers or hang up."""

import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from include.agent.disks import nbd_client
from include.agent.disks.nbd_client import Export, Extent, NbdError, NbdGoneError
from tests.include.agent.send_process import MIB, Disks


def sparse(path: Path, size: int, **parts: bytes) -> Path:
    """Write a raw disk with data at some places: ``sparse(path, size, at_4096=b"x")``."""
    with path.open("wb") as disk:
        disk.truncate(size)
        for place, data in parts.items():
            disk.seek(int(place.removeprefix("at_")))
            disk.write(data)
    return path


def throttled(disk: Path, bytes_per_s: int) -> list[str]:
    """Return the arguments of a qemu-nbd that reads a raw disk slowly."""
    limit = f"throttle-group,id=slow,x-bps-read={bytes_per_s},x-bps-read-max={bytes_per_s}"
    chain = "driver=raw,file.driver=throttle,file.throttle-group=slow,file.file.driver=file"
    return ["--object", limit, "--image-opts", f"{chain},file.file.filename={disk}"]


def read(export: Export, offset: int, count: int) -> bytes:
    """Read a part of a disk."""
    buffer = bytearray(count)
    export.read(offset, memoryview(buffer)).result(30)
    return bytes(buffer)


@contextmanager
def listening(path: Path, sent: bytes) -> Iterator[None]:
    """Listen at a socket, send a few bytes to the first caller, and hang up."""

    def answer() -> None:
        caller, _ = server.accept()
        with caller:
            caller.sendall(sent)

    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        thread = threading.Thread(target=answer)
        thread.start()
        yield
        thread.join()


def test_reads_return_the_disks_content(disks: Disks, tmp_path: Path) -> None:
    """At any offset, of any length, many at once."""
    content = os.urandom(3 * MIB + 512)
    disk = sparse(tmp_path / "disk", len(content), at_0=content)
    with Export(disks.export("vda", "--format=raw", str(disk)), "vda") as export:
        assert export.bytes == len(content)
        places = [(0, 1), (1, 4095), (MIB - 1, 2), (0, 3 * MIB), (len(content) - 512, 512)]
        buffers = [bytearray(count) for _, count in places]
        reads = [export.read(at, memoryview(buffer)) for (at, _), buffer in zip(places, buffers, strict=True)]
        for answer, (at, count), buffer in zip(reads, places, buffers, strict=True):
            answer.result(30)
            assert buffer == content[at : at + count]


def test_holes_are_distinguished_from_data(disks: Disks, tmp_path: Path) -> None:
    """The extents cover the whole range once."""
    disk = sparse(tmp_path / "disk", 64 * MIB, at_0=b"x" * 65536, at_33554432=b"y" * 65536)
    with Export(disks.export("vda", "--format=raw", str(disk)), "vda") as export:
        parts = list(export.extents(0, 64 * MIB))
        assert [part.end for part in parts[:-1]] == [part.start for part in parts[1:]]
        assert (parts[0].start, parts[-1].end) == (0, 64 * MIB)
        data = {(part.start, part.end) for part in parts if not part.zeros}
        assert data == {(0, 65536), (32 * MIB, 32 * MIB + 65536)}
        assert list(export.extents(MIB, 2 * MIB)) == [Extent(MIB, 2 * MIB, zeros=True)]
        assert read(export, 16 * MIB, MIB) == bytes(MIB)


def test_the_extents_of_a_large_disk_are_requested_in_parts(disks: Disks, tmp_path: Path) -> None:
    """A request's length has 32 bits."""
    size = 3 * nbd_client._STATUS_BYTES + MIB  # noqa: SLF001 - the limit itself
    disk = sparse(tmp_path / "disk", size, **{f"at_{size - 65536}": b"x" * 65536})
    with Export(disks.export("vda", "--format=raw", str(disk)), "vda") as export:
        parts = list(export.extents(0, size))
        assert sum(part.end - part.start for part in parts) == size
        assert [part for part in parts if not part.zeros] == [Extent(size - 65536, size, zeros=False)]


def test_qcow2_is_read_as_its_guest_sees_it(disks: Disks, tmp_path: Path) -> None:
    """With its backing file."""
    base = sparse(tmp_path / "base", 8 * MIB, at_1048576=b"below" * 1000)
    top = tmp_path / "top.qcow2"
    create = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(base), "-F", "raw", str(top)]
    subprocess.run(create, check=True)
    with Export(disks.export("vda", "--format=qcow2", str(top)), "vda") as export:
        assert (export.bytes, read(export, MIB, 5)) == (8 * MIB, b"below")


def test_an_unknown_export_is_refused(disks: Disks, tmp_path: Path) -> None:
    """By the server itself."""
    server = disks.export("vda", "--format=raw", str(sparse(tmp_path / "disk", MIB)))
    with pytest.raises(NbdGoneError, match="refuses"):
        Export(server, "vdb")


def test_a_missing_server_counts_as_gone(tmp_path: Path) -> None:
    """That isn't an error of the disk."""
    with pytest.raises(NbdGoneError, match="doesn't answer"):
        Export(str(tmp_path / "none"), "vda")


@pytest.mark.parametrize(
    "sent", [b"", b"NBDMAGIC", b"HTTP/1.1 400 Bad Request\r\n", b"NBDMAGIC\0\0\x42\x02\x81\x86\x12\x53\0\0"]
)
def test_a_server_that_doesnt_speak_nbd_is_refused(short: Path, sent: bytes) -> None:
    """It hangs up, speaks another protocol, or an ancient version of NBD."""
    with listening(short / "s", sent), pytest.raises(NbdError, match="NBD server"):
        Export(str(short / "s"), "vda")


def test_a_read_error_is_reported(disks: Disks, tmp_path: Path) -> None:
    """The rest of the disk can still be read."""
    disk = sparse(tmp_path / "disk", 4 * MIB, at_0=b"x" * (4 * MIB))
    faults = tmp_path / "faults"
    faults.write_text('[inject-error]\nevent = "none"\nerrno = "5"\nsector = "2048"\n')
    options = f"driver=raw,file.driver=blkdebug,file.config={faults},file.image.driver=file"
    server = disks.export("vda", "--image-opts", f"{options},file.image.filename={disk}")
    with Export(server, "vda") as export:
        with pytest.raises(NbdError, match=r"can't be read: .*Input/output error"):
            read(export, MIB, MIB)
        assert read(export, 0, 4) == b"xxxx"


def test_a_read_past_the_end_is_refused(disks: Disks, tmp_path: Path) -> None:
    """It doesn't return zeros."""
    server = disks.export("vda", "--format=raw", str(sparse(tmp_path / "disk", MIB)))
    with Export(server, "vda") as export, pytest.raises(NbdError, match="can't be read"):
        read(export, MIB, 4096)


def test_the_death_of_a_server_fails_all_requests(disks: Disks, tmp_path: Path) -> None:
    """Those in flight, and later ones."""
    disk = sparse(tmp_path / "disk", 64 * MIB, at_0=b"x" * (64 * MIB))
    server = disks.export("vda", "--format=raw", str(disk))
    with Export(server, "vda") as export:
        disks.end()
        buffer = memoryview(bytearray(MIB))
        with pytest.raises(NbdGoneError, match="went away"):
            export.read(0, buffer).result(30)
        with pytest.raises(NbdGoneError, match="went away"):
            list(export.extents(0, MIB))


def test_a_server_that_hangs_is_an_error(
    disks: Disks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After longer than working storage ever takes."""
    monkeypatch.setattr(nbd_client, "ANSWER_S", 1)
    server = disks.export("vda", "--format=raw", str(sparse(tmp_path / "disk", MIB, at_0=b"x" * MIB)))
    with Export(server, "vda") as export:
        stopped = subprocess.run(["pgrep", "-f", server], capture_output=True, text=True, check=True)
        pids = stopped.stdout.split()
        subprocess.run(["kill", "-STOP", *pids], check=True)
        try:
            with pytest.raises(NbdGoneError, match="no answer for 1 s"):
                read(export, 0, MIB)
        finally:
            subprocess.run(["kill", "-CONT", *pids], check=True)
