"""Disks served by a real qemu-nbd, and the agent's ``serve`` spoken to over a pair of pipes."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

from include.agent.exports import end_processes, measured
from include.agent.folder import MachineFolder, State
from include.agent.wire import DIGEST_BYTES, FRAME
from include.machines.shipped import agent_file

UUID = "6ad32f6c-2b2e-4f1e-9a84-0c5d1a1f0001"
RUN = "a run"
MIB = 1 << 20


class Frame(NamedTuple):
    """A frame as it comes over the wire."""

    kind: str
    first: int
    second: int
    digest: bytes
    data: bytes


class Disks:
    """What a freeze holds ready, without libvirt.

    Args:
        folder: the agent's, with a short name.
    """

    def __init__(self, folder: Path) -> None:
        self.state = State(str(folder))
        self.state.make()
        self.machine: MachineFolder = self.state.of(UUID)
        self.machine.make()
        self.room = folder / "room"
        self.room.mkdir(exist_ok=True)
        name, program = agent_file()
        self.program = folder / name
        self.program.write_bytes(program)

    def export(self, name: str, *image: str) -> str:
        """Have qemu-nbd serve an image: ``--format=raw FILE``, or ``--image-opts ...``; gives its socket."""
        socket = str(self.room / f"{name}.sock")
        how = ["--read-only", "--persistent", "--shared=0", "--fork", f"--socket={socket}"]
        subprocess.run(["qemu-nbd", *how, f"--export-name={name}", *image], check=True, timeout=30)
        return socket

    def hold(self, **sockets: str) -> None:
        """Write down what a freeze does when these disks are exported."""
        exports = [{"disk": name, "socket": path, "export": name} for name, path in sockets.items()]
        self.machine.kept.mkdir(exist_ok=True)
        (self.machine.kept / "domain.xml").write_text("<domain/>\n")
        self.machine.journal.write("begin", run=RUN, machine="maq1", was="running", method="cold")
        self.machine.journal.write("ready", room=str(self.room), method="cold", exports=measured(exports))

    def end(self) -> None:
        """Serve nothing any more."""
        end_processes(str(self.room))

    @contextmanager
    def call(self) -> Iterator["Call"]:
        """Run ``serve``."""
        command = [sys.executable, str(self.program), f"--state={self.state.root}", "serve", UUID]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            yield Call(process)
            process.kill()


class Call:
    """One ``serve`` at work.

    Args:
        process: it, with pipes.
    """

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self.process = process
        self._in, self._out = _pipe(process.stdin), _pipe(process.stdout)

    def greet(self, run: str = RUN) -> dict[str, Any]:
        """Say for which run we come; gives the introduction, or the refusal."""
        self.write(json.dumps({"run": run}).encode() + b"\n")
        return dict(json.loads(self._out.readline()))

    def ask(
        self, have: Sequence[bytes] = (), *, first: int = 0, promised: int | None = None, **wanted: object
    ) -> list[Frame]:
        """Ask for a part of a disk; gives all frames, up to the one that ends it."""
        hashes = len(have) if promised is None else promised
        line = json.dumps({"disk": "vda", "chunk_bytes": MIB, "from": first, "have": hashes, **wanted})
        self.write(line.encode() + b"\n" + b"".join(have))
        return list(self.frames())

    def write(self, words: bytes) -> None:
        """Say anything."""
        self._in.write(words)
        self._in.flush()

    def frames(self) -> Iterator[Frame]:
        """Give the frames that come, up to an end."""
        while True:
            kind, first, second, digest = FRAME.unpack(self._out.read(FRAME.size))
            data = self._out.read(second) if kind in (b"D", b"E", b"X") else b""
            yield Frame(kind.decode(), first, second, digest, data)
            if kind in (b"E", b"X"):
                return

    def end(self) -> int:
        """Ask for nothing more; gives its exit status."""
        self._in.close()
        return self.process.wait(30)


def told(frames: Sequence[Frame]) -> list[tuple[str, int, int]]:
    """Give kind and numbers of each frame but the last."""
    return [(frame.kind, frame.first, frame.second) for frame in frames[:-1]]


def words(frames: Sequence[Frame]) -> dict[str, Any]:
    """Give what the last frame says."""
    return dict(json.loads(frames[-1].data))


def rebuilt(frames: Sequence[Frame], size: int, chunk_bytes: int = MIB, base: bytes = b"") -> bytes:
    """Put a disk together from frames, and from the one that we had."""
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
    """Give the SHA-256 of each chunk."""
    return [hashlib.sha256(disk[at : at + chunk_bytes]).digest() for at in range(0, len(disk), chunk_bytes)]


NONE = bytes(DIGEST_BYTES)


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe
