"""Send an open backup: the agent as it is shipped, over pipes, with disks that a real qemu-nbd exports."""

import base64
import io
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from include.agent.backup.send import DiskExport, OpenExports, send
from include.agent.state_folder import locked
from tests.include.agent.disks.test_nbd_client import sparse, throttled
from tests.include.agent.send_process import (
    MIB,
    NONE,
    RUN,
    UUID,
    Call,
    Disks,
    Frame,
    frames_of,
    hashes,
    last_json,
    rebuilt,
    summary,
)


def raw(disks: Disks, path: Path, content: bytes = b"", size: int = 0) -> bytes:
    """Open the backup of a raw disk, with some content or sparse; return its content."""
    sparse(path, size or len(content), at_0=content)
    disks.open_backup(vda=disks.export("vda", "--format=raw", str(path)))
    return path.read_bytes()


def greeted(call: Call) -> dict[str, object]:
    """Greet the agent, and return its answer."""
    answer = call.greet()
    assert "error" not in answer, answer
    return answer


def test_the_greeting_is_answered_with_the_vm_its_disks_and_files(disks: Disks, tmp_path: Path) -> None:
    """The files are the definition, NVRAM and TPM state."""
    raw(disks, tmp_path / "disk", size=3 * MIB)
    (disks.vm.files / "nvram.fd").write_bytes(b"\0\1")
    with disks.call() as call:
        assert call.greet() == {
            "vm": "maq1",
            "uuid": UUID,
            "disks": [{"name": "vda", "bytes": 3 * MIB}],
            "files": {
                "domain.xml": base64.b64encode(b"<domain/>\n").decode(),
                "nvram.fd": base64.b64encode(b"\0\1").decode(),
            },
        }
        assert call.end() == 0


