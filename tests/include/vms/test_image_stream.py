"""The stream from a host: failures of the connection, and everything invalid that a host may send."""

import base64
import json
import os
import shlex
import signal
from pathlib import Path
from typing import Any

import pytest

from include.errors import BackupError, SourceRefusedError, SourceUnreachableError, VmNotImagedError
from include.vault.vault import Vault
from include.vms.archive import VmArchive
from include.vms.models import BegunBackup
from include.vms.transfer import transfer, transfer_again
from tests.include.days.login_banners import force, with_programs
from tests.include.tcp_proxy import Wire
from tests.include.vms.exported_disks import MIB, ExportedDisks, image, noise
from tests.include.vms.sample_vms import UUID, names
from tests.site.sshd import SshServer

SIZE = 2 * MIB + 512


@pytest.fixture
def begun(exported: ExportedDisks, tmp_path: Path) -> BegunBackup:
    """The backup of a disk of two chunks and a short one."""
    return exported.export({"vda": image(tmp_path / "disk", SIZE, at_0=noise(SIZE / MIB))})


def refused(
    exported: ExportedDisks,
    vault: Vault,
    begun: BegunBackup,
    command: str | None = None,
    **connection: object,
) -> BackupError:
    """Return the error that a transfer raises."""
    source = exported.source(begun, exported.server.connection | connection, command)
    with pytest.raises(BackupError) as error, VmArchive(vault).lock("maq1") as staged, source as opened:
        transfer(opened, staged, None, print)
    return error.value


def test_another_host_key_is_refused(
    exported: ExportedDisks, vault: Vault, begun: BegunBackup, own_cluster: SshServer
) -> None:
    """Another host answers at the address."""
    extra = {**exported.server.connection["extra"], "host_key": own_cluster.host_key}
    error = refused(exported, vault, begun, extra=extra)
    assert isinstance(error, SourceRefusedError)
    assert "another host key" in str(error)


def test_a_refused_key_is_reported(
    exported: ExportedDisks, vault: Vault, begun: BegunBackup, own_cluster: SshServer
) -> None:
    """A retry can't help."""
    own_cluster.refuse_key()
    error = refused(exported, vault, begun, **own_cluster.connection)
    assert isinstance(error, SourceRefusedError)
    assert "refuses the connection's key" in str(error)


def test_a_host_that_is_off_is_a_transient_error(
    exported: ExportedDisks, vault: Vault, begun: BegunBackup, own_cluster: SshServer
) -> None:
    """It may be on again at the next try."""
    own_cluster.stop()
    assert isinstance(refused(exported, vault, begun, **own_cluster.connection), SourceUnreachableError)


def test_a_host_without_python_is_reported(
    exported: ExportedDisks, vault: Vault, begun: BegunBackup, own_cluster: SshServer, tmp_path: Path
) -> None:
    """It needs no other program."""
    (tmp_path / "bin").mkdir()
    with_programs(own_cluster, tmp_path / "bin")
    error = refused(exported, vault, begun, **own_cluster.connection)
    assert not isinstance(error, SourceUnreachableError)
    assert "python3 isn't installed at the host" in str(error)


@pytest.mark.parametrize("greeting", ["welcome", "7", "{}"])
def test_a_shell_with_a_greeting_is_reported(
    exported: ExportedDisks, vault: Vault, begun: BegunBackup, own_cluster: SshServer, greeting: str
) -> None:
    """Whatever it prints: the agent's output comes after it."""
    force(own_cluster, f"printf '{greeting}\\n';")
    error = refused(exported, vault, begun, **own_cluster.connection)
    assert "start-up file" in str(error) or "maq1: invalid header from its host" in str(error)


