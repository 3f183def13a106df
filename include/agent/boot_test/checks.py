"""The checks that show that a VM booted: text on its serial console, its guest agent, a stable screen.

Without any of these, its system must show itself, as nearly every system does once its file systems are
mounted: its guest agent answers, or it writes to its disks. Firmware writes nothing there, and a boot loader
some sectors (GRUB: ``grubenv``), so a VM that hangs in either, or finds no system, isn't taken for booted.
"""

from __future__ import annotations

import base64
import struct
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from include.agent.boot_test.console import ConsoleLog
from include.agent.boot_test.definition import BootSubstitutes
from include.agent.errors import LibvirtError
from include.agent.virsh import Virsh

POLL_S = 0.2
SCREEN_POLL_S = 1.0
_ALIVE = ("running", "idle", "in shutdown")  # virsh domstate
_PNG = b"\x89PNG\r\n\x1a\n"
SYSTEM_WRITES = 256 << 10
"""How many bytes a VM has written to its disks when its system has shown itself."""
_CURSOR_PART = 1000  # a cursor covers at most this fraction (1/n) of a screen


class BootWatch:
    """Watches one boot test until its checks pass, its VM stops, or its time is over.

    Args:
        virsh: the host's libvirt.
        substitutes: the boot test's own domain and work folder.
        checks: ``serial`` (a text on the console), ``guest_agent``, ``screen_s`` (seconds for which a screen
            that isn't blank must not change), ``system`` (any sign of one), and ``timeout_s``; a check that
            isn't requested is None or false.
        began: when the boot test began, in seconds of the monotonic clock.
    """

    def __init__(
        self, virsh: Virsh, substitutes: BootSubstitutes, checks: dict[str, Any], began: float
    ) -> None:
        self._virsh = virsh
        self._substitutes = substitutes
        self._serial = checks.get("serial")
        self._console = ConsoleLog(substitutes.console, self._serial or "")
        self._agent = bool(checks.get("guest_agent"))
        self._screen_s = float(checks.get("screen_s") or 0)
        self._system = bool(checks.get("system"))
        self._answers, self._written = False, 0
        self._timeout_s = float(checks["timeout_s"])
        self._began = began
        self._last_screen = b""
        self._screen_changed, self._screen_polled = began, 0.0

    @staticmethod
    def problems(checks: dict[str, Any]) -> list[str]:
        """Return what is wrong with a request's checks."""
        problems = []
        if not isinstance(checks.get("timeout_s"), (int, float)):
            problems.append("checks.timeout_s must be a number of seconds")
        if not isinstance(checks.get("screen_s"), (int, float, type(None))):
            problems.append("checks.screen_s must be a number of seconds, or null")
        if not isinstance(checks.get("serial"), (str, type(None))):
            problems.append("checks.serial must be a text, or null")
        if not any(checks.get(key) for key in ("serial", "guest_agent", "screen_s", "system")):
            problems.append("checks must request serial, guest_agent, screen_s or system")
        return problems

    def wait(self, require: Callable[[], None]) -> dict[str, Any]:
        """Wait for the end of the boot test, and return its report, with a screenshot.

        Args:
            require: raises if the boot test may not go on; called often, and before a VM counts as ended.

        Raises:
            LibvirtError: libvirt went away, and didn't come back in time.
        """
        while True:
            require()
            missing, spent = self._missing(), time.monotonic() - self._began
            if not missing:
                return self._report(f"It booted: {self._passed()}.", spent, booted=True)
            if ended := self._ended():
                require()  # a full disk may have ended it
                return self._report(f"{ended} after {spent:.1f} s.{self._console_tail()}", spent)
            if spent > self._timeout_s:
                how = f"After {spent:.0f} s there was still no sign of {missing}.{self._console_tail()}"
                return self._report(how, spent)
            time.sleep(POLL_S)

    def _report(self, how: str, seconds: float, *, booted: bool = False) -> dict[str, Any]:
        screen = self._screenshot()
        picture = base64.b64encode(screen).decode() if screen else None
        return {"booted": booted, "how": how, "seconds": round(seconds, 3), "picture": picture}

    def _passed(self) -> str:
        passed = [f"its serial console printed {self._serial!r}"] if self._serial else []
        passed += ["its guest agent answers"] if self._agent else []
        passed += [f"its screen didn't change for {self._screen_s:g} s"] if self._screen_s else []
        passed += [f"its system runs: {self._signs()}"] if self._system else []
        return ", ".join(passed)

    def _signs(self) -> str:
        return (
            "its guest agent answers" if self._answers else f"it wrote {self._written >> 10} KiB to its disks"
        )

    def _missing(self) -> str | None:
        if self._serial and not self._console.shows_text():
            return f"{self._serial!r} on its serial console"
        if self._agent and not self._ping_agent():
            return "its guest agent"
        if self._screen_s and not self._screen_is_stable():
            return "a stable screen that isn't blank"
        if self._system and not self._system_shows():
            return f"a running system: no guest agent answered, and {self._signs()}"
        return None

    def _system_shows(self) -> bool:
        with suppress(LibvirtError):
            self._written = self._virsh.written_bytes(self._substitutes.uuid)
        self._answers = self._ping_agent()
        return self._answers or self._written >= SYSTEM_WRITES

    def _ended(self) -> str | None:
        """Return how the domain ended; None while it runs, or while libvirt is away."""
        try:
            state = self._virsh.state(self._substitutes.uuid)
            paused = state == "paused" and self._virsh.is_paused_on_io_error(self._substitutes.uuid)
        except LibvirtError:
            return None if self._exists() else "It powered off"  # a transient domain that ended is gone
        if paused:
            return "An I/O error on its disks paused it"
        return None if state in _ALIVE else f"Its state was {state!r}"

    def _exists(self) -> bool:
        """Return whether libvirt knows the domain; True while libvirt is away.

        Raises:
            LibvirtError: libvirt is away, and the time is over.
        """
        try:
            return self._substitutes.uuid in self._virsh.uuids()
        except LibvirtError:
            if time.monotonic() - self._began > self._timeout_s:
                raise
            return True

    def _ping_agent(self) -> bool:
        with suppress(LibvirtError):
            self._virsh.guest_agent(self._substitutes.uuid, "guest-ping")
            return True
        return False

    def _screen_is_stable(self) -> bool:
        """Return whether the screen isn't blank, and hasn't changed for long enough."""
        now = time.monotonic()
        if now - self._screen_polled < SCREEN_POLL_S:
            return False
        self._screen_polled = now
        screen = _pixels(self._screenshot())
        if _differ(screen, self._last_screen):
            self._last_screen, self._screen_changed = screen, now
        return now - self._screen_changed >= self._screen_s and not _is_blank(screen)

    def _screenshot(self) -> bytes:
        # The work folder is QEMU's: a link there would lead what virsh writes, as root, to any file.
        with suppress(LibvirtError, OSError), TemporaryDirectory() as folder:
            file = Path(folder) / "screen"
            self._virsh.run("screenshot", f"--domain={self._substitutes.uuid}", f"--file={file}")
            return file.read_bytes()
        return b""

    def _console_tail(self) -> str:
        tail = self._console.tail()
        return f" Its console printed last: {tail}" if tail else " Its console printed nothing."


def _pixels(screen: bytes) -> bytes:
    """Return a PNG's pixels, unpacked, so that a small change stays small; other data unchanged."""
    if not screen.startswith(_PNG):
        return screen
    packed, at = b"", len(_PNG)
    while at + 8 <= len(screen):
        length, kind = struct.unpack_from(">I4s", screen, at)
        packed += screen[at + 8 : at + 8 + length] if kind == b"IDAT" else b""
        at += length + 12
    try:
        return zlib.decompress(packed)
    except zlib.error:
        return screen


def _differ(first: bytes, second: bytes) -> bool:
    """Return whether two screens differ by more than a blinking cursor."""
    if len(first) != len(second):
        return True
    return sum(a != b for a, b in zip(first, second)) > len(first) // _CURSOR_PART


def _is_blank(screen: bytes) -> bool:
    """Return whether a screen shows nothing but one colour, and maybe a cursor."""
    planes = (screen[colour::3] for colour in range(3))
    others = sum(len(plane) - max(map(plane.count, set(plane)), default=0) for plane in planes)
    return others <= len(screen) // _CURSOR_PART
