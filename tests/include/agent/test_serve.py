"""Serving frozen disks: the agent as it's shipped, over pipes, its disks in a real qemu-nbd."""

import base64
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from include.agent.folder import held
from tests.include.agent.serving import MIB, NONE, RUN, UUID, Call, Disks, Frame, hashes, rebuilt, told, words
from tests.include.agent.test_nbd import sparse


def raw(disks: Disks, path: Path, content: bytes = b"", size: int = 0) -> bytes:
    """Hold a raw disk, whose content is given or made sparse; gives what its guest would see."""
    sparse(path, size or len(content), at_0=content)
    disks.hold(vda=disks.export("vda", "--format=raw", str(path)))
    return path.read_bytes()


def introduced(call: Call) -> dict[str, object]:
    """Greet, and be introduced."""
    said = call.greet()
    assert "error" not in said, said
    return said


def test_who_comes_for_the_run_is_introduced(disks: Disks, tmp_path: Path) -> None:
    """The machine, its disks, and what else is kept."""
    raw(disks, tmp_path / "disk", size=3 * MIB)
    (disks.machine.kept / "nvram.fd").write_bytes(b"\0\1")
    with disks.call() as call:
        assert call.greet() == {
            "machine": "maq1",
            "uuid": UUID,
            "disks": [{"name": "vda", "bytes": 3 * MIB}],
            "files": {
                "domain.xml": base64.b64encode(b"<domain/>\n").decode(),
                "nvram.fd": base64.b64encode(b"\0\1").decode(),
            },
        }
        assert call.end() == 0


