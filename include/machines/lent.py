"""Images lent to a KVM host: served to be read only, over the SSH session that boots from them."""

import json
import secrets
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from include.errors import BackupError, ConfigError, SourceUnreachableError
from include.machines.generation import PublishedGeneration
from include.machines.host import Host, Ran
from include.transfer import REASONS_BYTES, WITH_THE_TASK, connected, failure

_UP_S = 10.0
_ENDS_S = 5.0  # after the agent's end
_NO_ANSWER = 255  # ssh(1): an error of its own


def ask(host: Host, generation: PublishedGeneration, request: dict[str, Any]) -> Ran:
    """Have the agent boot a machine from a generation's images; the request is what it's told beside them.

    Raises:
        ConfigError: this worker has no qemu-nbd.
        BackupError: an image can't be served.
        SourceUnreachableError: the connection broke; the drill ended with it.
    """
    disks = [disk.name for disk in generation.record.disks]
    token = secrets.token_hex(8)
    with lent(generation, disks) as sockets, connected(host.door.route) as config:
        names = [f"drill-{token}-{place}.sock" for place in range(len(disks))]
        ways = [
            word
            for name, socket in zip(names, sockets, strict=True)
            for word in ("-R", f"{host.state}/{name}:{socket}")
        ]
        told = [{"name": disk, "socket": name} for disk, name in zip(disks, names, strict=True)]
        # A session of its own: forwards of a shared one would outlive it.
        own = ["-o", "ControlPath=none", "-o", "ExitOnForwardFailure=yes"]
        ssh = [*WITH_THE_TASK, "ssh", "-F", str(config), *own, *ways, "source", host.drill_command()]
        return _converse(ssh, json.dumps({**request, "disks": told}).encode() + b"\n")


@contextmanager
def lent(generation: PublishedGeneration, disks: list[str]) -> Iterator[list[Path]]:
    """Serve images, each on a UNIX socket that only this user reaches, for the time of a block."""
    with ExitStack() as served:
        folder = Path(served.enter_context(tempfile.TemporaryDirectory(prefix="inpe-backup-", dir="/tmp")))
        sockets = [folder / f"{place}.sock" for place in range(len(disks))]
        for disk, socket in zip(disks, sockets, strict=True):
            process = _serve(generation.image(disk), socket)
            served.callback(_end, process)
            _wait(process, socket, generation.image(disk))
        yield sockets


def _serve(image: Path, socket: Path) -> "subprocess.Popen[bytes]":
    how = ["--read-only", "--persistent", "--shared=0", "--format=raw", "--export-name=disk"]
    try:
        return subprocess.Popen(
            [*WITH_THE_TASK, "qemu-nbd", *how, f"--socket={socket}", "--", str(image)],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
    except FileNotFoundError as error:
        raise ConfigError(
            f"This worker has no {error.filename}. Install qemu-utils and util-linux."
        ) from error


def _wait(process: "subprocess.Popen[bytes]", socket: Path, image: Path) -> None:
    deadline = time.monotonic() + _UP_S
    while not socket.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            said = process.communicate()[1].decode(errors="replace").strip()
            raise BackupError(f"{image} can't be served: {said or 'qemu-nbd said nothing'}.")
        time.sleep(0.02)


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()  # it only reads
    process.communicate()


def _converse(ssh: list[str], request: bytes) -> Ran:
    """Say the request, and keep the session's input open: its end would be the drill's."""
    with (
        tempfile.TemporaryFile() as reasons,
        subprocess.Popen(ssh, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=reasons) as process,
    ):
        if process.stdin is None or process.stdout is None:
            raise AssertionError("the SSH client was started without pipes")
        try:
            process.stdin.write(request)
            process.stdin.flush()
            output = process.stdout.read()
        except BrokenPipeError:
            output = b""
        except BaseException:
            process.terminate()
            raise
        status = _status(process)
        reasons.seek(0)
        said = reasons.read(REASONS_BYTES).decode("utf-8", "backslashreplace").strip()
    if status in (_NO_ANSWER, -15) and not output.strip():
        error = failure(status, said, "ssh", there="the host")
        raise error if status == _NO_ANSWER else SourceUnreachableError(str(error))
    return Ran(status, output, said)


def _status(process: "subprocess.Popen[bytes]") -> int:
    """Give ssh's exit status; it would wait for ever for a guest that is left there and reads on."""
    try:
        return process.wait(_ENDS_S)
    except subprocess.TimeoutExpired:
        process.terminate()
        return process.wait()