@pytest.mark.parametrize("size", [512, MIB, MIB + 512, 5 * MIB - 512])
def test_a_disk_of_any_size_is_sent_completely(disks: Disks, tmp_path: Path, size: int) -> None:
    """Its last chunk may be short."""
    content = raw(disks, tmp_path / "disk", os.urandom(size))
    with disks.call() as call:
        greeted(call)
        frames = call.request(count=-(-size // MIB))
        assert rebuilt(frames, size) == content
        result = last_json(frames)
        assert (result["read_bytes"], result["sent_bytes"]) == (size, size)
        assert call.end() == 0


def test_holes_arent_read_and_zeros_arent_sent(disks: Disks, tmp_path: Path) -> None:
    """Consecutive zeros are one frame."""
    disk = sparse(tmp_path / "disk", 64 * MIB, at_8388608=bytes(MIB), at_10485760=os.urandom(MIB))
    disks.open_backup(vda=disks.export("vda", "--format=raw", "--detect-zeroes=off", str(disk)))
    with disks.call() as call:
        greeted(call)
        frames = call.request(count=64)
    assert summary(frames) == [("Z", 0, 10), ("D", 10, MIB), ("Z", 11, 53)]
    result = last_json(frames)
    assert (result["read_bytes"], result["sent_bytes"]) == (2 * MIB, MIB)


def test_zeros_that_take_long_to_read_are_sent_on_the_way(
    disks: Disks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a large disk of allocated zeros that takes hours, and whoever sends nothing for long is given up."""
    monkeypatch.setattr("include.agent.wire.FLUSH_S", 0.2)
    disk = sparse(tmp_path / "disk", 16 * MIB, at_0=bytes(16 * MIB))
    socket = disks.export("vda", "--detect-zeroes=off", *throttled(disk, 8 * MIB))
    request = b'{"disk": "vda", "chunk_bytes": 65536, "from": 0, "count": 256, "have": 0}\n'
    with (tmp_path / "sent").open("w+b") as sent:
        backup = OpenExports(RUN, "maq1", UUID, "/nowhere", [DiskExport("vda", socket, "vda")], lambda: None)
        assert send(backup, io.BytesIO(b'{"run": "a run"}\n' + request), sent.fileno()) == 0
        sent.seek(0)
        sent.readline()
        frames = list(frames_of(sent))
    assert {frame.kind for frame in frames[:-1]} == {"Z"}
    assert rebuilt(frames, 16 * MIB, 65536, b"x" * 16 * MIB) == bytes(16 * MIB)
    assert len(frames) > 2  # at least one run of zeros before the last one, and the end


def test_chunks_that_the_vault_has_arent_sent(disks: Disks, tmp_path: Path) -> None:
    """They are recognized by the vault's hashes; chunks without a hash, or with another one, are sent."""
    before = os.urandom(6 * MIB)
    now = bytearray(before)
    now[2 * MIB] ^= 1
    content = raw(disks, tmp_path / "disk", bytes(now))
    have = hashes(before)
    have[4] = NONE
    with disks.call() as call:
        greeted(call)
        frames = call.request(have[:5], count=6)
    assert summary(frames) == [("S", 0, 2), ("D", 2, MIB), ("S", 3, 1), ("D", 4, MIB), ("D", 5, MIB)]
    assert rebuilt(frames, len(content), base=before) == content


def test_chunks_that_became_zeros_arent_sent(disks: Disks, tmp_path: Path) -> None:
    """Whatever the vault has in their place."""
    raw(disks, tmp_path / "disk", size=4 * MIB)
    with disks.call() as call:
        greeted(call)
        assert summary(call.request(hashes(os.urandom(4 * MIB)), count=4)) == [("Z", 0, 4)]


def test_a_disk_can_be_requested_in_parts(disks: Disks, tmp_path: Path) -> None:
    """A resumed transfer does that. Chunks may have any size."""
    content = raw(disks, tmp_path / "disk", os.urandom(3 * MIB + 512))
    with disks.call() as call:
        greeted(call)
        parts: list[Frame] = []
        for first in (0, 5, 10):
            parts += call.request(count=min(5, 13 - first), chunk_bytes=MIB // 4, first=first)[:-1]
        assert summary(call.request(count=0)) == []
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
        {"announced": 2},
        {"chunk_bytes": 0},
        {"chunk_bytes": 1 << 40},
        {"chunk_bytes": "many"},
        {"count": None},
    ],
)
def test_a_wrong_request_is_refused(disks: Disks, tmp_path: Path, wrong: dict[str, Any]) -> None:
    """Nothing is read for it."""
    raw(disks, tmp_path / "disk", size=4 * MIB)
    with disks.call() as call:
        greeted(call)
        frames = call.request(**{"count": 1, **wrong})
        assert [frame.kind for frame in frames] == ["X"]
        assert last_json(frames)["error"] == "BackupNotBegunError"
        assert call.process.wait(30) == 6


@pytest.mark.parametrize("line", [b"GET / HTTP/1.1\r\n", b"[]\n", b"\xff\n"])
def test_a_line_that_isnt_a_request_is_refused(disks: Disks, tmp_path: Path, line: bytes) -> None:
    """Instead of the greeting, and after it."""
    raw(disks, tmp_path / "disk", size=MIB)
    with disks.call() as call:
        call.write(line)
        assert call.process.wait(30) == 6
    with disks.call() as call:
        greeted(call)
        call.write(line)
        assert [frame.kind for frame in call.frames()] == ["X"]


def test_the_backup_isnt_sent_to_another_run(disks: Disks, tmp_path: Path) -> None:
    """That run's backup isn't open any more; this one is of another instant."""
    raw(disks, tmp_path / "disk", size=MIB)
    with disks.call() as call:
        answer = call.greet("last week")
        assert answer["error"] == "NoOpenBackupError"
        assert f"is of {RUN}, not of last week" in answer["message"]
        assert call.process.wait(30) == 9


def test_without_an_open_backup_the_exit_status_is_9(disks: Disks) -> None:
    """The error is printed as by every command."""
    with disks.call() as call:
        assert b"No backup of this VM is open" in call.process.communicate(timeout=30)[0]
        assert call.process.returncode == 9


def test_a_full_scratch_space_is_reported_to_receivers(disks: Disks, tmp_path: Path) -> None:
    """To one that is receiving, and to later ones."""
    raw(disks, tmp_path / "disk", os.urandom(4 * MIB))
    with disks.call() as call:
        greeted(call)
        disks.vm.journal.write("scratch-full")
        disks.end()
        assert "scratch space was full" in last_json(call.request(count=4))["message"]
        assert call.process.wait(30) == 9
    with disks.call() as call:
        assert "scratch space was full" in call.greet()["message"]


def test_a_killed_nbd_server_ends_the_transfer_with_an_error(disks: Disks, tmp_path: Path) -> None:
    """What was sent until then is intact."""
    content = raw(disks, tmp_path / "disk", os.urandom(64 * MIB))
    with disks.call() as call:
        greeted(call)
        call.write(b'{"disk": "vda", "chunk_bytes": 1048576, "from": 0, "count": 64, "have": 0}\n')
        frames = []
        for frame in call.frames():
            frames.append(frame)
            if len(frames) == 3:
                disks.end()
        assert (frames[-1].kind, last_json(frames)["error"]) == ("X", "NoOpenBackupError")
        sent = len(frames) - 1
        assert rebuilt(frames, len(content))[: sent * MIB] == content[: sent * MIB]
        assert call.process.wait(30) == 9


def test_a_read_error_isnt_reported_as_a_closed_backup(disks: Disks, tmp_path: Path) -> None:
    """It isn't transient."""
    disk = sparse(tmp_path / "disk", 4 * MIB, at_0=os.urandom(4 * MIB))
    faults = tmp_path / "faults"
    faults.write_text('[inject-error]\nevent = "none"\nerrno = "5"\nsector = "6144"\n')
    options = f"driver=raw,file.driver=blkdebug,file.config={faults},file.image.driver=file"
    disks.open_backup(vda=disks.export("vda", "--image-opts", f"{options},file.image.filename={disk}"))
    with disks.call() as call:
        greeted(call)
        frames = call.request(count=4)
        assert [frame.kind for frame in frames] == ["D", "D", "D", "X"]
        assert last_json(frames)["error"] == "BackupNotBegunError"
        assert "Input/output error" in last_json(frames)["message"]
        assert call.process.wait(30) == 6


def test_it_ends_when_the_receiver_hangs_up(disks: Disks, tmp_path: Path) -> None:
    """In the middle of the announced hashes, or of what is sent."""
    raw(disks, tmp_path / "disk", os.urandom(8 * MIB))
    with disks.call() as call:
        greeted(call)
        call.write(b'{"disk": "vda", "chunk_bytes": 4096, "from": 0, "count": 8, "have": 8}\n' + NONE)
        assert call.end() == 1
    with disks.call() as call:
        greeted(call)
        call.write(b'{"disk": "vda", "chunk_bytes": 1048576, "from": 0, "count": 8, "have": 0}\n')
        assert call.process.stdout is not None
        call.process.stdout.close()
        assert call.end() == 1


def test_the_backup_counts_as_being_sent_while_any_sender_runs(disks: Disks, tmp_path: Path) -> None:
    """So it isn't ended meanwhile."""
    raw(disks, tmp_path / "disk", size=MIB)
    assert not disks.vm.is_sending()
    with disks.call() as first, disks.call() as second:
        greeted(first)
        greeted(second)
        assert disks.vm.is_sending()
        first.process.send_signal(signal.SIGKILL)
        first.process.wait()
        assert disks.vm.is_sending()
    with locked(disks.vm.send_lock, timeout_s=5) as free:
        assert free


def test_all_nbd_servers_of_a_work_folder_are_ended(disks: Disks, tmp_path: Path) -> None:
    """They are found by the folder's name alone."""
    raw(disks, tmp_path / "disk", size=MIB)
    assert subprocess.run(["pgrep", "-f", str(disks.work_folder)], capture_output=True, check=False).stdout
    disks.end()
    assert not subprocess.run(
        ["pgrep", "-f", str(disks.work_folder)], capture_output=True, check=False
    ).stdout
