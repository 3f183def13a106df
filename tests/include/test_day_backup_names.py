"""Whatever a day's folder holds, and whatever it is called: copied as it is, or told and left out."""

import os
import socket
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.include.days import DAY, tree
from tests.include.rehearsal import Rehearsal, contents

NAMES = [
    *(b"with space", b" leading", b"trailing ", b"new\nline", b"\n", b"tab\t", b"cr\r", b"bell\x07\x1b[31m"),
    *(b"'", b'"', b"`id`", b"$(touch caught)", b";", b"; touch caught", b"&", b"|", b"*", b"?", b"[a]", b"#"),
    *(
        b"-",
        b"-rf",
        b"--delete",
        b"--rsh=touch caught",
        b"~",
        b"~root",
        b"!",
        b"%s%n",
        b"{day}",
        b"a:b",
        b"::x",
    ),
    *(
        b"back\\slash",
        b"\\n",
        b"...",
        b".hidden",
        b".~tmp~",
        b"\xff\xfe",
        b"caf\xe9",
        "é☃🛰".encode(),
        b"e\xcc\x81",
    ),
    *(b"x" * 255, b"\\#012", b"268", b"data", b"source.json", b"No space left on device", b"CVS", b"core"),
]


@pytest.fixture
def rehearsal(rehearsal: Rehearsal) -> Rehearsal:
    """A folder of any content."""
    rehearsal = rehearsal.but(steps_per_day=None)
    rehearsal.write_files(first=b"first")
    return rehearsal


def path_of(folder: Path, *names: bytes) -> Path:
    """Join names that may be no text."""
    return folder.joinpath(*map(os.fsdecode, names))


def caught() -> list[Path]:
    """Find what a shell would have left that took a name for a command."""
    return [*Path.home().glob("caught*"), *Path.cwd().glob("caught*")]


def test_files_and_folders_of_any_name_are_secured(rehearsal: Rehearsal) -> None:
    """In a folder of such a name, too; no shell, no option parser and no pattern sees them."""
    for name in NAMES:
        for path in (path_of(rehearsal.folder, name), path_of(rehearsal.folder, b"deep", name, name)):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(name)
    record = rehearsal.do()
    assert record
    assert record.files == 1 + 2 * len(NAMES)
    assert record.warnings == []
    assert rehearsal.is_published()
    assert caught() == []
    assert rehearsal.do() == record


SIGNS = st.sampled_from([*b"\n\r\\ '\"*-#&;$`(){}[]<>|!~\t\x01\x7f\xff\xc3\x80:%?", *"aé☃".encode()])


@given(names=st.sets(st.lists(SIGNS, min_size=1, max_size=6).map(bytes), min_size=1, max_size=30))
@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_invented_names_are_secured_too(rehearsal: Rehearsal, names: set[bytes]) -> None:
    """As a new version of the same day each time."""
    for path in rehearsal.folder.iterdir():
        path.unlink()
    for name in names:
        path_of(rehearsal.folder, name).write_bytes(name)
    rehearsal.do()
    assert rehearsal.is_published()
    assert caught() == []


