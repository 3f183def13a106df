"""What a host is asked to restore: taken only if it's in order; and how files get to their places."""

from pathlib import Path
from typing import Any

import pytest

from include.agent.errors import NotRestoredError, UsageError
from include.agent.kept import unpack_tpm, write_nvram
from include.agent.moving import keep, move, remove
from include.agent.restoring import Restore
from include.agent.standing import Piece
from tests.include.agent.tars import tar

UUID = "6ad32f6c-2b2e-4f1e-9a84-0c5d1a1f0001"
DISK = {"name": "vda", "path": "/vms/maq1.img", "format": "raw", "bytes": 4096, "data_bytes": 4096}
ASKED: dict[str, Any] = {
    "run": "a run",
    "generation": "2026-11-22T05-00-03Z",
    "in_place": True,
    "keep_old": True,
    "start": False,
    "definition": f"<domain><name>maq1</name><uuid>{UUID}</uuid></domain>",
    "files": {},
    "disks": [DISK],
}


def test_what_is_in_order_is_taken() -> None:
    """Each try of a restore marks its files alike; another generation, or another way, doesn't."""
    restore = Restore(ASKED)
    assert (restore.name, restore.uuid) == ("maq1", UUID)
    assert restore.new(Path("/vms/maq1.img")) == Path(f"/vms/maq1.img.restoring-{restore.token}")
    assert Restore({**ASKED, "run": "another"}).token == restore.token
    for other in ({"generation": "2026-11-29T05-00-03Z"}, {"in_place": False}):
        assert Restore({**ASKED, **other}).token != restore.token


@pytest.mark.parametrize(
    "wrong",
    [
        {"definition": "<domain"},
        {"definition": "<domain><name>maq1</name><uuid>../../etc</uuid></domain>"},
        {"definition": f"<domain><uuid>{UUID}</uuid></domain>"},
        {"files": {"nvram.fd": "no Base64!"}},
        {"disks": [{**DISK, "path": "vms/maq1.img"}]},
        {"disks": [{**DISK, "path": "/vms/../etc/passwd"}]},
        {"disks": [{**DISK, "path": "/vms/a\0b"}]},
        {"disks": [{**DISK, "path": "/vms//a"}]},
        {"disks": [{**DISK, "name": "../x"}]},
        {"disks": [{**DISK, "format": "vmdk"}]},
        {"disks": [{**DISK, "bytes": 0}]},
        {"disks": [{**DISK, "bytes": "many"}]},
        {"disks": [{}]},
        {"disks": None},
    ],
)
def test_what_isnt_in_order_is_refused(wrong: dict[str, Any]) -> None:
    """Before anything is looked at."""
    with pytest.raises(UsageError):
        Restore({**ASKED, **wrong})


def test_what_lacks_something_is_refused() -> None:
    """Whatever it is."""
    for key in ASKED:
        with pytest.raises(UsageError):
            Restore({name: value for name, value in ASKED.items() if name != key})


def piece(folder: Path, kept: str | None = "old") -> Piece:
    """Give a file that is to be moved."""
    return Piece("vda", folder / "disk", folder / "new", folder / kept if kept else None)


def test_a_file_is_there_at_every_moment(tmp_path: Path) -> None:
    """First the old one has two names; then the new one is at its place, with the old one's mode."""
    one = piece(tmp_path)
    one.place.write_text("old")
    one.place.chmod(0o640)
    one.new.write_text("new")
    keep(one)
    assert one.place.samefile(tmp_path / "old")
    move(one)
    assert (one.place.read_text(), (tmp_path / "old").read_text()) == ("new", "old")
    assert one.place.stat().st_mode & 0o777 == 0o640
    assert one.moved
    remove(tmp_path / "old")
    remove(tmp_path / "old")
    assert [path.name for path in tmp_path.iterdir()] == ["disk"]


def test_keeping_twice_keeps_the_first(tmp_path: Path) -> None:
    """As after a kill between the two steps."""
    one = piece(tmp_path)
    one.place.write_text("old")
    one.new.write_text("new")
    keep(one)
    keep(one)
    move(one)
    keep(one)
    assert ((tmp_path / "old").read_text(), one.place.read_text()) == ("old", "new")


def test_a_folder_gets_to_its_place_too(tmp_path: Path) -> None:
    """As of a TPM; the old one is kept."""
    one = piece(tmp_path)
    for folder in (one.place, one.new):
        folder.mkdir()
        (folder / folder.name).touch()
    keep(one)
    move(one)
    assert [path.name for path in (tmp_path / "old").iterdir()] == ["disk"]
    assert [path.name for path in one.place.iterdir()] == ["new"]
    remove(tmp_path / "old")
    assert not (tmp_path / "old").exists()


def test_nothing_is_moved_over_what_isnt_kept(tmp_path: Path) -> None:
    """Somebody made it meanwhile; it stays."""
    one = piece(tmp_path, None)
    one.new.write_text("new")
    one.place.write_text("somebody's")
    with pytest.raises(NotRestoredError, match="Meanwhile somebody made"):
        move(one)
    assert (one.place.read_text(), one.new.read_text()) == ("somebody's", "new")


def test_a_move_that_was_cut_off_is_finished(tmp_path: Path) -> None:
    """It has both names already."""
    one = piece(tmp_path, None)
    one.new.write_text("new")
    one.place.hardlink_to(one.new)
    move(one)
    assert [path.name for path in tmp_path.iterdir()] == ["disk"]


@pytest.mark.parametrize("name", ["../out", "/out", "a/../../out"])
def test_a_tpms_archive_that_leads_out_is_refused(tmp_path: Path, name: str) -> None:
    """Nothing is written there."""
    with pytest.raises(NotRestoredError, match="which is no file of a TPM's"):
        unpack_tpm(tar({"state": b"x", name: b"x"}), tmp_path / "tpm")
    assert [path.name for path in tmp_path.iterdir()] == ["tpm"]
    assert list((tmp_path / "tpm").iterdir()) == []


def test_a_tpms_archive_that_holds_a_link_is_refused(tmp_path: Path) -> None:
    """It would lead the next file out."""
    with pytest.raises(NotRestoredError, match="which is no file of a TPM's"):
        unpack_tpm(tar({}, link="/etc"), tmp_path / "tpm")


def test_firmware_is_written_anew_where_a_try_was_cut_off(tmp_path: Path) -> None:
    """Whatever it left."""
    (tmp_path / "tpm").mkdir()
    (tmp_path / "tpm" / "half").touch()
    (tmp_path / "nvram").write_text("half")
    unpack_tpm(tar({"state": b"secret"}), tmp_path / "tpm")
    write_nvram(b"variables", tmp_path / "nvram")
    assert [path.name for path in (tmp_path / "tpm").iterdir()] == ["state"]
    assert (tmp_path / "nvram").read_bytes() == b"variables"
    assert (tmp_path / "nvram").stat().st_mode & 0o777 == 0o600