def test_a_host_that_sends_nothing_times_out(
    exported: ExportedDisks, vault: Vault, begun: BegunBackup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SSH is still connected; a retry may help."""
    monkeypatch.setattr("include.remote.stream.SILENCE_S", 0.5)
    error = refused(exported, vault, begun, "exec cat >/dev/null")
    assert isinstance(error, SourceUnreachableError)
    assert "sent nothing for 0.5 s" in str(error)


def test_a_transfer_resumes_after_a_host_has_hung(
    exported: ExportedDisks, vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it hung in the middle, but its kernel; what was received is kept."""
    disk = image(tmp_path / "large", 40 * MIB, at_0=noise(40))
    begun = exported.export({"vda": disk})

    def hang(_wire: Wire) -> None:
        monkeypatch.setattr("include.remote.stream.SILENCE_S", 2)  # only now: it may take long to begin
        exported.signal_agent(signal.SIGSTOP)

    with Wire(exported.server, when=lambda wire: wire.carried > 8 * MIB, then=hang) as wire:
        error = refused(exported, vault, begun, port=wire.connection["port"])
    assert isinstance(error, SourceUnreachableError)
    exported.signal_agent(signal.SIGCONT)
    staged = VmArchive(vault).staged("maq1")
    received = staged.received("vda").stat().st_size // 32
    assert received >= 4
    with VmArchive(vault).lock("maq1"), exported.source(begun) as source:
        assert transfer(source, staged, None, print).disks[0].sent_bytes == (40 - received) * MIB
    assert staged.image("vda").read_bytes() == disk.read_bytes()


@pytest.mark.parametrize(
    ("status", "message"),
    [(1, "Traceback: it is raining"), (2, "can't open file 'agent-0.pyz'"), (0, "")],
)
def test_an_agent_that_ends_early_is_reported_with_its_message(
    exported: ExportedDisks, vault: Vault, begun: BegunBackup, status: int, message: str
) -> None:
    """It isn't a broken connection."""
    error = refused(exported, vault, begun, f'echo "{message}" >&2; exit {status}')
    assert not isinstance(error, SourceUnreachableError)
    assert message in str(error)
    assert f"status {status}" in str(error)


# A host that sends what its argument says, once it has received the first line.
_LIAR = """
import base64, hashlib, json, struct, sys
sys.stdin.buffer.readline()
header, frames = json.loads(sys.argv[1])
line = header if isinstance(header, str) else json.dumps(header)
sys.stdout.buffer.write(line.encode() + b"\\n")
sys.stdout.buffer.flush()
sys.stdin.buffer.readline()
for kind, first, second, digest, data in frames:
    frame = struct.pack(">cQQ32s", kind.encode(), first, second, bytes.fromhex(digest))
    sys.stdout.buffer.write(frame + base64.b64decode(data))
sys.stdout.buffer.flush()
sys.stdin.buffer.read()
"""
_NONE = "00" * 32
_END = ("E", 0, 2, _NONE, "e30=")
_SHORT = base64.b64encode(b"x" * 512).decode()
_DISK = {"name": "vda", "bytes": SIZE}
_FILES = {"domain.xml": "PGRvbWFpbi8+"}
_PLAIN: dict[str, Any] = {"vm": "maq1", "uuid": UUID, "disks": [_DISK], "files": _FILES}


def liar(header: object, *frames: tuple[str, int, int, str, str]) -> str:
    """Return the command of a host that sends this header and these frames."""
    return shlex.join(["python3", "-c", _LIAR, json.dumps([header, frames])])


def with_disks(*disks: object) -> dict[str, Any]:
    """Return a header with other disks."""
    return {**_PLAIN, "disks": list(disks)}


@pytest.mark.parametrize(
    "header",
    [
        "no JSON",
        "[]",
        '{"error": 7}',
        {**_PLAIN, "disks": 7},
        {**_PLAIN, "files": ["domain.xml"]},
        {**_PLAIN, "files": {"domain.xml": "no base64!"}},
        {**_PLAIN, "files": {}},
        {**_PLAIN, "more": "than is known"},
        with_disks(_DISK, _DISK),
        with_disks(_DISK, {"name": "vdb", "bytes": 0}),
        *(with_disks({"name": name, "bytes": SIZE}) for name in ("../x", 7)),
        *(with_disks({"name": "vda", "bytes": size}) for size in (-1, 1.5, None, MIB)),
    ],
    ids=str,
)
def test_an_invalid_header_is_refused(
    exported: ExportedDisks, vault: Vault, begun: BegunBackup, header: object
) -> None:
    """Nothing is written."""
    error = refused(exported, vault, begun, liar(header))
    assert not isinstance(error, SourceUnreachableError)
    assert not VmArchive(vault).staged("maq1").folder.exists()


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a\0b", ""])
def test_a_disk_whose_name_is_a_path_is_refused(
    exported: ExportedDisks, vault: Vault, begun: BegunBackup, name: str
) -> None:
    """Even where it has this name in the backup."""
    disks = [begun.disks[0].model_copy(update={"name": name})]
    renamed = begun.model_copy(update={"disks": tuple(disks)})
    refused(exported, vault, renamed, liar(with_disks({"name": name, "bytes": SIZE})))
    assert names(VmArchive(vault).staged("maq1").data) == ["domain.xml"]


def test_a_huge_disk_is_refused_without_allocating_memory(
    exported: ExportedDisks, vault: Vault, begun: BegunBackup
) -> None:
    """Its digests would fill the memory; a smaller one may be too large for the file system."""
    for size, reason in ((1 << 62, "invalid header"), (1 << 45, "doesn't allow files of 35 TB")):
        large = begun.disks[0].model_copy(update={"bytes": size})
        command = liar(with_disks({"name": "vda", "bytes": size}))
        assert reason in str(refused(exported, vault, begun.model_copy(update={"disks": (large,)}), command))


def test_files_of_other_names_are_ignored(exported: ExportedDisks, vault: Vault, begun: BegunBackup) -> None:
    """Only the definition, NVRAM and TPM state are written."""
    files = {**_FILES, "../x": "eA==", "record.json": "eA==", "nvram.fd": "eA=="}
    zeros = ("Z", 0, 3, _NONE, "")
    with VmArchive(vault).lock("maq1") as staged:
        with exported.source(begun, command=liar({**_PLAIN, "files": files}, zeros, _END)) as source:
            assert transfer(source, staged, None, print).files == ("domain.xml", "nvram.fd")
        assert names(staged.data) == ["domain.xml", "nvram.fd", "vda.chunks", "vda.img"]
        assert staged.image("vda").read_bytes() == bytes(SIZE)


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        ([("D", 0, 3, _NONE, "YWJj")], "checksum mismatch after the transfer"),
        (
            [("Z", 0, 2, _NONE, ""), ("D", 2, 512, _NONE, _SHORT), _END],
            "checksum mismatch after the transfer",
        ),
        ([("D", 0, MIB + 1, _NONE, "")], "sent an invalid frame"),
        ([("Q", 0, 0, _NONE, "")], "sent an invalid frame"),
        ([("Z", 0, 0, _NONE, "")], "sent an invalid frame"),
        ([("Z", 0, 4, _NONE, "")], "4 chunks of vda from 0 on; expected was chunk 0 of 3"),
        ([("Z", 1, 1, _NONE, "")], "1 chunk of vda from 1 on; expected was chunk 0 of 3"),
        ([("Z", 0, 1, _NONE, ""), ("Z", 0, 1, _NONE, "")], "from 0 on; expected was chunk 1 of 3"),
        ([("Z", 0, 1 << 63, _NONE, "")], "of vda from 0 on; expected was chunk 0 of 3"),
        ([("S", 0, 1, _NONE, "")], "didn't send chunk 0 of vda, which isn't in the base"),
        ([_END], "ended vda after 0 of 3 chunks"),
        ([("E", 0, 1 << 40, _NONE, "")], "sent an invalid frame"),
        ([("E", 0, 3, _NONE, "YWJj")], "Unexpected output"),
        ([("X", 0, 3, _NONE, "YWJj")], "Unexpected output"),
        ([("X", 0, 2, _NONE, "e30=")], "None"),
    ],
)
def test_invalid_frames_are_refused(
    exported: ExportedDisks,
    vault: Vault,
    begun: BegunBackup,
    frames: list[tuple[str, int, int, str, str]],
    reason: str,
) -> None:
    """The disk doesn't count as complete."""
    assert reason in str(refused(exported, vault, begun, liar(_PLAIN, *frames)))
    assert not VmArchive(vault).staged("maq1").chunks("vda").exists()


