"""The wire to a host: who isn't the one, can't, or says what nobody asked is found out, and told."""

import base64
import json
import os
import shlex
import signal
from pathlib import Path
from typing import Any

import pytest

from include.errors import BackupError, MachineNotImagedError, SourceRefusedError, SourceUnreachableError
from include.machines.facts import Frozen
from include.machines.generation import Generations
from include.machines.pull import pull, pull_again
from include.vault import Vault
from tests.include.logins import force, with_programs
from tests.include.machines.held_disks import MIB, HeldDisks, image, noise
from tests.include.machines.machines import UUID, names
from tests.include.wire import Wire
from tests.site.sshd import SshServer

SIZE = 2 * MIB + 512


@pytest.fixture
def frozen(held: HeldDisks, tmp_path: Path) -> Frozen:
    """A disk of two chunks and a short one, held."""
    return held.hold({"vda": image(tmp_path / "disk", SIZE, at_0=noise(SIZE / MIB))})


def refused(
    held: HeldDisks, vault: Vault, frozen: Frozen, command: str | None = None, **connection: object
) -> BackupError:
    """Give the error that a pull ends with."""
    way = held.way(frozen, held.server.connection | connection, command)
    with pytest.raises(BackupError) as told, Generations(vault).hold("maq1") as staged, way as path:
        pull(path, staged, None, print)
    return told.value


def test_another_host_key_is_refused(
    held: HeldDisks, vault: Vault, frozen: Frozen, own_cluster: SshServer
) -> None:
    """Somebody else answers at the host's address."""
    extra = {**held.server.connection["extra"], "host_key": own_cluster.host_key}
    told = refused(held, vault, frozen, extra=extra)
    assert isinstance(told, SourceRefusedError)
    assert "another host key" in str(told)


def test_a_key_that_is_refused_is_told(
    held: HeldDisks, vault: Vault, frozen: Frozen, own_cluster: SshServer
) -> None:
    """No retry can mend it."""
    own_cluster.refuse_key()
    told = refused(held, vault, frozen, **own_cluster.connection)
    assert isinstance(told, SourceRefusedError)
    assert "refuses the connection's key" in str(told)


def test_a_host_that_is_off_may_come_back(
    held: HeldDisks, vault: Vault, frozen: Frozen, own_cluster: SshServer
) -> None:
    """So it's worth a retry."""
    own_cluster.stop()
    assert isinstance(refused(held, vault, frozen, **own_cluster.connection), SourceUnreachableError)


def test_a_host_without_python_is_told(
    held: HeldDisks, vault: Vault, frozen: Frozen, own_cluster: SshServer, tmp_path: Path
) -> None:
    """It needs nothing else."""
    (tmp_path / "bin").mkdir()
    with_programs(own_cluster, tmp_path / "bin")
    told = refused(held, vault, frozen, **own_cluster.connection)
    assert not isinstance(told, SourceUnreachableError)
    assert "python3 isn't installed at the host" in str(told)


@pytest.mark.parametrize("words", ["welcome", "7", "{}"])
def test_a_shell_that_prints_when_it_starts_is_told(
    held: HeldDisks, vault: Vault, frozen: Frozen, own_cluster: SshServer, words: str
) -> None:
    """Whatever it prints: the agent's words come after it, and can't be told from it."""
    force(own_cluster, f"printf '{words}\\n';")
    told = refused(held, vault, frozen, **own_cluster.connection)
    assert "start-up file" in str(told) or "introduces maq1 in a way that isn't known" in str(told)