def test_links_are_kept_as_links_and_never_followed(rehearsal: Rehearsal, tmp_path: Path) -> None:
    """Inside, outside, dangling and in circles; those that lead out of the day are told."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    before = tree(outside)
    targets = {
        "inside": "first",
        "to a folder": "sub",
        "circle": "circle",
        "up": "..",
        "dangling": "nowhere",
        "absolute": str(outside / "secret"),
        "folder outside": str(outside),
        "sub/climbing": "../../../outside/secret",
        "new\nline": "/etc/passwd",
    }
    (rehearsal.folder / "sub").mkdir()
    for name, target in targets.items():
        (rehearsal.folder / name).symlink_to(target)
    record = rehearsal.do()
    assert record
    assert rehearsal.is_published()
    published = rehearsal.published()[0].folder
    assert {name: str((published / name).readlink()) for name in targets} == targets
    assert tree(outside) == before
    told = "leads out of the day: it is kept, what it points to is not."
    assert record.warnings == [
        f"The link {name} {told}"
        for name in ("'absolute'", "'folder outside'", r"'new\nline'", "'sub/climbing'", "'up'")
    ]


def test_a_link_that_becomes_a_folder_is_not_written_through(rehearsal: Rehearsal, tmp_path: Path) -> None:
    """Between two tries: staging holds the link, and the source a folder of its name by now."""
    outside = tmp_path / "outside"
    outside.mkdir()
    for name in ("kept", "same"):
        (outside / name).write_text("mine")
    before = tree(outside)
    (rehearsal.folder / "sub").symlink_to(outside)
    (rehearsal.folder / "same").symlink_to(outside / "same")
    rehearsal.do("copy")
    for link in ("sub", "same"):
        (rehearsal.folder / link).unlink()
    (rehearsal.folder / "sub").mkdir()
    for name in ("sub/same", "same"):
        (rehearsal.folder / name).write_text("theirs")
    rehearsal.do()
    assert rehearsal.is_published()
    assert tree(outside) == before


def test_special_files_are_told_and_left_out(rehearsal: Rehearsal) -> None:
    """Nobody waits for a FIFO to be written, and the next look doesn't take them for a change."""
    os.mkfifo(rehearsal.folder / "fifo")
    (rehearsal.folder / "sub").mkdir()
    os.mkfifo(rehearsal.folder / "sub" / "descriptor.ctl.fifo")
    # A socket's whole path has at most 107 bytes, so it's bound by its name alone.
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(rehearsal.folder)
        try:
            server.bind("socket")
        finally:
            os.chdir(here)
    record = rehearsal.do()
    assert record
    told = "is a FIFO, socket or device: it holds no data and isn't copied."
    assert record.warnings == [f"'{name}' {told}" for name in ("fifo", "socket", "sub/descriptor.ctl.fifo")]
    published = rehearsal.published()[0].folder
    assert contents(published).keys() == {"first", "sub"}
    assert record.files == 1
    assert rehearsal.but(run="a later run").do() == record


def test_modes_at_the_source_dont_matter_in_the_vault(rehearsal: Rehearsal) -> None:
    """Neither what is forbidden there nor what is allowed: set-user-id, world-writable, executable."""
    for name, mode in {"a": 0o4755, "b": 0o666, "c": 0o400, "sub": 0o1777}.items():
        path = rehearsal.folder / name
        if name == "sub":
            path.mkdir()
        else:
            path.write_bytes(b"x")
        path.chmod(mode)
    rehearsal.do()
    assert rehearsal.is_published()
    modes = {path.name: path.stat().st_mode & 0o7777 for path in rehearsal.published()[0].folder.iterdir()}
    assert modes == {"a": 0o444, "b": 0o444, "c": 0o444, "first": 0o444, "sub": 0o555}


def test_times_are_kept_to_the_nanosecond_and_of_any_year(rehearsal: Rehearsal) -> None:
    """A fingerprint is made of them."""
    for number, when in enumerate([0, 1, 1_790_000_000_123_456_789, 2**31 * 10**9, 2**32 * 10**9 + 1]):
        path = rehearsal.folder / str(number)
        path.write_bytes(b"x")
        os.utime(path, ns=(when, when))
    record = rehearsal.do()
    assert record
    assert rehearsal.is_published()
    assert rehearsal.do() == record
    assert rehearsal.said[-1].endswith("descriptors not checked.")


def test_sparse_and_empty_files_are_secured(rehearsal: Rehearsal) -> None:
    """A file of one byte at its end, and one of none."""
    with (rehearsal.folder / "sparse").open("wb") as file:
        file.truncate(8 << 20)
        file.seek(0, os.SEEK_END)
        file.write(b"!")
    (rehearsal.folder / "empty").write_bytes(b"")
    rehearsal.do()
    assert rehearsal.is_published()


def test_hard_links_at_the_source_are_files_of_their_own_in_the_vault(rehearsal: Rehearsal) -> None:
    """Each is proven by itself."""
    (rehearsal.folder / "second").hardlink_to(rehearsal.folder / "first")
    rehearsal.do()
    assert rehearsal.is_published()
    published = rehearsal.vault.revisions(DAY)[0].folder
    assert not (published / "first").samefile(published / "second")
