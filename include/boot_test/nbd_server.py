"""Read-only NBD servers of images; the KVM host reaches them over the SSH session that boots the VM."""

import json
import secrets
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from include.errors import BackupError, ConfigError
from include.remote import stream
from include.remote.ssh import DIE_WITH_PARENT, configured
from include.remote.transport import CommandResult
from include.vms.host import Host
from include.vms.published import PublishedVm

_START_TIMEOUT_S = 10.0
_SSH_ERROR = 255  # ssh(1): an error of ssh itself


def boot(host: Host, generation: PublishedVm, request: dict[str, Any]) -> CommandResult:
    """Boot a VM from a generation's images on its host.

    Args:
        host: the KVM host.
        generation: the generation to boot.
        request: the rest of the agent's request; see ``include/agent/boot_test/boot.py``.

    Raises:
        ConfigError: this worker has no qemu-nbd.
        BackupError: an image can't be exported.
        SourceUnreachableError: the connection broke; the boot test ended with it.
    """
    disks = [disk.name for disk in generation.record.disks]
    names = [f"boot-test-{secrets.token_hex(8)}-{place}.sock" for place in range(len(disks))]
    with nbd_servers(generation, disks) as sockets, configured(host.transport.endpoint) as config:
        # Use a separate session: the forwards of a shared one would outlive the boot test.
        options = ["-o", "ControlPath=none", "-o", "ExitOnForwardFailure=yes"]
        for name, socket in zip(names, sockets, strict=True):
            options += ["-R", f"{host.state}/{name}:{socket}"]
        command = host.install_agent().command("boot-test")
        with stream.opened(config, command, *options) as opened:
            exported = [{"name": disk, "socket": name} for disk, name in zip(disks, names, strict=True)]
            opened.send_line({**request, "disks": exported})
            return _answer(opened)


def _answer(opened: stream.Stream) -> CommandResult:
    """Wait for the answer with the session's input open: closing it would end the boot test."""
    try:
        output = json.dumps(opened.read_line()).encode()
    except EOFError:
        status = opened.end()
        if status in (_SSH_ERROR, -signal.SIGTERM):
            raise
        return CommandResult(status, b"", opened.errors)
    return CommandResult(opened.end(), output, opened.errors)


@contextmanager
def nbd_servers(generation: PublishedVm, disks: list[str]) -> Iterator[list[Path]]:
    """Export images read-only during the block, each on a UNIX socket that only this user can reach."""
    with ExitStack() as servers:
        folder = Path(servers.enter_context(tempfile.TemporaryDirectory(prefix="inpe-backup-", dir="/tmp")))
        sockets = [folder / f"{place}.sock" for place in range(len(disks))]
        for disk, socket in zip(disks, sockets, strict=True):
            process = _start(generation.image(disk), socket)
            servers.callback(_end, process)
            _wait(process, socket, generation.image(disk))
        yield sockets


def _start(image: Path, socket: Path) -> "subprocess.Popen[bytes]":
    options = ["--read-only", "--persistent", "--shared=0", "--format=raw", "--export-name=disk"]
    try:
        return subprocess.Popen(
            [*DIE_WITH_PARENT, "qemu-nbd", *options, f"--socket={socket}", "--", str(image)],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
    except FileNotFoundError as error:
        raise ConfigError(
            f"This worker has no {error.filename}. Install qemu-utils and util-linux."
        ) from error


def _wait(process: "subprocess.Popen[bytes]", socket: Path, image: Path) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while not socket.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            errors = process.communicate()[1].decode(errors="replace").strip()
            raise BackupError(f"qemu-nbd can't export {image}: {errors or 'no message'}.")
        time.sleep(0.02)


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()  # safe, since it only reads
    process.communicate()
