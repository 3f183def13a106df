"""The memory of agent and worker for a disk of almost 16 TiB, each chunk of which is new to the other end."""

import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from bench.row import Row
from include.agent.heartbeat import beating
from include.agent.restore.disk_place import DiskPlace
from include.agent.restore.receive import _Receiver
from include.agent.restore.request import RestoreRequest
from include.agent.state_folder import StateFolder
from include.agent.watched_input import WatchedInput
from include.agent.wire import Wire
from include.remote.stream import Stream
from include.restore.vm_sender import RestoreStream
from include.vault.vault import Vault
from include.vms.archive import VmArchive
from include.vms.chunks import CHUNK_BYTES, DIGEST_BYTES, Chunks
from include.vms.image import bad_chunks
from include.vms.image_stream import ImageStream
from include.vms.incoming_disk import IncomingDisk
from include.vms.progress import Progress
from tests.include.agent.restore.test_request import DISK, REQUEST, UUID
from tests.include.agent.send_process import RUN, Disks

DISK_BYTES = (1 << 44) - CHUNK_BYTES  # ext4's files are shorter than 16 TiB
LIMIT_MB = 256.0
_CREATE = ["qemu-img", "create", "-q", "-f", "qcow2"]


class _Greeted(ImageStream):
    """A stream whose first lines have been exchanged."""

    def __init__(self, opened: Stream) -> None:
        self._stream = opened


def rows(scratch: Path, _rounds: int) -> Iterator[Row]:
    """Run each part once, in processes of their own."""
    for part in ("restore", "backup", "scrub"):
        program = [sys.executable, "-m", "bench.memory", part, str(scratch)]
        peaks = json.loads(subprocess.run(program, stdout=subprocess.PIPE, check=True).stdout)
        for who, peak_bytes in peaks.items():
            yield Row(
                f"16 TiB disk, {part}: memory of the {who}", peak_bytes / 1e6, "a limit", LIMIT_MB, 1, "MB"
            )


def peak_bytes(pid: int | str = "self") -> int:
    """Return the most memory that a process had; the kernel's cache isn't in it."""
    words = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(words["VmHWM"].split()[0]) * 1024


def restore(folder: Path) -> dict[str, int]:
    """Compare a disk with one to restore, of which the host has nothing."""
    chunks = _unlike(folder / "vda.chunks")
    agent = [sys.executable, "-m", "bench.memory", "receive", str(folder)]
    with subprocess.Popen(agent, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as process:
        stream = Stream(process, io.BytesIO())
        sender = RestoreStream(stream, cast("Any", SimpleNamespace(model_dump=lambda **_: {"order": 1})))
        with beating(stream.beat):
            missing = sender.compare("vda", chunks, Progress("vda", chunks.bytes, _log))
        _require(len(missing) == chunks.count)
        peaks = {"agent": peak_bytes(process.pid), "worker": peak_bytes()}
        stream.end()
    return peaks


def receive(folder: Path) -> None:
    """Be the agent of :func:`restore`."""
    disks = [{**DISK, "path": str(folder / "vda.qcow2"), "bytes": DISK_BYTES, "format": "qcow2"}]
    order = RestoreRequest({**REQUEST, "disks": disks})
    disk, state = order.disks[0], StateFolder(str(folder / "state"))
    new = order.new(disk.path)
    subprocess.run([*_CREATE, str(new), str(DISK_BYTES)], check=True)
    state.make()
    state.of(UUID).restore.mkdir(parents=True)
    wire = Wire(WatchedInput(sys.stdin.fileno()), sys.stdout.fileno())
    with wire.beating():
        wire.receive_json()
        wire.send_json({"disks": []})
        _Receiver(state.of(UUID), folder, order, [DiskPlace(disk, disk.path, new)], wire).run()


def backup(folder: Path) -> dict[str, int]:
    """Transfer a disk; the generation before has another content of each chunk."""
    disks = Disks(folder)
    disk, vault = folder / "disk", Vault.create(folder / "vault")
    subprocess.run([*_CREATE, str(disk), str(DISK_BYTES)], check=True)
    disks.open_backup(vda=disks.export("vda", "--format=qcow2", str(disk)))
    _unlike(folder / "base.chunks")
    with (folder / "base.img").open("wb") as base:
        base.truncate(DISK_BYTES)
    old = SimpleNamespace(chunks=lambda _: folder / "base.chunks", image=lambda _: folder / "base.img")
    with disks.call() as call, VmArchive(vault).lock("maq1") as staged:
        header = call.greet(RUN)
        staged.data.mkdir(parents=True)
        stream = _Greeted(Stream(call.process, io.BytesIO()))
        incoming = IncomingDisk("vda", header["disks"][0]["bytes"], staged, cast("Any", old))
        _require(incoming.receive(stream, _log).zero_bytes == DISK_BYTES)
        peaks = {"agent": peak_bytes(call.process.pid), "worker": peak_bytes()}
    disks.end()
    return peaks


def scrub(folder: Path) -> dict[str, int]:
    """Read an image in which each chunk is bad."""
    with (folder / "vda.img").open("wb") as image:
        image.truncate(DISK_BYTES)
    bad = bad_chunks(folder / "vda.img", _unlike(folder / "scrub.chunks"), lambda _: None)
    _require(len(bad) == DISK_BYTES // CHUNK_BYTES)
    return {"worker": peak_bytes()}


def _unlike(path: Path) -> Chunks:
    """Write the digests of a disk that has no chunk of zeros; in a hole."""
    Chunks.unknown(0).write(path)
    header = json.dumps({"format": 1, "bytes": DISK_BYTES, "chunk_bytes": CHUNK_BYTES}).encode() + b"\n"
    path.write_bytes(header)
    os.truncate(path, len(header) + DISK_BYTES // CHUNK_BYTES * DIGEST_BYTES)
    return Chunks.read(path)


def _require(expected: bool) -> None:  # noqa: FBT001 - what is measured must be what was meant
    if not expected:
        raise RuntimeError("Something else was measured.")


def _log(line: str) -> None:
    print(line, file=sys.stderr)  # noqa: T201


if __name__ == "__main__":
    part, scratch = sys.argv[1], tempfile.mkdtemp(prefix="kvm-", dir=sys.argv[2])
    result = {"restore": restore, "receive": receive, "backup": backup, "scrub": scrub}[part](
        Path(sys.argv[2] if part == "receive" else scratch)
    )
    if result:
        print(json.dumps(result))  # noqa: T201
