"""The end of a drill, whoever died: its domain, its room and its sockets go; nobody need ask for it.

``drill.json`` names them from before they are made; ``drill.lock`` is held as long as somebody is at it. A
process that is nobody's child waits for that to end, as the lease's watcher does (watch.py). After a reboot
of the host there is none, and the next call does it.
"""

from __future__ import annotations

import shutil
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from . import detach
from .errors import BusyError, LibvirtError, NotPossibleError
from .folder import PASSABLE, State, held, is_held, read_json, write_json
from .virsh import Virsh

POLL_S = 0.5
ARMED_S = 20.0  # until the watcher must have said that it watches
PATIENCE_S = 20.0  # with a libvirt that is away
_LOGS = Path("/var/log/libvirt/qemu")  # where libvirt keeps what QEMU said


def begin(state: State, virsh: Virsh, domain: str, uuid: str, sockets: list[str]) -> None:
    """Write down what will be there, make the room, and have it guarded. The caller holds the lock."""
    room = state.root / domain
    write_json(_note(state), {"uuid": uuid, "domain": domain, "room": str(room), "sockets": sockets})
    room.mkdir(mode=PASSABLE)  # QEMU's own user must get in; nobody guesses the name
    room.chmod(PASSABLE)
    words = ["--uri", virsh.uri, "--state", str(state.root), "watch-drill", domain]
    detach.start(words, f"inpe-backup-{domain}", again=True)


def require_watcher(room: Path) -> None:
    """Wait until a drill is guarded.

    Raises:
        NotPossibleError: no watcher came up.
    """
    deadline = time.monotonic() + ARMED_S
    while not is_held(_guarded(room)):
        if time.monotonic() > deadline:
            raise NotPossibleError(
                f"The process that would end the drill if we died didn't come up in {ARMED_S:.0f} s. "
                "Nothing was booted."
            )
        time.sleep(0.02)


def watch(state: State, virsh: Virsh, domain: str) -> None:
    """Wait for whoever drills to be done or dead. This is the whole life of the watcher's process."""
    with suppress(FileNotFoundError), held(_guarded(state.root / domain), patience_s=0):
        while read_json(_note(state)).get("domain") == domain:
            with suppress(Exception):  # libvirtd may be away: nothing ends the watch
                end_left(state, virsh)
            time.sleep(POLL_S)


def end_left(state: State, virsh: Virsh) -> str | None:
    """End a drill whose process is dead; gives the UUID of one that goes on.

    Raises:
        LibvirtError: its domain doesn't end.
    """
    found = read_json(_note(state))
    if is_held(lock(state)):
        return str(found.get("uuid", "unknown"))
    if not lock(state).exists():  # there never was one
        return None
    with held(lock(state), patience_s=0) as mine:
        if mine:
            end(state, virsh)
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


def end(state: State, virsh: Virsh) -> None:
    """Take away what the drill in the note made; the caller holds the lock.

    Raises:
        LibvirtError: its domain doesn't end, or libvirt is away; what is left is still in the note.
    """
    found = read_json(_note(state))
    if found:
        for _ in range(2):  # virsh outlives who called it, and may create the domain only now: without a room
            _destroy(virsh, str(found["uuid"]))
            _remove(state, found)
        _note(state).unlink(missing_ok=True)
    for way in state.root.glob("drill-*.sock"):
        if not _answers(way):
            way.unlink(missing_ok=True)


def end_in_time(state: State, virsh: Virsh) -> None:
    """Do that, while libvirt may be away for a moment; after that the watcher goes on with it.

    Raises:
        LibvirtError: it's away for longer.
    """
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return end(state, virsh)
        except LibvirtError:
            if time.monotonic() > deadline:
                raise
            time.sleep(POLL_S)


def lock(state: State) -> Path:
    """Give the file that whoever drills holds."""
    return state.root / "drill.lock"


def _remove(state: State, found: dict[str, Any]) -> None:
    room = Path(str(found["room"]))
    if room.parent == state.root and room.name == found["domain"] and not room.is_symlink():
        shutil.rmtree(room, ignore_errors=True)
        (_LOGS / f"{room.name}.log").unlink(missing_ok=True)
    for name in found.get("sockets", []):
        if name == Path(name).name:
            (state.root / name).unlink(missing_ok=True)


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


def _guarded(room: Path) -> Path:
    return room / "watched"
