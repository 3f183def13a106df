"""A boot test: boot a VM from its image in the vault, and check that it comes up.

The worker exports the image's disks read-only over its SSH session. Each disk gets an overlay here, and the
VM boots in a transient domain without network, made from the definition in the vault; its own domain isn't
touched. The test ends with its caller. If the agent itself is killed, a watcher cleans up (``cleanup.py``).
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import os
import re
import secrets
import select
import shutil
import stat
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from include.agent import detach
from include.agent.boot_test import cleanup
from include.agent.boot_test.checks import BootWatch
from include.agent.boot_test.definition import BootDefinition, BootSubstitutes, boot_definition
from include.agent.boot_test.resources import BootSpace, require_free, require_memory, scratch_folder
from include.agent.errors import BusyError, LibvirtError, NotPossibleError, UsageError
from include.agent.heartbeat import SILENCE_S
from include.agent.qemu_account import default_account, give
from include.agent.state_folder import StateFolder, VmFolder, locked
from include.agent.virsh import Virsh
from include.agent.wire import BLANK_LINE

_REQUIRED = {
    "definition": str,
    "files": dict,
    "disks": list,
    "checks": dict,
    "memory_max_bytes": int,
    "scratch": str,
    "scratch_max_bytes": int,
}
_DISK = re.compile(r"[A-Za-z0-9]{1,12}")
_SOCKET = re.compile(r"boot-test-[0-9a-f]{16}-[0-9]{1,3}\.sock")
_OVERLAY_TIMEOUT_S = 30.0
_LOCK_PATIENCE_S = 2.0  # the watcher locks it for moments only
_MAX_KERNEL_BYTES = 256 << 20


class CallerGoneError(UsageError):
    """The caller went away; nobody reads this error."""


class Caller:
    """The caller of a boot test, who waits for it as long as signs of life arrive at standard input."""

    def __init__(self, stdin: Any) -> None:
        line = stdin.readline()
        while line == BLANK_LINE:  # a sign of life
            line = stdin.readline()
        self.request = _request(line)
        self._gone = threading.Event()
        threading.Thread(target=self._listen, args=(stdin,), daemon=True).start()

    def require(self) -> None:
        """Check that the caller still waits.

        Raises:
            CallerGoneError: it doesn't.
        """
        if self._gone.is_set():
            raise CallerGoneError("The caller of the boot test went away.")

    def _listen(self, stdin: Any) -> None:
        readable = select.poll()
        readable.register(stdin.fileno(), select.POLLIN)
        with suppress(OSError):
            # It sends signs of life. Read below Python's buffer, which would stay locked.
            while readable.poll(SILENCE_S * 1000) and os.read(stdin.fileno(), 1 << 16):
                pass
        self._gone.set()


def boot_test(state: StateFolder, virsh: Virsh, caller: Caller) -> dict[str, Any]:
    """Boot a VM from its image, and wait for the checks that show that it booted.

    Returns:
        ``booted``, ``how`` (sentences), ``seconds`` that it took, ``picture`` (base64, or None).

    Raises:
        UsageError: the request is invalid, or the caller went away.
        BusyError: a VM of this host is being backed up or boot-tested.
        NotPossibleError: the host can't boot it: too little space or memory, or libvirt refuses it.
    """
    began, request = time.monotonic(), caller.request
    with _sockets_removed(state, request), _exclusive(state, virsh):
        name = f"boot-test-{secrets.token_hex(8)}"
        folder = scratch_folder(request["scratch"]) / name
        overlays = {disk["name"]: folder / f"{disk['name']}.qcow2" for disk in request["disks"]}
        substitutes = BootSubstitutes(name, str(uuid.uuid4()), folder, overlays, request["memory_max_bytes"])
        definition = _definition(request["definition"], substitutes)
        sockets = [disk["socket"] for disk in request["disks"]]
        try:
            cleanup.begin(state, virsh, substitutes, sockets)
            space = _prepare(state, virsh, substitutes, request, definition)
            cleanup.require_watcher(folder)
            caller.require()
            _create(virsh, substitutes, definition, space)

            def require() -> None:
                caller.require()
                space.require()

            report = BootWatch(virsh, substitutes, request["checks"], began).wait(require)
        finally:
            cleanup.end_in_time(state, virsh)
    return {**report, "how": report["how"] + _left_out(definition)}


@contextmanager
def _sockets_removed(state: StateFolder, request: dict[str, Any]) -> Iterator[None]:
    """Remove the sockets that sshd made for the session, because sshd doesn't."""
    try:
        yield
    finally:
        for disk in request["disks"]:
            (state.root / disk["socket"]).unlink(missing_ok=True)


@contextmanager
def _exclusive(state: StateFolder, virsh: Virsh) -> Iterator[None]:
    """Be the host's only boot test, while none of its VMs is backed up."""
    state.make()
    with contextlib.ExitStack() as until_the_end:
        with state.lock_host():
            for folder in state.folders():
                _require_no_backup(folder, virsh)
            if not until_the_end.enter_context(locked(cleanup.lock(state), timeout_s=_LOCK_PATIENCE_S)):
                raise BusyError("Another VM is being boot-tested on this host. Try again later.")
            cleanup.end(state, virsh)
        yield


