"""Days with files of any kind and any name: copied as they are, or left out with a warning."""

import os
import socket
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from include.days.archive import DayArchive
from tests.include.days.day_tasks import Rehearsal, contents
from tests.include.days.sample_days import DAY, tree

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
    """Join names that may not be UTF-8."""
    return folder.joinpath(*map(os.fsdecode, names))


def caught() -> list[Path]:
    """Return the files that a shell would have left if it had run a name as a command."""
    return [*Path.home().glob("caught*"), *Path.cwd().glob("caught*")]


def test_files_and_folders_of_any_name_are_backed_up(rehearsal: Rehearsal) -> None:
    """In folders of such names, too; no shell, option parser or pattern interprets them."""
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


CHARACTERS = st.sampled_from([*b"\n\r\\ '\"*-#&;$`(){}[]<>|!~\t\x01\x7f\xff\xc3\x80:%?", *"aé☃".encode()])


@given(names=st.sets(st.lists(CHARACTERS, min_size=1, max_size=6).map(bytes), min_size=1, max_size=30))
@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_random_names_are_backed_up(rehearsal: Rehearsal, names: set[bytes]) -> None:
    """As a new revision of the same day each time."""
    for path in rehearsal.folder.iterdir():
        path.unlink()
    for name in names:
        path_of(rehearsal.folder, name).write_bytes(name)
    rehearsal.do()
    assert rehearsal.is_published()
    assert caught() == []


def test_links_are_copied_as_links_and_never_followed(rehearsal: Rehearsal, tmp_path: Path) -> None:
    """Inside, outside, dangling and in circles; the record warns of those that lead out of the day."""
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
    warning = "leads out of the day: the link is copied, its target isn't."
    assert record.warnings == [
        f"The link {name} {warning}"
        for name in ("'absolute'", "'folder outside'", r"'new\nline'", "'sub/climbing'", "'up'")
    ]


def test_a_link_that_becomes_a_folder_is_not_written_through(rehearsal: Rehearsal, tmp_path: Path) -> None:
    """Between two tries: staging has the link, and the source now has a folder of its name."""
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


def test_special_files_are_left_out_with_a_warning(rehearsal: Rehearsal) -> None:
    """Nothing waits for a FIFO, and the next survey doesn't count them as a change."""
    os.mkfifo(rehearsal.folder / "fifo")
    (rehearsal.folder / "sub").mkdir()
    os.mkfifo(rehearsal.folder / "sub" / "descriptor.ctl.fifo")
    # A socket's path has at most 107 bytes, so it's bound by its name alone.
    with socket.socket(socket.AF_UNIX) as server:
        before = Path.cwd()
        os.chdir(rehearsal.folder)
        try:
            server.bind("socket")
        finally:
            os.chdir(before)
    record = rehearsal.do()
    assert record
    warning = "is a FIFO, socket or device: it holds no data and isn't copied."
    names = ("fifo", "socket", "sub/descriptor.ctl.fifo")
    assert record.warnings == [f"'{name}' {warning}" for name in names]
    published = rehearsal.published()[0].folder
    assert contents(published).keys() == {"first", "sub"}
    assert record.files == 1
    assert rehearsal.but(run="a later run").do() == record


def test_modes_at_the_source_dont_matter_in_the_vault(rehearsal: Rehearsal) -> None:
    """Set-user-id, world-writable, executable or unreadable: the vault's own modes count."""
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


def test_times_of_any_year_are_copied_to_the_nanosecond(rehearsal: Rehearsal) -> None:
    """They are part of the fingerprint."""
    for number, when in enumerate([0, 1, 1_790_000_000_123_456_789, 2**31 * 10**9, 2**32 * 10**9 + 1]):
        path = rehearsal.folder / str(number)
        path.write_bytes(b"x")
        os.utime(path, ns=(when, when))
    record = rehearsal.do()
    assert record
    assert rehearsal.is_published()
    assert rehearsal.do() == record
    assert rehearsal.log_lines[-1].endswith("descriptors not checked.")


def test_sparse_and_empty_files_are_backed_up(rehearsal: Rehearsal) -> None:
    """A file of holes with one byte at its end, and an empty one."""
    with (rehearsal.folder / "sparse").open("wb") as file:
        file.truncate(8 << 20)
        file.seek(0, os.SEEK_END)
        file.write(b"!")
    (rehearsal.folder / "empty").write_bytes(b"")
    rehearsal.do()
    assert rehearsal.is_published()


def test_hard_links_at_the_source_become_separate_files_in_the_vault(rehearsal: Rehearsal) -> None:
    """Each is verified by itself."""
    (rehearsal.folder / "second").hardlink_to(rehearsal.folder / "first")
    rehearsal.do()
    assert rehearsal.is_published()
    published = DayArchive(rehearsal.vault).revisions(DAY)[0].folder
    assert not (published / "first").samefile(published / "second")
