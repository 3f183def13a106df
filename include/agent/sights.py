"""What is seen of a machine that is being drilled: its console, its guest agent, its screen."""

from __future__ import annotations

import base64
import struct
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from .drill_definition import Drilled
from .errors import LibvirtError
from .virsh import Virsh

POLL_S = 0.2
LOOK_AGAIN_S = 1.0
_LAST_WORDS = 300
_GOING_ON = ("running", "idle", "in shutdown")  # as virsh says it
_PNG = b"\x89PNG\r\n\x1a\n"
_CURSOR_PART = 1000  # of a screen: what a cursor covers at most


class Sights:
    """Watches one drill.

    Args:
        virsh: the host's libvirt.
        given: the drill's own domain and room.
        proof: ``serial`` (a text on the console), ``guest_agent``, ``screen_s`` (seconds without a change,
            of a screen that isn't blank), and ``timeout_s``; what isn't asked for is None or false.
        began: when the drill began, by the monotonic clock.
    """

    def __init__(self, virsh: Virsh, given: Drilled, proof: dict[str, Any], began: float) -> None:
        self._virsh = virsh
        self._given = given
        self._serial = proof.get("serial")
        self._agent = bool(proof.get("guest_agent"))
        self._screen_s = float(proof.get("screen_s") or 0)
        self._timeout_s = float(proof["timeout_s"])
        self._began = began
        self._last_screen = b""
        self._changed, self._looked = began, 0.0

    @staticmethod
    def wrong(proof: dict[str, Any]) -> list[str]:
        """Say what isn't in order in a request's proof."""
        wrong = []
        if not isinstance(proof.get("timeout_s"), (int, float)):
            wrong.append("proof.timeout_s must be a number of seconds")
        if not isinstance(proof.get("screen_s"), (int, float, type(None))):
            wrong.append("proof.screen_s must be a number of seconds, or null")
        if not isinstance(proof.get("serial"), (str, type(None))):
            wrong.append("proof.serial must be a text, or null")
        if not any(proof.get(key) for key in ("serial", "guest_agent", "screen_s")):
            wrong.append("proof must ask for serial, guest_agent or screen_s")
        return wrong

    def wait(self, require_caller: Callable[[], None]) -> dict[str, Any]:
        """Wait for the proof, and give what was seen of it; with a picture of the screen.

        Raises:
            LibvirtError: libvirt went away, and didn't come back in time.
        """
        while True:
            require_caller()
            missing, spent = self._missing(), time.monotonic() - self._began
            if not missing:
                return self._told(f"It booted: {self._wanted()}.", spent, booted=True)
            if ended := self._ended():
                return self._told(f"{ended} after {spent:.1f} s.{self._last_words()}", spent)
            if spent > self._timeout_s:
                why = f"After {spent:.0f} s there was still no sign of: {missing}.{self._last_words()}"
                return self._told(why, spent)
            time.sleep(POLL_S)

    def _told(self, how: str, seconds: float, *, booted: bool = False) -> dict[str, Any]:
        picture = self._screen()
        told = base64.b64encode(picture).decode() if picture else None
        return {"booted": booted, "how": how, "seconds": round(seconds, 3), "picture": told}

    def _wanted(self) -> str:
        seen = [f"its console says {self._serial!r}"] if self._serial else []
        seen += ["its guest agent answers"] if self._agent else []
        seen += [f"its screen stood still for {self._screen_s:g} s"] if self._screen_s else []
        return ", ".join(seen)

    def _missing(self) -> str | None:
        if self._serial and self._serial.encode() not in self._console():
            return f"{self._serial!r} on its serial console"
        if self._agent and not self._pinged():
            return "its guest agent"
        if self._screen_s and not self._stands_still():
            return "a screen that shows something and stands still"
        return None

    def _ended(self) -> str | None:
        """Say what became of it; None while it goes on, or nobody can tell because libvirt is away."""
        try:
            state = self._virsh.state(self._given.uuid)
            halted = state == "paused" and self._virsh.is_halted(self._given.uuid)
        except LibvirtError:
            return None if self._is_there() else "It went off"  # a transient domain that ended is gone
        if halted:
            return "It halted because it couldn't read or write its disks"
        return None if state in _GOING_ON else f"It was {state}"

    def _is_there(self) -> bool:
        """Tell whether libvirt knows it, if it can be asked.

        Raises:
            LibvirtError: it's away, and the time is over.
        """
        try:
            return self._given.uuid in self._virsh.uuids()
        except LibvirtError:
            if time.monotonic() - self._began > self._timeout_s:
                raise
            return True

    def _pinged(self) -> bool:
        with suppress(LibvirtError):
            asked = '--cmd={"execute":"guest-ping"}'
            self._virsh.run("qemu-agent-command", f"--domain={self._given.uuid}", "--timeout=2", asked)
            return True
        return False

    def _stands_still(self) -> bool:
        """Tell whether the screen shows something, and hasn't changed for long enough."""
        now = time.monotonic()
        if now - self._looked < LOOK_AGAIN_S:
            return False
        self._looked = now
        seen = _pixels(self._screen())
        if _differ(seen, self._last_screen):
            self._last_screen, self._changed = seen, now
        return now - self._changed >= self._screen_s and _shows_something(seen)

    def _screen(self) -> bytes:
        file = self._given.room / "screen"
        with suppress(LibvirtError, OSError):
            self._virsh.run("screenshot", f"--domain={self._given.uuid}", f"--file={file}")
            return file.read_bytes()
        return b""

    def _console(self) -> bytes:
        with suppress(OSError):
            return self._given.console.read_bytes()
        return b""

    def _last_words(self) -> str:
        said = " ".join(self._console()[-_LAST_WORDS:].decode(errors="replace").split())
        return f" Its console said last: {said}" if said else " Its console said nothing."


def _pixels(picture: bytes) -> bytes:
    """Give what a PNG holds, unpacked, so that a small change stays small; anything else as it is."""
    if not picture.startswith(_PNG):
        return picture
    packed, at = b"", len(_PNG)
    while at + 8 <= len(picture):
        length, kind = struct.unpack_from(">I4s", picture, at)
        packed += picture[at + 8 : at + 8 + length] if kind == b"IDAT" else b""
        at += length + 12
    try:
        return zlib.decompress(packed)
    except zlib.error:
        return picture


def _differ(one: bytes, other: bytes) -> bool:
    """Tell whether two screens differ by more than a cursor that blinks."""
    if len(one) != len(other):
        return True
    return sum(a != b for a, b in zip(one, other)) > len(one) // _CURSOR_PART


def _shows_something(screen: bytes) -> bool:
    """Tell whether a screen is more than one colour, and a cursor."""
    planes = (screen[colour::3] for colour in range(3))
    others = sum(len(plane) - max(map(plane.count, set(plane)), default=0) for plane in planes)
    return others > len(screen) // _CURSOR_PART
