"""Restore requests are validated; files and firmware are moved into place without a gap."""

import gzip
import io
import lzma
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from include.agent.errors import NotRestoredError, UsageError
from include.agent.firmware import unpack_tpm, write_nvram
from include.agent.restore.file_swap import keep_old, move_new, remove_old
from include.agent.restore.request import RestoreRequest
from include.agent.restore.status import Move
from tests.include.agent.tar_files import tar

UUID = "6ad32f6c-2b2e-4f1e-9a84-0c5d1a1f0001"
DISK = {
    "name": "vda",
    "path": "/vms/maq1.img",
    "format": "raw",
    "bytes": 4096,
    "data_bytes": 4096,
    "qcow2": None,
}
REQUEST: dict[str, Any] = {
    "run": "a run",
    "generation": "2026-11-22T05-00-03Z",
    "in_place": True,
    "keep_old": True,
    "start": False,
    "original": UUID,
    "folders": ["/vms"],
    "definition": f"<domain><name>maq1</name><uuid>{UUID}</uuid></domain>",
    "files": {},
    "disks": [DISK],
}


def test_each_try_of_a_restore_has_the_same_token() -> None:
    """Another generation, or a restore under a new name, has another one."""
    restore = RestoreRequest(REQUEST)
    assert (restore.name, restore.uuid) == ("maq1", UUID)
    assert restore.new(Path("/vms/maq1.img")) == Path(f"/vms/maq1.img.restoring-{restore.token}")
    assert RestoreRequest({**REQUEST, "run": "another"}).token == restore.token
    for other in ({"generation": "2026-11-29T05-00-03Z"}, {"in_place": False}):
        assert RestoreRequest({**REQUEST, **other}).token != restore.token


@pytest.mark.parametrize(
    "wrong",
    [
        {"definition": "<domain"},
        {"definition": "<domain><name>maq1</name><uuid>../../etc</uuid></domain>"},
        {"definition": f"<domain><uuid>{UUID}</uuid></domain>"},
        {"definition": f"<domain><name>../maq1</name><uuid>{UUID}</uuid></domain>"},
        {"files": {"nvram.fd": "not base64!"}},
        {"disks": [{**DISK, "path": "vms/maq1.img"}]},
        {"disks": [{**DISK, "path": "/vms/../etc/passwd"}]},
        {"disks": [{**DISK, "path": "/vms/a\0b"}]},
        {"disks": [{**DISK, "path": "/vms//a"}]},
        {"disks": [{**DISK, "path": "/vms/a.restoring-12345678"}]},
        {"folders": ["vms"]},
        {"original": "11111111-2222-4333-8444-555555555555"},
        {"disks": [{**DISK, "name": "../x"}]},
        {"disks": [{**DISK, "format": "vmdk"}]},
        {"disks": [{**DISK, "bytes": 0}]},
        {"disks": [{**DISK, "bytes": "many"}]},
        {"disks": [{}]},
        {"disks": None},
    ],
)
def test_an_invalid_request_is_refused(wrong: dict[str, Any]) -> None:
    """Before libvirt or a disk is touched."""
    with pytest.raises(UsageError):
        RestoreRequest({**REQUEST, **wrong})


def test_a_request_without_one_of_its_keys_is_refused() -> None:
    """Every key is required."""
    for key in REQUEST:
        with pytest.raises(UsageError):
            RestoreRequest({name: value for name, value in REQUEST.items() if name != key})


def move_in(folder: Path, old: str | None = "old") -> Move:
    """Return the move of a file."""
    return Move("vda", folder / "disk", folder / "new", folder / old if old else None)


def test_a_file_is_in_place_at_every_moment(tmp_path: Path) -> None:
    """First the old file has two names; then the new one replaces it, with the old one's mode."""
    move = move_in(tmp_path)
    move.place.write_text("old")
    move.place.chmod(0o640)
    move.new.write_text("new")
    keep_old(move)
    assert move.place.samefile(tmp_path / "old")
    move_new(move)
    assert (move.place.read_text(), (tmp_path / "old").read_text()) == ("new", "old")
    assert move.place.stat().st_mode & 0o777 == 0o640
    assert move.moved
    remove_old(tmp_path / "old")
    remove_old(tmp_path / "old")
    assert [path.name for path in tmp_path.iterdir()] == ["disk"]