def test_a_host_that_says_nothing_is_given_up(
    held: HeldDisks, vault: Vault, frozen: Frozen, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It lives, as far as SSH can tell; another try may find it better."""
    monkeypatch.setattr("include.machines.agent_line.SILENCE_S", 0.5)
    told = refused(held, vault, frozen, "exec sleep 60")
    assert isinstance(told, SourceUnreachableError)
    assert "said nothing for 0.5 s" in str(told)


def test_a_host_that_falls_silent_is_gone_on_with(
    held: HeldDisks, vault: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its storage is stuck in the middle; what came is kept."""
    disk = image(tmp_path / "large", 40 * MIB, at_0=noise(40))
    frozen = held.hold({"vda": disk})
    (server,) = held.servers()
    monkeypatch.setattr("include.machines.agent_line.SILENCE_S", 2)
    with Wire(
        held.server,
        when=lambda wire: wire.carried > 8 * MIB,
        then=lambda _: os.kill(server, signal.SIGSTOP),
    ) as wire:
        told = refused(held, vault, frozen, port=wire.connection["port"])
    assert isinstance(told, SourceUnreachableError)
    os.kill(server, signal.SIGCONT)
    staged = Generations(vault).staged("maq1")
    had = staged.have("vda").stat().st_size // 32
    assert had >= 4
    with Generations(vault).hold("maq1"), held.way(frozen) as way:
        assert pull(way, staged, None, print).disks[0].sent_bytes == (40 - had) * MIB
    assert staged.image("vda").read_bytes() == disk.read_bytes()


@pytest.mark.parametrize(
    ("status", "words"),
    [(1, "Traceback: it is raining"), (2, "can't open file 'agent-0.pyz'"), (0, "")],
)
def test_an_agent_that_ends_leaves_its_last_words(
    held: HeldDisks, vault: Vault, frozen: Frozen, status: int, words: str
) -> None:
    """That is no broken connection."""
    told = refused(held, vault, frozen, f'echo "{words}" >&2; exit {status}')
    assert not isinstance(told, SourceUnreachableError)
    assert words in str(told)
    assert f"status {status}" in str(told)


# A host that says whatever it's told to, once it has heard who asks.
_LIAR = """
import base64, hashlib, json, struct, sys
asked = sys.stdin.buffer.readline()
introduction, frames = json.loads(sys.argv[1])
words = introduction if isinstance(introduction, str) else json.dumps(introduction)
sys.stdout.buffer.write(words.encode() + b"\\n")
sys.stdout.buffer.flush()
sys.stdin.buffer.readline()
for kind, first, second, digest, data in frames:
    head = struct.pack(">cQQ32s", kind.encode(), first, second, bytes.fromhex(digest))
    sys.stdout.buffer.write(head + base64.b64decode(data))
sys.stdout.buffer.flush()
sys.stdin.buffer.read()
"""
_NONE = "00" * 32
_END = ("E", 0, 2, _NONE, "e30=")
_SHORT = base64.b64encode(b"x" * 512).decode()
_DISK = {"name": "vda", "bytes": SIZE}
_FILES = {"domain.xml": "PGRvbWFpbi8+"}
_PLAIN: dict[str, Any] = {"machine": "maq1", "uuid": UUID, "disks": [_DISK], "files": _FILES}


def liar(introduction: object, *frames: tuple[str, int, int, str, str]) -> str:
    """Give the command of a host that says such things."""
    return shlex.join(["python3", "-c", _LIAR, json.dumps([introduction, frames])])


def with_disks(*disks: object) -> dict[str, Any]:
    """Give an introduction with other disks."""
    return {**_PLAIN, "disks": list(disks)}


@pytest.mark.parametrize(
    "introduction",
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
def test_an_introduction_of_another_kind_is_refused(
    held: HeldDisks, vault: Vault, frozen: Frozen, introduction: object
) -> None:
    """Before anything is written."""
    told = refused(held, vault, frozen, liar(introduction))
    assert not isinstance(told, SourceUnreachableError)
    assert not Generations(vault).staged("maq1").folder.exists()


@pytest.mark.parametrize("name", ["../x", "/etc/x", "a\0b", ""])
def test_a_disk_whose_name_is_a_path_is_refused(
    held: HeldDisks, vault: Vault, frozen: Frozen, name: str
) -> None:
    """Even where the freeze named it so as well."""
    disks = [frozen.disks[0].model_copy(update={"name": name})]
    named_so = frozen.model_copy(update={"disks": tuple(disks)})
    refused(held, vault, named_so, liar(with_disks({"name": name, "bytes": SIZE})))
    assert names(Generations(vault).staged("maq1").data) == ["domain.xml"]


def test_a_disk_larger_than_any_is_refused_without_taking_its_room(
    held: HeldDisks, vault: Vault, frozen: Frozen
) -> None:
    """Its hashes alone would fill the memory; and what fits there may be no file of this file system."""
    for size, words in ((1 << 62, "way that isn't known"), (1 << 45, "takes no file of 35 TB")):
        large = frozen.disks[0].model_copy(update={"bytes": size})
        command = liar(with_disks({"name": "vda", "bytes": size}))
        assert words in str(refused(held, vault, frozen.model_copy(update={"disks": (large,)}), command))


def test_files_of_other_names_are_ignored(held: HeldDisks, vault: Vault, frozen: Frozen) -> None:
    """Only what a machine can have is kept: its definition, NVRAM and TPM state."""
    files = {**_FILES, "../x": "eA==", "record.json": "eA==", "nvram.fd": "eA=="}
    zeros = ("Z", 0, 3, _NONE, "")
    with Generations(vault).hold("maq1") as staged:
        with held.way(frozen, command=liar({**_PLAIN, "files": files}, zeros, _END)) as way:
            assert pull(way, staged, None, print).files == ("domain.xml", "nvram.fd")
        assert names(staged.data) == ["domain.xml", "nvram.fd", "vda.chunks", "vda.img"]
        assert staged.image("vda").read_bytes() == bytes(SIZE)


@pytest.mark.parametrize(
    ("frames", "words"),
    [
        ([("D", 0, 3, _NONE, "YWJj")], "arrived other than the host hashed it"),
        (
            [("Z", 0, 2, _NONE, ""), ("D", 2, 512, _NONE, _SHORT), _END],
            "arrived other than the host hashed it",
        ),
        ([("D", 0, MIB + 1, _NONE, "")], "is no frame"),
        ([("Q", 0, 0, _NONE, "")], "is no frame"),
        ([("Z", 0, 0, _NONE, "")], "is no frame"),
        ([("Z", 0, 4, _NONE, "")], "sent chunk 0 of vda when 0 was due"),
        ([("Z", 1, 1, _NONE, "")], "sent chunk 1 of vda when 0 was due"),
        ([("Z", 0, 1, _NONE, ""), ("Z", 0, 1, _NONE, "")], "sent chunk 0 of vda when 1 was due"),
        ([("Z", 0, 1 << 63, _NONE, "")], "sent chunk 0 of vda when 0 was due"),
        ([("S", 0, 1, _NONE, "")], "takes chunk 0 of vda for one that we have"),
        ([_END], "ended vda at chunk 0 of 3"),
        ([("E", 0, 1 << 40, _NONE, "")], "is no frame"),
        ([("E", 0, 3, _NONE, "YWJj")], "something else than facts"),
        ([("X", 0, 3, _NONE, "YWJj")], "something else than facts"),
        ([("X", 0, 2, _NONE, "e30=")], "None"),
    ],
)
def test_frames_that_nobody_asked_for_are_refused(
    held: HeldDisks, vault: Vault, frozen: Frozen, frames: list[tuple[str, int, int, str, str]], words: str
) -> None:
    """The disk isn't taken for whole."""
    assert words in str(refused(held, vault, frozen, liar(_PLAIN, *frames)))
    assert not Generations(vault).staged("maq1").chunks("vda").exists()


@pytest.mark.parametrize(
    "frame", [("Z", 1, 1, _NONE, ""), ("S", 0, 1, _NONE, ""), ("D", 7, 3, _NONE, "YWJj")]
)
def test_chunks_that_are_healed_are_the_ones_that_were_asked_for(
    held: HeldDisks, vault: Vault, frozen: Frozen, frame: tuple[str, int, int, str, str]
) -> None:
    """Nothing else is written, wherever the host says that it belongs."""
    with Generations(vault).hold("maq1") as staged:
        with held.way(frozen) as way:
            pull(way, staged, None, print)
        before = staged.image("vda").read_bytes()
        with held.way(frozen, command=liar(_PLAIN, frame)) as way, pytest.raises(MachineNotImagedError):
            pull_again(way, staged, {"vda": [0]})
        assert staged.image("vda").read_bytes() == before


def test_a_chunk_is_healed_where_it_was_asked_for(
    held: HeldDisks, vault: Vault, frozen: Frozen, tmp_path: Path
) -> None:
    """By the right bytes, even where the host says another place."""
    disk = (tmp_path / "disk").read_bytes()
    right = ("D", 0, 512, _NONE, base64.b64encode(disk[2 * MIB :]).decode())
    with Generations(vault).hold("maq1") as staged:
        with held.way(frozen) as way:
            pull(way, staged, None, print)
        os.truncate(staged.image("vda"), 2 * MIB)
        os.truncate(staged.image("vda"), SIZE)
        with held.way(frozen, command=liar(_PLAIN, right, _END)) as way:
            pull_again(way, staged, {"vda": [2]})
        assert staged.image("vda").read_bytes() == disk
