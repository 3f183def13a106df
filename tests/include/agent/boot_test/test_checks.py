"""When a boot-tested VM's screen counts as blank, and as changed."""

import dataclasses
from pathlib import Path

import pytest

from include.agent.boot_test.checks import BootWatch, _differ, _is_blank
from include.agent.errors import LibvirtError
from include.agent.virsh import Virsh
from tests.include.agent.boot_test.test_definition import SUBSTITUTES

HEADER = b"P6\n720 400\n255\n"
PIXELS = 720 * 400
CURSOR, LINE = 16, 2000  # pixels of a text screen's cursor, and of a line of text


@pytest.mark.parametrize(
    ("screen", "blank"),
    [
        (b"", True),
        (HEADER + bytes(3 * PIXELS), True),
        (HEADER + b"\x00\x00\xaa" * PIXELS, True),
        (HEADER + bytes(3 * (PIXELS - CURSOR)) + b"\xaa" * (3 * CURSOR), True),
        (HEADER + bytes(3 * (PIXELS - LINE)) + b"\xaa" * (3 * LINE), False),
    ],
    ids=["no screenshot", "black", "blue", "a cursor", "a line of text"],
)
def test_a_screen_of_one_colour_is_blank(screen: bytes, *, blank: bool) -> None:
    """Even with a cursor on it."""
    assert _is_blank(screen) is blank


def test_a_blinking_cursor_is_no_change() -> None:
    """A line of text is one, and so is another size of the screen."""
    black = HEADER + bytes(3 * PIXELS)
    assert not _differ(black, black[: -3 * CURSOR] + b"\xaa" * (3 * CURSOR))
    assert _differ(black, black[: -3 * LINE] + b"\xaa" * (3 * LINE))
    assert _differ(black, black[:-3])


class OneScreen(Virsh):
    """Libvirt with a VM that runs, and has a screen."""

    def run(self, command: str, *options: str, timeout_s: float = 1) -> str:
        """Write a screenshot as virsh does, also to where a link leads."""
        if command == "screenshot":
            Path(options[-1].replace("--file=", "")).write_bytes(b"a screenshot")
        return f"running for {timeout_s} s"


def test_a_link_that_the_guests_qemu_made_is_never_written_to(tmp_path: Path) -> None:
    """The work folder belongs to QEMU's account, and virsh runs as root."""
    (tmp_path / "roots").write_bytes(b"root's")
    (tmp_path / "screen").symlink_to(tmp_path / "roots")
    substitutes = dataclasses.replace(SUBSTITUTES, folder=tmp_path)
    watch = BootWatch(OneScreen("qemu:///system"), substitutes, {"screen_s": 1, "timeout_s": -1}, 0)
    assert watch.wait(lambda: None)["picture"]
    assert (tmp_path / "roots").read_bytes() == b"root's"


class OneGuest(OneScreen):
    """Libvirt with a VM that has written to its disks, and may have a guest agent."""

    written, answers = 0, False

    def state(self, uuid: str) -> str:
        """Return that it runs."""
        return "running" if uuid else ""

    def written_bytes(self, uuid: str) -> int:
        """Return what it wrote."""
        return self.written if uuid else 0

    def guest_agent(self, uuid: str, command: str) -> str:
        """Answer, if it does."""
        if not self.answers:
            raise LibvirtError(f"{uuid} has no guest agent for {command}")
        return ""


@pytest.mark.parametrize(
    ("written", "answers", "booted", "how"),
    [
        (
            0,
            False,
            False,
            "no sign of a running system: no guest agent answered, and it wrote 0 KiB to its disks",
        ),
        (64 << 10, False, False, "no guest agent answered, and it wrote 64 KiB to its disks"),
        (300 << 10, False, True, "It booted: its system runs: it wrote 300 KiB to its disks."),
        (0, True, True, "It booted: its system runs: its guest agent answers."),
    ],
    ids=["firmware", "a boot loader", "a system", "a guest agent"],
)
def test_without_another_check_a_system_must_show_itself(
    tmp_path: Path, how: str, *, written: int, answers: bool, booted: bool
) -> None:
    """By what neither firmware nor a boot loader does."""
    guest = OneGuest("qemu:///system")
    guest.written, guest.answers = written, answers
    substitutes = dataclasses.replace(SUBSTITUTES, folder=tmp_path)
    report = BootWatch(guest, substitutes, {"system": True, "timeout_s": -1}, 0).wait(lambda: None)
    assert report["booted"] is booted
    assert how in report["how"]