def test_keeping_an_old_file_twice_keeps_the_first(tmp_path: Path) -> None:
    """A retry after a kill between the two steps does so."""
    move = move_in(tmp_path)
    move.place.write_text("old")
    move.new.write_text("new")
    keep_old(move)
    keep_old(move)
    move_new(move)
    keep_old(move)
    assert ((tmp_path / "old").read_text(), move.place.read_text()) == ("old", "new")


def test_a_folder_is_moved_into_place_too(tmp_path: Path) -> None:
    """A TPM's state is a folder; the old one is kept."""
    move = move_in(tmp_path)
    for folder in (move.place, move.new):
        folder.mkdir()
        (folder / folder.name).touch()
    keep_old(move)
    move_new(move)
    assert [path.name for path in (tmp_path / "old").iterdir()] == ["disk"]
    assert [path.name for path in move.place.iterdir()] == ["new"]
    remove_old(tmp_path / "old")
    assert not (tmp_path / "old").exists()


def test_a_file_that_appeared_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    """Another program made it, and nothing keeps a copy."""
    move = move_in(tmp_path, None)
    move.new.write_text("new")
    move.place.write_text("another's")
    with pytest.raises(NotRestoredError, match="has appeared during the restore"):
        move_new(move)
    assert (move.place.read_text(), move.new.read_text()) == ("another's", "new")


def test_an_interrupted_move_is_finished(tmp_path: Path) -> None:
    """The new file already has both names."""
    move = move_in(tmp_path, None)
    move.new.write_text("new")
    move.place.hardlink_to(move.new)
    move_new(move)
    assert [path.name for path in tmp_path.iterdir()] == ["disk"]


@pytest.mark.parametrize("name", ["../out", "/out", "a/../../out"])
def test_a_tpm_archive_with_a_path_outside_is_refused(tmp_path: Path, name: str) -> None:
    """Nothing is written."""
    with pytest.raises(NotRestoredError, match="it isn't a file inside its folder"):
        unpack_tpm(tar({"state": b"x", name: b"x"}), tmp_path / "tpm")
    assert [path.name for path in tmp_path.iterdir()] == ["tpm"]
    assert list((tmp_path / "tpm").iterdir()) == []


def test_a_tpm_archive_with_a_link_is_refused(tmp_path: Path) -> None:
    """The next file could be written through it."""
    with pytest.raises(NotRestoredError, match="it isn't a file inside its folder"):
        unpack_tpm(tar({}, link="/etc"), tmp_path / "tpm")


@pytest.mark.parametrize(
    "compress", [gzip.compress, lzma.compress, lambda _: b"no archive", lambda tar: tar[:700]]
)
def test_what_isnt_a_plain_tpm_archive_is_refused(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    """A few MB that unpack to many GB would fill the host's disk."""
    with pytest.raises(NotRestoredError, match=r"tpm\.tar isn't a tar archive"):
        unpack_tpm(compress(tar({"state": bytes(1 << 20)})), tmp_path / "tpm")


def test_no_mode_of_a_tpm_archive_is_taken_over(tmp_path: Path) -> None:
    """Another host made it: a set-uid program of root's, for one."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, kind in (("tpm2", tarfile.DIRTYPE), ("tpm2/state", tarfile.REGTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.mode, member.uid = kind, 0o6777, 12345
            archive.addfile(member)
    unpack_tpm(packed.getvalue(), tmp_path / "tpm")
    found = {path.name: path.stat() for path in (tmp_path / "tpm").rglob("*")}
    assert {name: oct(status.st_mode & 0o7777) for name, status in found.items()} == {
        "tpm2": "0o711",
        "state": "0o600",
    }
    assert {status.st_uid for status in found.values()} == {os.geteuid()}


def test_firmware_replaces_what_an_interrupted_try_left(tmp_path: Path) -> None:
    """Whatever it left is removed first."""
    (tmp_path / "tpm").mkdir()
    (tmp_path / "tpm" / "half").touch()
    (tmp_path / "nvram").write_text("half")
    unpack_tpm(tar({"state": b"secret"}), tmp_path / "tpm")
    write_nvram(b"variables", tmp_path / "nvram")
    assert [path.name for path in (tmp_path / "tpm").iterdir()] == ["state"]
    assert (tmp_path / "nvram").read_bytes() == b"variables"
    assert (tmp_path / "nvram").stat().st_mode & 0o777 == 0o600
