"""A drill: a machine is booted from its image in the vault, to see that it boots.

The vault's side serves the image's disks over its SSH session, to be read only. Here each gets an overlay,
and a transient domain is made of the kept definition, without network; its own isn't touched. It ends with
whoever asked for it: when the session ends, or, if the agent itself is killed, at the next call, which finds
``drill.json`` and nobody at it.
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
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from .drill_definition import Drilled, drilled
from .errors import BusyError, LibvirtError, NotPossibleError, UsageError
from .folder import PASSABLE, State, held, is_held, read_json, write_json
from .scratch import usable_bytes
from .sights import Sights
from .virsh import Virsh

ROOM_LEAST = 256 << 20  # for what a guest writes while it boots
_NEEDED = {"definition": str, "files": dict, "disks": list, "proof": dict, "memory_max_bytes": int}
_DISK = re.compile(r"[A-Za-z0-9]{1,12}")
_SOCKET = re.compile(r"drill-[0-9a-f]{16}-[0-9]{1,3}\.sock")
_READY_S = 30.0


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
        ``booted``, ``how`` (a sentence), ``seconds`` until then, ``picture`` (base64; None without one).

    Raises:
        UsageError: the request isn't in order, or whoever asked went away.
        BusyError: a machine of this host is being imaged, or drilled.
        NotPossibleError: the host can't boot it: no room, or libvirt refuses its definition.
    """
    began, request = time.monotonic(), caller.request
    with _alone(state, virsh):
        domain = f"drill-{secrets.token_hex(8)}"
        room = state.root / domain
        given = Drilled(
            domain,
            str(uuid.uuid4()),
            room,
            {disk["name"]: room / f"{disk['name']}.qcow2" for disk in request["disks"]},
            request["memory_max_bytes"],
        )
        write_json(_note(state), {"uuid": given.uuid, "domain": domain, "room": str(room)})
        try:
            _prepare(state, given, request)
            _create(virsh, given, request["definition"])
            return Sights(virsh, given, request["proof"], began).wait(caller.require)
        finally:
            _end(state, virsh)


def end_left(state: State, virsh: Virsh) -> str | None:
    """End a drill whose process is dead; gives the UUID of one that goes on.

    Raises:
        LibvirtError: its domain doesn't end.
    """
    found = read_json(_note(state))
    if is_held(_lock(state)):
        return str(found.get("uuid", "unknown"))
    if not _lock(state).exists():  # there never was one
        return None
    with held(_lock(state), patience_s=0) as mine:
        if mine:
            _end(state, virsh)
    return None


def refuse_meanwhile(state: State, virsh: Virsh) -> None:
    """See that no machine is drilled on this host: both would want its memory.

    Raises:
        BusyError: one is.
    """
    if end_left(state, virsh):
        raise BusyError("A machine is being drilled on this host. Another is imaged after it.")


def drilled_now(state: State) -> str | None:
    """Give the UUID of the domain that a drill made; also of one that was left."""
    return read_json(_note(state)).get("uuid")


@contextmanager
def _alone(state: State, virsh: Virsh) -> Iterator[None]:
    """Be the host's only drill, while none of its machines is imaged."""
    state.make()
    with contextlib.ExitStack() as until_the_end:
        with state.turn():
            for folder in state.folders():
                if folder.journal.open or folder.at_work():
                    whose = folder.journal.facts("begin").get("machine", folder.uuid)
                    raise BusyError(f"{whose} of this host is being imaged. Drills wait until it's done.")
            if not until_the_end.enter_context(held(_lock(state), patience_s=0)):
                raise BusyError("Another machine is being drilled on this host. Come again.")
            _end(state, virsh)
        yield


def _prepare(state: State, given: Drilled, request: dict[str, Any]) -> None:
    """Make the room, with an overlay for each disk."""
    if (usable := usable_bytes(str(state.root))) < ROOM_LEAST:
        raise NotPossibleError(
            f"{state.root} has {usable / 1e9:.2f} GB free, and a drill needs {ROOM_LEAST / 1e9:.2f} GB. "
            "Nothing was booted. Make room there."
        )
    given.room.mkdir(mode=PASSABLE)  # QEMU's own user must get in; nobody guesses the name
    given.room.chmod(PASSABLE)
    if nvram := request["files"].get("nvram.fd"):
        given.nvram.write_bytes(base64.b64decode(nvram))
    for disk in request["disks"]:
        way = given.room / f"{disk['name']}.sock"
        (state.root / disk["socket"]).rename(way)
        way.chmod(0o666)
        image = f"nbd+unix:///disk?socket={quote(str(way))}"
        _overlay(image, given.disks[disk["name"]])


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


def _create(virsh: Virsh, given: Drilled, definition: str) -> None:
    described = given.room / "domain.xml"
    try:
        described.write_text(drilled(definition, given), encoding="utf-8")
    except ValueError as wrong:
        raise NotPossibleError(f"The kept definition is of no use: {wrong}.") from wrong
    described.chmod(0o600)
    try:
        virsh.run("create", f"--file={described}")
    except LibvirtError as refused:
        raise NotPossibleError(f"This host can't boot it: {refused}") from refused


def _end(state: State, virsh: Virsh) -> None:
    """Take away what the drill in the note made; the caller holds its lock."""
    found = read_json(_note(state))
    if found:
        _destroy(virsh, str(found["uuid"]))
        room = Path(str(found["room"]))
        if room.parent == state.root and room.name == found["domain"] and not room.is_symlink():
            shutil.rmtree(room, ignore_errors=True)
        _note(state).unlink(missing_ok=True)
    for way in state.root.glob("drill-*.sock"):
        if _SOCKET.fullmatch(way.name) and not _answers(way):
            way.unlink(missing_ok=True)


def _destroy(virsh: Virsh, domain: str) -> None:
    if domain in virsh.uuids():
        with suppress(LibvirtError):  # it may just have ended by itself
            virsh.run("destroy", f"--domain={domain}")
        if domain in virsh.uuids():
            raise LibvirtError(f"The drill's domain {domain} doesn't end. See to it: virsh destroy {domain}")


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client, suppress(OSError):
        client.settimeout(1)
        client.connect(str(path))
        return True
    return False


def _note(state: State) -> Path:
    return state.root / "drill.json"


def _lock(state: State) -> Path:
    return state.root / "drill.lock"


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