@pytest.mark.parametrize(
    "frame", [("Z", 1, 1, _NONE, ""), ("S", 0, 1, _NONE, ""), ("D", 7, 3, _NONE, "YWJj")]
)
def test_only_requested_chunks_are_transferred_again(
    exported: ExportedDisks, vault: Vault, begun: BegunBackup, frame: tuple[str, int, int, str, str]
) -> None:
    """Nothing else is written, whatever the host sends."""
    with VmArchive(vault).lock("maq1") as staged:
        with exported.source(begun) as source:
            transfer(source, staged, None, print)
        before = staged.image("vda").read_bytes()
        with exported.source(begun, command=liar(_PLAIN, frame)) as source, pytest.raises(VmNotImagedError):
            transfer_again(source, staged, {"vda": [0]})
        assert staged.image("vda").read_bytes() == before


def test_a_chunk_is_written_where_it_was_requested_for(
    exported: ExportedDisks, vault: Vault, begun: BegunBackup, tmp_path: Path
) -> None:
    """If its data are right, even if the host names another place."""
    disk = (tmp_path / "disk").read_bytes()
    right = ("D", 0, 512, _NONE, base64.b64encode(disk[2 * MIB :]).decode())
    with VmArchive(vault).lock("maq1") as staged:
        with exported.source(begun) as source:
            transfer(source, staged, None, print)
        os.truncate(staged.image("vda"), 2 * MIB)
        os.truncate(staged.image("vda"), SIZE)
        with exported.source(begun, command=liar(_PLAIN, right, _END)) as source:
            transfer_again(source, staged, {"vda": [2]})
        assert staged.image("vda").read_bytes() == disk