def _require_no_backup(folder: VmFolder, virsh: Virsh) -> None:
    """Check that a VM has no open backup, nor one that was cut off by a reboot of the host."""
    if not (folder.journal.open or folder.is_busy()):
        return
    vm = folder.journal.entry("begin").get("vm", folder.uuid)
    if folder.is_busy() or folder.is_watched() or folder.is_sending():
        raise BusyError(f"{vm} of this host is being backed up. Boot tests wait until that is done.")
    raise NotPossibleError(
        f"A backup of {vm} on this host was interrupted and never ended. Nothing was booted. The next backup "
        f"cleans up; to do it by hand: {detach.typed(virsh, folder, 'end-backup')}."
    )


def _definition(definition: str, substitutes: BootSubstitutes) -> BootDefinition:
    try:
        return boot_definition(definition, substitutes)
    except ValueError as wrong:
        raise NotPossibleError(f"The VM's definition in the vault can't be booted: {wrong}.") from wrong


def _left_out(definition: BootDefinition) -> str:
    return f" It was booted without {', '.join(definition.left_out)}." if definition.left_out else ""


def _prepare(
    state: StateFolder,
    virsh: Virsh,
    substitutes: BootSubstitutes,
    request: dict[str, Any],
    definition: BootDefinition,
) -> BootSpace:
    """Put what the VM needs into the work folder, with overlays for its disks; return the space for them."""
    require_memory(definition.memory_bytes)
    account = default_account(virsh.run("capabilities"))
    give(substitutes.folder, account)
    for copy, original in definition.copies.items():
        _copy(original, copy)
    if nvram := request["files"].get("nvram.fd"):
        substitutes.nvram.write_bytes(base64.b64decode(nvram))
    space = BootSpace(substitutes, request["scratch_max_bytes"])
    for disk in request["disks"]:
        socket = state.root / disk["socket"]
        give(socket, account)
        image = f"nbd+unix:///disk?socket={quote(str(socket))}"
        _create_overlay(image, substitutes.disks[disk["name"]])
    return space


def _copy(original: str, copy: Path) -> None:
    """Copy a kernel or initrd of the host's, if it's a regular file."""
    try:
        found = Path(original).stat()
        if not stat.S_ISREG(found.st_mode) or found.st_size > _MAX_KERNEL_BYTES:
            raise NotPossibleError(
                f"{original}, which the VM boots, isn't a regular file of at most "
                f"{_MAX_KERNEL_BYTES >> 20} MiB. Nothing was booted."
            )
        require_free(copy.parent, found.st_size)
        shutil.copyfile(original, copy)
    except OSError as error:
        raise NotPossibleError(f"{original}, which the VM boots, can't be read: {error}.") from error


def _create_overlay(image: str, overlay: Path) -> None:
    command = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", image, str(overlay)]
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=_OVERLAY_TIMEOUT_S)
    except FileNotFoundError as error:
        raise NotPossibleError("This host has no qemu-img. Install it (Debian: qemu-utils).") from error
    except subprocess.TimeoutExpired as error:
        raise NotPossibleError(
            f"The image's NBD server didn't answer within {_OVERLAY_TIMEOUT_S:.0f} s."
        ) from error
    if done.returncode:
        errors = " ".join(done.stderr.decode(errors="replace").split())
        raise NotPossibleError(f"The image can't be read from this host: {errors}")


def _create(virsh: Virsh, substitutes: BootSubstitutes, definition: BootDefinition, space: BootSpace) -> None:
    file = substitutes.folder / "domain.xml"
    file.touch(0o600)
    file.write_text(definition.xml, encoding="utf-8")
    try:
        virsh.run("create", f"--file={file}", "--paused")
        space.bound(substitutes.name)
        virsh.run("resume", f"--domain={substitutes.uuid}")
    except LibvirtError as refused:
        raise NotPossibleError(f"libvirt on this host can't boot it: {refused}") from refused


def _request(line: bytes) -> dict[str, Any]:
    """Return a request, checked.

    Raises:
        UsageError: it's invalid; the message lists every problem.
    """
    try:
        request = json.loads(line)
    except ValueError as error:
        raise UsageError(f"Standard input isn't JSON: {error}.") from error
    if not isinstance(request, dict):
        raise UsageError("Standard input must be a JSON object.")
    if problems := _type_problems(request) or _content_problems(request):
        raise UsageError(f"The request is invalid: {'; '.join(problems)}.")
    return request


def _type_problems(request: dict[str, Any]) -> list[str]:
    return [
        f"{key} must be {kind.__name__}"
        for key, kind in _REQUIRED.items()
        if type(request.get(key)) is not kind
    ]


def _content_problems(request: dict[str, Any]) -> list[str]:
    problems = [f"{disk!r} is no disk" for disk in request["disks"] if not _is_disk(disk)]
    problems += [] if request["disks"] else ["there is no disk"]
    problems += [] if request["scratch"].startswith("/") else ["scratch must be an absolute path"]
    problems += BootWatch.problems(request["checks"])
    if "nvram.fd" in request["files"]:
        try:
            base64.b64decode(request["files"]["nvram.fd"], validate=True)
        except (binascii.Error, TypeError, ValueError):
            problems.append("nvram.fd must be base64")
    return problems


def _is_disk(disk: Any) -> bool:
    """Return whether it names a disk, and a socket in the agent's folder."""
    return (
        isinstance(disk, dict)
        and _DISK.fullmatch(str(disk.get("name"))) is not None
        and _SOCKET.fullmatch(str(disk.get("socket"))) is not None
    )
