"""A drill: a machine is booted from its image in the vault, to see that it boots.

The vault's side serves the image's disks over its SSH session, to be read only. Here each gets an overlay,
and a transient domain is made of the kept definition, without network; its own isn't touched. It ends with
whoever asked for it; if the agent itself is killed, its watcher ends it (drill_end.py).
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
import os
import re
import secrets
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

from . import drill_end
from .drill_definition import Definition, Drilled, drilled
from .errors import BusyError, LibvirtError, NotPossibleError, UsageError
from .folder import MachineFolder, State, held
from .scratch import usable_bytes
from .sights import Sights
from .virsh import Virsh

ROOM_LEAST = 256 << 20  # for what a guest writes while it boots
_NEEDED = {"definition": str, "files": dict, "disks": list, "proof": dict, "memory_max_bytes": int}
_DISK = re.compile(r"[A-Za-z0-9]{1,12}")
_SOCKET = re.compile(r"drill-[0-9a-f]{16}-[0-9]{1,3}\.sock")
_READY_S = 30.0
_A_LOOK_S = 2.0  # the watcher holds the lock for moments only
_KERNEL_MOST = 256 << 20


class AwayError(UsageError):
    """Whoever asked went away; nobody hears of it."""


class Caller:
    """Whoever asked: as long as the standard input stands, somebody waits."""

    def __init__(self, stdin: Any) -> None:
        self.request = _request(stdin.readline())
        self._gone = threading.Event()
        threading.Thread(target=self._listen, args=(stdin,), daemon=True).start()

    def require(self) -> None:
        """See that somebody still waits.

        Raises:
            AwayError: nobody does.
        """
        if self._gone.is_set():
            raise AwayError("Whoever asked for the drill went away.")

    def _listen(self, stdin: Any) -> None:
        with suppress(OSError):
            while os.read(stdin.fileno(), 1 << 16):  # no lock of Python's is held meanwhile
                pass
        self._gone.set()


def drill(state: State, virsh: Virsh, caller: Caller) -> dict[str, Any]:
    """Boot a machine from its image, and look for what proves that it boots.

    Returns:
        ``booted``, ``how`` (sentences), ``seconds`` until then, ``picture`` (base64; None without one).

    Raises:
        UsageError: the request isn't in order, or whoever asked went away.
        BusyError: a machine of this host is being imaged, or drilled.
        NotPossibleError: the host can't boot it: no room, or libvirt refuses its definition.
    """
    began, request = time.monotonic(), caller.request
    with _ways_removed(state, request), _alone(state, virsh):
        name = f"drill-{secrets.token_hex(8)}"
        room = state.root / name
        overlays = {disk["name"]: room / f"{disk['name']}.qcow2" for disk in request["disks"]}
        given = Drilled(name, str(uuid.uuid4()), room, overlays, request["memory_max_bytes"])
        becomes = _defined(request["definition"], given)
        try:
            drill_end.begin(state, virsh, name, given.uuid, [disk["socket"] for disk in request["disks"]])
            _prepare(state, given, request, becomes)
            drill_end.require_watcher(room)
            caller.require()
            _create(virsh, given, becomes)
            seen = Sights(virsh, given, request["proof"], began).wait(caller.require)
        finally:
            drill_end.end_in_time(state, virsh)
    return {**seen, "how": seen["how"] + _without(becomes)}


@contextmanager
def _ways_removed(state: State, request: dict[str, Any]) -> Iterator[None]:
    """Remove the sockets that sshd made for the session: it doesn't do it itself."""
    try:
        yield
    finally:
        for disk in request["disks"]:
            (state.root / disk["socket"]).unlink(missing_ok=True)


@contextmanager
def _alone(state: State, virsh: Virsh) -> Iterator[None]:
    """Be the host's only drill, while none of its machines is imaged."""
    state.make()
    with contextlib.ExitStack() as until_the_end:
        with state.turn():
            for folder in state.folders():
                _refuse_beside(folder)
            if not until_the_end.enter_context(held(drill_end.lock(state), patience_s=_A_LOOK_S)):
                raise BusyError("Another machine is being drilled on this host. Come again.")
            drill_end.end(state, virsh)
        yield


def _refuse_beside(folder: MachineFolder) -> None:
    """See that a machine isn't frozen, nor was left so by a run whose host was rebooted meanwhile."""
    if not (folder.journal.open or folder.at_work()):
        return
    whose = folder.journal.facts("begin").get("machine", folder.uuid)
    if folder.at_work() or folder.watched() or folder.served():
        raise BusyError(f"{whose} of this host is being imaged. Drills wait until it's done.")
    raise NotPossibleError(
        f"A backup left {whose} of this host half done, and nobody is at it. The next backup puts it right, "
        f"or by hand: agent release {folder.uuid}. Nothing was booted."
    )


def _defined(definition: str, given: Drilled) -> Definition:
    try:
        return drilled(definition, given)
    except ValueError as wrong:
        raise NotPossibleError(f"The kept definition is of no use: {wrong}.") from wrong