@pytest.mark.parametrize("size", [512, MIB, MIB + 512, 5 * MIB - 512])
def test_a_disk_of_any_size_comes_whole(disks: Disks, tmp_path: Path, size: int) -> None:
    """Its last chunk may be short."""
    content = raw(disks, tmp_path / "disk", os.urandom(size))
    with disks.call() as call:
        introduced(call)
        frames = call.ask(count=-(-size // MIB))
        assert rebuilt(frames, size) == content
        said = words(frames)
        assert (said["read_bytes"], said["sent_bytes"]) == (size, size)
        assert call.end() == 0


def test_holes_arent_read_and_zeros_arent_sent(disks: Disks, tmp_path: Path) -> None:
    """Each run of them is one frame."""
    disk = sparse(tmp_path / "disk", 64 * MIB, at_8388608=bytes(MIB), at_10485760=os.urandom(MIB))
    disks.hold(vda=disks.export("vda", "--format=raw", "--detect-zeroes=off", str(disk)))
    with disks.call() as call:
        introduced(call)
        frames = call.ask(count=64)
    assert told(frames) == [("Z", 0, 10), ("D", 10, MIB), ("Z", 11, 53)]
    said = words(frames)
    assert (said["read_bytes"], said["sent_bytes"]) == (2 * MIB, MIB)


def test_what_the_vault_has_is_said_in_a_word(disks: Disks, tmp_path: Path) -> None:
    """By the hashes that it gives; what it has no hash of, or another one, is sent."""
    before = os.urandom(6 * MIB)
    now = bytearray(before)
    now[2 * MIB] ^= 1
    content = raw(disks, tmp_path / "disk", bytes(now))
    have = hashes(before)
    have[4] = NONE
    with disks.call() as call:
        introduced(call)
        frames = call.ask(have[:5], count=6)
    assert told(frames) == [("S", 0, 2), ("D", 2, MIB), ("S", 3, 1), ("D", 4, MIB), ("D", 5, MIB)]
    assert rebuilt(frames, len(content), base=before) == content


def test_what_became_zeros_is_said_in_a_word(disks: Disks, tmp_path: Path) -> None:
    """Whatever the vault has there."""
    raw(disks, tmp_path / "disk", size=4 * MIB)
    with disks.call() as call:
        introduced(call)
        assert told(call.ask(hashes(os.urandom(4 * MIB)), count=4)) == [("Z", 0, 4)]


def test_parts_are_asked_for_one_after_the_other(disks: Disks, tmp_path: Path) -> None:
    """As by a transfer that goes on where it was; chunks may have any size."""
    content = raw(disks, tmp_path / "disk", os.urandom(3 * MIB + 512))
    with disks.call() as call:
        introduced(call)
        parts: list[Frame] = []
        for first in (0, 5, 10):
            parts += call.ask(count=min(5, 13 - first), chunk_bytes=MIB // 4, first=first)[:-1]
        assert told(call.ask(count=0)) == []
        assert rebuilt([*parts, parts[-1]], len(content), MIB // 4) == content
        assert call.end() == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"disk": "vdb"},
        {"disk": ["vda"]},
        {"count": 5},
        {"first": 4},
        {"first": -1},
        {"count": -1},
        {"promised": 2},
        {"chunk_bytes": 0},
        {"chunk_bytes": 1 << 40},
        {"chunk_bytes": "many"},
        {"count": None},
    ],
)
def test_a_part_that_doesnt_exist_is_refused(disks: Disks, tmp_path: Path, wrong: dict[str, Any]) -> None:
    """In a word, before anything is read."""
    raw(disks, tmp_path / "disk", size=4 * MIB)
    with disks.call() as call:
        introduced(call)
        frames = call.ask(**{"count": 1, **wrong})
        assert [frame.kind for frame in frames] == ["X"]
        assert words(frames)["error"] == "NotFrozen"
        assert call.process.wait(30) == 6


@pytest.mark.parametrize("said", [b"GET / HTTP/1.1\r\n", b"[]\n", b"\xff\n"])
def test_what_is_no_question_is_refused(disks: Disks, tmp_path: Path, said: bytes) -> None:
    """Before the introduction, and after it."""
    raw(disks, tmp_path / "disk", size=MIB)
    with disks.call() as call:
        call.write(said)
        assert call.process.wait(30) == 6
    with disks.call() as call:
        introduced(call)
        call.write(said)
        assert [frame.kind for frame in call.frames()] == ["X"]


def test_another_run_isnt_served(disks: Disks, tmp_path: Path) -> None:
    """Its disks are gone; these are of another instant."""
    raw(disks, tmp_path / "disk", size=MIB)
    with disks.call() as call:
        said = call.greet("last week")
        assert said["error"] == "NothingFrozen"
        assert f"is of {RUN}, not of last week" in said["message"]
        assert call.process.wait(30) == 9


def test_nothing_frozen_is_told(disks: Disks) -> None:
    """In the words that every command has."""
    with disks.call() as call:
        assert b"Nothing of this machine is frozen" in call.process.communicate(timeout=30)[0]
        assert call.process.returncode == 9


def test_a_room_that_was_full_is_told(disks: Disks, tmp_path: Path) -> None:
    """To whoever comes, and to whoever is being served just then."""
    raw(disks, tmp_path / "disk", os.urandom(4 * MIB))
    with disks.call() as call:
        introduced(call)
        disks.machine.journal.write("scratch-full")
        disks.end()
        assert "scratch room was full" in words(call.ask(count=4))["message"]
        assert call.process.wait(30) == 9
    with disks.call() as call:
        assert b"scratch room was full" in call.process.communicate(timeout=30)[0]


def test_a_server_that_is_killed_is_told(disks: Disks, tmp_path: Path) -> None:
    """In the middle of a transfer, too; what was sent until then is whole."""
    content = raw(disks, tmp_path / "disk", os.urandom(64 * MIB))
    with disks.call() as call:
        introduced(call)
        call.write(b'{"disk": "vda", "chunk_bytes": 1048576, "from": 0, "count": 64, "have": 0}\n')
        frames = []
        for frame in call.frames():
            frames.append(frame)
            if len(frames) == 3:
                disks.end()
        assert (frames[-1].kind, words(frames)["error"]) == ("X", "NothingFrozen")
        sent = len(frames) - 1
        assert rebuilt(frames, len(content))[: sent * MIB] == content[: sent * MIB]
        assert call.process.wait(30) == 9


def test_a_disk_that_cant_be_read_is_told(disks: Disks, tmp_path: Path) -> None:
    """That isn't gone: another try won't help."""
    disk = sparse(tmp_path / "disk", 4 * MIB, at_0=os.urandom(4 * MIB))
    faults = tmp_path / "faults"
    faults.write_text('[inject-error]\nevent = "none"\nerrno = "5"\nsector = "6144"\n')
    options = f"driver=raw,file.driver=blkdebug,file.config={faults},file.image.driver=file"
    disks.hold(vda=disks.export("vda", "--image-opts", f"{options},file.image.filename={disk}"))
    with disks.call() as call:
        introduced(call)
        frames = call.ask(count=4)
        assert [frame.kind for frame in frames] == ["D", "D", "D", "X"]
        assert words(frames)["error"] == "NotFrozen"
        assert "Input/output error" in words(frames)["message"]
        assert call.process.wait(30) == 6


def test_who_hangs_up_is_waited_for_no_longer(disks: Disks, tmp_path: Path) -> None:
    """In the middle of the hashes that were promised, or of what is sent."""
    raw(disks, tmp_path / "disk", os.urandom(8 * MIB))
    with disks.call() as call:
        introduced(call)
        call.write(b'{"disk": "vda", "chunk_bytes": 4096, "from": 0, "count": 8, "have": 8}\n' + NONE)
        assert call.end() == 1
    with disks.call() as call:
        introduced(call)
        call.write(b'{"disk": "vda", "chunk_bytes": 1048576, "from": 0, "count": 8, "have": 0}\n')
        assert call.process.stdout is not None
        call.process.stdout.close()
        assert call.end() == 1


def test_who_is_served_is_seen(disks: Disks, tmp_path: Path) -> None:
    """So that the disks aren't given to somebody else, nor given up; several may read."""
    raw(disks, tmp_path / "disk", size=MIB)
    assert not disks.machine.served()
    with disks.call() as one, disks.call() as other:
        introduced(one)
        introduced(other)
        assert disks.machine.served()
        one.process.send_signal(signal.SIGKILL)
        one.process.wait()
        assert disks.machine.served()
    with held(disks.machine.serving_lock, patience_s=5) as free:
        assert free


def test_no_process_is_left(disks: Disks, tmp_path: Path) -> None:
    """Of what served the disks, by the room's name alone."""
    raw(disks, tmp_path / "disk", size=MIB)
    assert subprocess.run(["pgrep", "-f", str(disks.room)], capture_output=True, check=False).stdout
    disks.end()
    assert not subprocess.run(["pgrep", "-f", str(disks.room)], capture_output=True, check=False).stdout
