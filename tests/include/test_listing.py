"""Listings tell whether two folders are the same, and prove it with nothing but ``sha256sum``."""

import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from include import source_agent
from include.errors import BackupError
from include.listing import Entry, Listing, differing, named, sha256_lines, sha256_of

HOSTILE_SIGNS = st.sampled_from([*b"\n\r\\ '\"*-#&;$`(){}[]<>|!~\t\x01\x7f\xff\xc3\x80", *"aé☃".encode()])
HOSTILE_NAMES = st.lists(HOSTILE_SIGNS, min_size=1, max_size=6).map(bytes)


def listing(*entries: Entry, unreadable: tuple[tuple[str, str], ...] = ()) -> Listing:
    """Give a listing of these entries."""
    return Listing(entries, unreadable)


def file(path: str, size: int = 3, mtime_ns: int = 7, sha256: str | None = None) -> Entry:
    """Give a regular file."""
    return Entry(path, "file", size, mtime_ns, None, sha256)


def link(path: str, target: str) -> Entry:
    """Give a symbolic link."""
    return Entry(path, "link", 0, 0, target, None)


def special(path: str) -> Entry:
    """Give a FIFO, socket or device."""
    return Entry(path, "special", 0, 0, None, None)


def folder(path: str) -> Entry:
    """Give a folder."""
    return Entry(path, "folder", 0, 0, None, None)


def check(data: Path, sums: bytes) -> "subprocess.CompletedProcess[bytes]":
    """Prove a folder as the README tells people to, with the real sha256sum."""
    data.with_suffix(".sha256").write_bytes(sums)
    command = ["sha256sum", "--check", "--strict", "--quiet", f"../{data.name}.sha256"]
    return subprocess.run(command, cwd=data, stdin=subprocess.DEVNULL, capture_output=True, check=False)


@given(st.dictionaries(HOSTILE_NAMES, st.binary(max_size=3), min_size=1, max_size=12))
@example({b"-": b"", b"-rf": b"x", b"--help": b"y", b" lead": b"", b"*": b"z", b"trail ": b""})
@example({b"a\nb": b"1", b"a\\nb": b"2", b"a\\": b"3", b"\r": b"4", b"\\r": b"5", b"end\r": b"6"})
@example({b"\xff\xfe": b"1", "🛰".encode(): b"2", b"$(touch x)": b"3", b"; rm x": b"4", b"#": b"5"})
@settings(max_examples=40)
def test_sha256sum_proves_files_of_any_name(contents: dict[bytes, bytes]) -> None:
    """Each of them and only they: a byte that changes in any file is found."""
    with tempfile.TemporaryDirectory() as private:
        data = Path(private, "268")
        data.mkdir()
        for name, content in contents.items():
            Path(os.fsdecode(os.path.join(os.fsencode(data), name))).write_bytes(content)  # noqa: PTH118 - bytes
        found = Listing.read(source_agent.hashed(os.fsencode(data)))
        sums = sha256_lines(found)
        proven = check(data, sums)
        assert proven.returncode == 0, proven.stdout + proven.stderr
        assert sums.count(b"\n") == len(contents)
        assert sha256_of(sums) == {entry.path: entry.sha256 for entry in found.files}

        with Path(data, found.files[-1].path).open("ab") as last:
            last.write(b"!")
        refuted = check(data, sums)
        assert refuted.returncode == 1
        assert b"1 computed checksum did NOT match" in refuted.stderr


@pytest.mark.parametrize(
    "cut", [b"\n", b"ab\n", b"%s a\n", b"%s  \n", b"%s  a", b"%s  a\n%s  a\n", b"%S  a\n"]
)
def test_a_list_that_sha256sum_didnt_write_is_refused(cut: bytes) -> None:
    """Half a line, an empty one, the same file twice."""
    lines = cut.replace(b"%s", b"ab" * 32).replace(b"%S", b"AB" * 32)
    with pytest.raises(ValueError, match="a line isn't as sha256sum writes it"):
        sha256_of(lines)


def test_a_list_that_leads_out_of_its_folder_is_refused() -> None:
    """Whoever wrote it would have other files read."""
    with pytest.raises(BackupError, match="leads out of its folder"):
        sha256_of(b"ab" * 32 + b"  ../../etc/passwd\n")


def test_sha256sum_proves_files_in_folders(tmp_path: Path) -> None:
    """Links, empty folders and special files have no line of their own."""
    data = tmp_path / "268"
    (data / "a" / "b").mkdir(parents=True)
    (data / "empty").mkdir()
    (data / "a" / "b" / "-").write_text("x")
    (data / "link").symlink_to("a")
    os.mkfifo(data / "fifo")
    sums = sha256_lines(Listing.read(source_agent.hashed(os.fsencode(data))))
    assert [line.split(b"  ")[1] for line in sums.splitlines()] == [b"a/b/-"]
    assert check(data, sums).returncode == 0


def test_a_listing_is_the_same_after_its_journey_through_json() -> None:
    """It's kept in staging between copy and proof."""
    one = listing(
        file("a", sha256="00"), link("b", "a"), folder("c"), special("d"), unreadable=(("e", "why"),)
    )
    assert Listing.read(one.facts) == one


@pytest.mark.parametrize("path", ["../a", "/etc/passwd", "a/../../b", "", "a//b", "."])
def test_a_path_that_leads_out_isnt_read(path: str) -> None:
    """Whoever sends it."""
    answer: dict[str, Any] = {"entries": [[path, "file", 1, 1, None, None]], "unreadable": []}
    with pytest.raises(BackupError, match="leads out of its folder"):
        Listing.read(answer)


def test_only_regular_files_hold_bytes() -> None:
    """And a special file is none of what a copy must hold."""
    one = listing(file("a", 3), file("b", 4), link("c", "a"), folder("d"), special("e"))
    assert one.bytes == 7
    assert [entry.path for entry in one.files] == ["a", "b"]
    assert list(one.by_path) == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("other", "looks_same", "content_same"),
    [
        (listing(file("a", sha256="00")), True, True),
        (listing(file("a", mtime_ns=8, sha256="00")), False, True),
        (listing(file("a", sha256="01")), True, False),
        (listing(file("a", 4, sha256="00")), False, False),
        (listing(file("b", sha256="00")), False, False),
        (listing(link("a", "x")), False, False),
        (listing(file("a", sha256="00"), folder("d")), False, False),
        (listing(file("a", sha256="00"), special("d")), True, True),
        (listing(), False, False),
    ],
)
def test_looks_and_content_tell_what_differs(other: Listing, *, looks_same: bool, content_same: bool) -> None:
    """Times are looks, hashes are content; special files are neither."""
    one = listing(file("a", sha256="00"))
    assert (one.looks == other.looks) == looks_same
    assert (one.fingerprint == other.fingerprint) == looks_same
    assert (one.content == other.content) == content_same
    assert bool(differing(one.content, other.content)) != content_same


def test_differing_names_each_path_that_isnt_the_same_on_both_sides() -> None:
    """There and not here, here and not there, and other: in order."""
    one = listing(file("same"), file("z"), file("changed", 3))
    other = listing(file("same"), file("a"), file("changed", 4))
    assert differing(one.looks, other.looks) == ["a", "changed", "z"]


def test_a_links_target_is_both() -> None:
    """A link that points elsewhere is another link."""
    one, other = listing(link("a", "x")), listing(link("a", "y"))
    assert one.looks != other.looks
    assert differing(one.content, other.content) == ["a"]


def test_paths_are_named_up_to_three() -> None:
    """A sentence stays a sentence."""
    assert named([]) == ""
    assert named(["a", "b\n", "c"]) == r"'a', 'b\n', 'c'"
    assert named(iter("abcdefg")) == "'a', 'b', 'c' and 4 more"


@pytest.mark.parametrize(
    ("path", "target", "out"),
    [
        ("a", "b", False),
        ("sub/a", "../b", False),
        ("sub/a", ".", False),
        ("a", "..b", False),
        ("a", "sub/../b", False),
        ("a", "..", True),
        ("a", "../268/b", True),
        ("sub/a", "../../b", True),
        ("a", "sub/../../b", True),
        ("a", "/etc/passwd", True),
        ("a", "/", True),
    ],
)
def test_a_link_that_leads_out_of_the_day_is_told(path: str, target: str, *, out: bool) -> None:
    """It is kept as a link; what it points to isn't in the backup, and people should know."""
    told = [f"The link '{path}' leads out of the day: it is kept, what it points to is not."]
    assert listing(link(path, target)).oddities == (told if out else [])


def test_a_special_file_is_told() -> None:
    """With its name made visible."""
    assert listing(special("x\ny"), file("a"), folder("b")).oddities == [
        r"'x\ny' is a FIFO, socket or device: it holds no data and isn't copied."
    ]