def _without(becomes: Definition) -> str:
    return f" It was booted without {', '.join(becomes.left_out)}." if becomes.left_out else ""


def _prepare(state: State, given: Drilled, request: dict[str, Any], becomes: Definition) -> None:
    """Have in the room what the machine needs, with an overlay for each disk."""
    _require_room(state, becomes)
    for copy, original in becomes.copies.items():
        _copy(original, copy)
    if nvram := request["files"].get("nvram.fd"):
        given.nvram.write_bytes(base64.b64decode(nvram))
    for disk in request["disks"]:
        way = given.room / f"{disk['name']}.sock"
        (state.root / disk["socket"]).rename(way)
        way.chmod(0o666)
        image = f"nbd+unix:///disk?socket={quote(str(way))}"
        _overlay(image, given.disks[disk["name"]])


def _require_room(state: State, becomes: Definition) -> None:
    if (usable := usable_bytes(str(state.root))) < ROOM_LEAST:
        raise NotPossibleError(
            f"{state.root} has {usable / 1e9:.2f} GB free, and a drill needs {ROOM_LEAST / 1e9:.2f} GB. "
            "Nothing was booted. Make room there."
        )
    if (free := _free_memory_bytes()) is not None and free < becomes.memory_bytes:
        raise NotPossibleError(
            f"This host has {free / 1e9:.2f} GB of memory free, and the machine is booted with "
            f"{becomes.memory_bytes / 1e9:.2f} GB. Nothing was booted. Lower machines.drill.memory_max, or "
            "drill when less runs here."
        )


def _free_memory_bytes() -> int | None:
    """Give what the kernel could give without swapping (proc(5), MemAvailable); None where it doesn't say."""
    with suppress(OSError):
        found = re.search(
            r"^MemAvailable:\s+(\d+) kB$", Path("/proc/meminfo").read_text("ascii"), re.MULTILINE
        )
        return int(found[1]) * 1024 if found else None
    return None


def _copy(original: str, copy: Path) -> None:
    """Copy what a machine boots, if it's a plain file."""
    try:
        found = Path(original).stat()
        if not stat.S_ISREG(found.st_mode) or found.st_size > _KERNEL_MOST:
            raise NotPossibleError(f"{original}, which the machine boots, is no file of a kernel's size.")
        shutil.copyfile(original, copy)
    except OSError as error:
        raise NotPossibleError(f"{original}, which the machine boots, can't be read: {error}.") from error


def _overlay(image: str, overlay: Path) -> None:
    words = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", image, str(overlay)]
    try:
        done = subprocess.run(words, capture_output=True, check=False, timeout=_READY_S)
    except FileNotFoundError as error:
        raise NotPossibleError("This host has no qemu-img (Debian: qemu-utils).") from error
    except subprocess.TimeoutExpired as error:
        raise NotPossibleError(f"The image didn't answer within {_READY_S:.0f} s.") from error
    if done.returncode:
        said = " ".join(done.stderr.decode(errors="replace").split())
        raise NotPossibleError(f"The image can't be read from this host: {said}")


def _create(virsh: Virsh, given: Drilled, becomes: Definition) -> None:
    described = given.room / "domain.xml"
    described.touch(0o600)
    described.write_text(becomes.xml, encoding="utf-8")
    try:
        virsh.run("create", f"--file={described}")
    except LibvirtError as refused:
        raise NotPossibleError(f"This host can't boot it: {refused}") from refused


def _request(line: bytes) -> dict[str, Any]:
    """Take a request that is in order.

    Raises:
        UsageError: it isn't; says all that is wrong.
    """
    try:
        heard = json.loads(line)
    except ValueError as error:
        raise UsageError(f"What came on standard input is no JSON: {error}.") from error
    if not isinstance(heard, dict):
        raise UsageError("A JSON object is wanted on standard input.")
    wrong = [
        f"{key} must be {kind.__name__}" for key, kind in _NEEDED.items() if type(heard.get(key)) is not kind
    ]
    if not wrong:
        wrong = [f"{disk!r} is no disk" for disk in heard["disks"] if not _is_disk(disk)]
        wrong += [] if heard["disks"] else ["there is no disk"]
        wrong += Sights.wrong(heard["proof"])
        with suppress(KeyError):
            try:
                base64.b64decode(heard["files"]["nvram.fd"], validate=True)
            except (binascii.Error, TypeError, ValueError):
                wrong.append("nvram.fd must be base64")
    if wrong:
        raise UsageError(f"The request isn't in order: {'; '.join(wrong)}.")
    return heard


def _is_disk(disk: Any) -> bool:
    """Tell whether it names a disk, and a socket in the agent's folder."""
    return (
        isinstance(disk, dict)
        and _DISK.fullmatch(str(disk.get("name"))) is not None
        and _SOCKET.fullmatch(str(disk.get("socket"))) is not None
    )
