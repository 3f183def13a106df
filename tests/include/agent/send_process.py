"""An open backup of disks that a real qemu-nbd exports, and the agent's ``send`` over a pair of pipes."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

from include.agent.disks.exports import end_processes, with_sizes
from include.agent.state_folder import StateFolder, VmFolder
from include.agent.wire import DIGEST_BYTES, FRAME
from include.remote import zipapps

UUID = "6ad32f6c-2b2e-4f1e-9a84-0c5d1a1f0001"
RUN = "a run"
MIB = 1 << 20


class Frame(NamedTuple):
    """A received frame."""

    kind: str
    first: int
    second: int
    digest: bytes
    data: bytes


class Disks:
    """A VM's open backup, without libvirt.

    Args:
        folder: the agent's state folder, with a short path.
    """

    def __init__(self, folder: Path) -> None:
        self.state = StateFolder(str(folder))
        self.state.make()
        self.vm: VmFolder = self.state.of(UUID)
        self.vm.make()
        self.work_folder = folder / "work"
        self.work_folder.mkdir(exist_ok=True)
        name, program = zipapps.agent()
        self.program = folder / name
        self.program.write_bytes(program)

    def export(self, name: str, *image: str) -> str:
        """Export an image by qemu-nbd, and return the socket.

        Args:
            name: the disk's name.
            image: qemu-nbd's arguments: ``--format=raw FILE``, or ``--image-opts ...``.
        """
        socket = str(self.work_folder / f"{name}.sock")
        options = ["--read-only", "--persistent", "--shared=0", "--fork", f"--socket={socket}"]
        subprocess.run(["qemu-nbd", *options, f"--export-name={name}", *image], check=True, timeout=30)
        return socket

    def open_backup(self, **sockets: str) -> None:
        """Write the journal and files of an open backup with these exported disks."""
        exports = [{"disk": name, "socket": path, "export": name} for name, path in sockets.items()]
        self.vm.files.mkdir(exist_ok=True)
        (self.vm.files / "domain.xml").write_text("<domain/>\n")
        self.vm.journal.write("begin", run=RUN, vm="maq1", was="running", method="cold")
        self.vm.journal.write(
            "ready", work_folder=str(self.work_folder), method="cold", exports=with_sizes(exports)
        )

    def end(self) -> None:
        """End all NBD servers."""
        end_processes(str(self.work_folder))

    @contextmanager
    def call(self) -> Iterator["Call"]:
        """Run the agent's ``send``."""
        command = [sys.executable, str(self.program), f"--state={self.state.root}", "send", UUID]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            yield Call(process)
            process.kill()


class Call:
    """A running ``send``.

    Args:
        process: its process, with pipes.
    """

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.process = process
        self._in, self._out = _pipe(process.stdin), _pipe(process.stdout)

    def greet(self, run: str = RUN) -> dict[str, Any]:
        """Send the greeting, and return the answer: the VM with its disks, or an error."""
        self.write(json.dumps({"run": run}).encode() + b"\n")
        return dict(json.loads(self._out.readline()))

    def request(
        self, have: Sequence[bytes] = (), *, first: int = 0, announced: int | None = None, **values: object
    ) -> list[Frame]:
        """Request chunks of a disk, and return all frames up to the last.

        Args:
            have: hashes of the vault's chunks.
            first: the first chunk.
            announced: how many hashes the request announces; None: as many as are sent.
            values: other values of the request.
        """
        hashes = len(have) if announced is None else announced
        line = json.dumps({"disk": "vda", "chunk_bytes": MIB, "from": first, "have": hashes, **values})
        self.write(line.encode() + b"\n" + b"".join(have))
        return list(self.frames())

    def write(self, data: bytes) -> None:
        """Send any bytes."""
        self._in.write(data)
        self._in.flush()

    def frames(self) -> Iterator[Frame]:
        """Receive frames, up to an E or X frame."""
        return frames_of(self._out)

    def end(self) -> int:
        """Hang up, and return the exit status of ``send``."""
        self._in.close()
        return self.process.wait(30)


def frames_of(received: IO[bytes]) -> Iterator[Frame]:
    """Yield the frames that were received, up to an E or X frame."""
    while True:
        kind, first, second, digest = FRAME.unpack(received.read(FRAME.size))
        data = received.read(second) if kind in (b"D", b"E", b"X") else b""
        yield Frame(kind.decode(), first, second, digest, data)
        if kind in (b"E", b"X"):
            return


def summary(frames: Sequence[Frame]) -> list[tuple[str, int, int]]:
    """Return kind and numbers of each frame but the last."""
    return [(frame.kind, frame.first, frame.second) for frame in frames[:-1]]


def last_json(frames: Sequence[Frame]) -> dict[str, Any]:
    """Return the JSON of the last frame."""
    return dict(json.loads(frames[-1].data))


def rebuilt(frames: Sequence[Frame], size: int, chunk_bytes: int = MIB, base: bytes = b"") -> bytes:
    """Return the disk that results from frames and from the base that the vault had."""
    disk = bytearray(base.ljust(size, b"\0"))
    for kind, first, second, digest, data in frames[:-1]:
        at, end = first * chunk_bytes, min(size, (first + second) * chunk_bytes)
        if kind == "D":
            assert hashlib.sha256(data).digest() == digest
            disk[at : at + len(data)] = data
        elif kind == "Z":
            disk[at:end] = bytes(end - at)
    return bytes(disk)


def hashes(disk: bytes, chunk_bytes: int = MIB) -> list[bytes]:
    """Return the SHA-256 of each chunk."""
    return [hashlib.sha256(disk[at : at + chunk_bytes]).digest() for at in range(0, len(disk), chunk_bytes)]


NONE = bytes(DIGEST_BYTES)


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe
