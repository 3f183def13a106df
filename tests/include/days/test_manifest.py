"""Manifests compare folders, and their checksum lists are verified with ``sha256sum`` alone."""

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from include.days import folder_scan
from include.days.manifest import Manifest, ManifestEntry, differing
from include.errors import BackupError
from include.names import named
from include.vault.sha256sums import format_sums, parse_sums

HOSTILE_CHARACTERS = st.sampled_from(
    [*b"\n\r\\ '\"*-#&;$`(){}[]<>|!~\t\x01\x7f\xff\xc3\x80", *"aé☃".encode()]
)
HOSTILE_NAMES = st.lists(HOSTILE_CHARACTERS, min_size=1, max_size=6).map(bytes)


def manifest(*entries: ManifestEntry, unreadable: tuple[tuple[str, str], ...] = ()) -> Manifest:
    """Return a manifest of these entries."""
    return Manifest(entries, unreadable)


def file(path: str, size: int = 3, mtime_ns: int = 7, sha256: str | None = None) -> ManifestEntry:
    """Return the entry of a regular file."""
    return ManifestEntry(path, "file", size, mtime_ns, None, sha256)


def link(path: str, target: str) -> ManifestEntry:
    """Return the entry of a symbolic link."""
    return ManifestEntry(path, "link", 0, 0, target, None)


def special(path: str) -> ManifestEntry:
    """Return the entry of a FIFO, socket or device."""
    return ManifestEntry(path, "special", 0, 0, None, None)


def folder(path: str) -> ManifestEntry:
    """Return the entry of a folder."""
    return ManifestEntry(path, "folder", 0, 0, None, None)


def check(data: Path, sums: bytes) -> "subprocess.CompletedProcess[bytes]":
    """Verify a folder with the real sha256sum, as the README describes."""
    data.with_suffix(".sha256").write_bytes(sums)
    command = ["sha256sum", "--check", "--strict", "--quiet", f"../{data.name}.sha256"]
    return subprocess.run(command, cwd=data, stdin=subprocess.DEVNULL, capture_output=True, check=False)


@given(st.dictionaries(HOSTILE_NAMES, st.binary(max_size=3), min_size=1, max_size=12))
@example({b"-": b"", b"-rf": b"x", b"--help": b"y", b" lead": b"", b"*": b"z", b"trail ": b""})
@example({b"a\nb": b"1", b"a\\nb": b"2", b"a\\": b"3", b"\r": b"4", b"\\r": b"5", b"end\r": b"6"})
@example({b"\xff\xfe": b"1", "🛰".encode(): b"2", b"$(touch x)": b"3", b"; rm x": b"4", b"#": b"5"})
@settings(max_examples=40)
def test_sha256sum_verifies_files_of_any_name(contents: dict[bytes, bytes]) -> None:
    """Every file is listed once, and a changed byte is found."""
    with tempfile.TemporaryDirectory() as private:
        data = Path(private, "268")
        data.mkdir()
        for name, content in contents.items():
            Path(os.fsdecode(os.path.join(os.fsencode(data), name))).write_bytes(content)  # noqa: PTH118 - bytes
        found = Manifest.read(folder_scan.hashed(os.fsencode(data)))
        sums = format_sums(found.sums)
        verified = check(data, sums)
        assert verified.returncode == 0, verified.stdout + verified.stderr
        assert sums.count(b"\n") == len(contents)
        assert parse_sums(sums) == {entry.path: entry.sha256 for entry in found.files}

        with Path(data, found.files[-1].path).open("ab") as last:
            last.write(b"!")
        failed = check(data, sums)
        assert failed.returncode == 1
        assert b"1 computed checksum did NOT match" in failed.stderr


@pytest.mark.parametrize(
    "cut", [b"\n", b"ab\n", b"%s a\n", b"%s  \n", b"%s  a", b"%s  a\n%s  a\n", b"%S  a\n"]
)
def test_a_list_that_sha256sum_didnt_write_is_refused(cut: bytes) -> None:
    """A truncated or empty line, or the same file twice."""
    lines = cut.replace(b"%s", b"ab" * 32).replace(b"%S", b"AB" * 32)
    with pytest.raises(ValueError, match="a line isn't as sha256sum writes it"):
        parse_sums(lines)


def test_a_list_that_leads_out_of_its_folder_is_refused() -> None:
    """It would make us read other files."""
    with pytest.raises(BackupError, match="leads out of its folder"):
        parse_sums(b"ab" * 32 + b"  ../../etc/passwd\n")


def test_sha256sum_verifies_files_in_folders(tmp_path: Path) -> None:
    """Links, empty folders and special files have no line of their own."""
    data = tmp_path / "268"
    (data / "a" / "b").mkdir(parents=True)
    (data / "empty").mkdir()
    (data / "a" / "b" / "-").write_text("x")
    (data / "link").symlink_to("a")
    os.mkfifo(data / "fifo")
    sums = format_sums(Manifest.read(folder_scan.hashed(os.fsencode(data))).sums)
    assert [line.split(b"  ")[1] for line in sums.splitlines()] == [b"a/b/-"]
    assert check(data, sums).returncode == 0


def test_a_manifest_survives_json_unchanged() -> None:
    """Staging has it as JSON between copy and verification."""
    one = manifest(
        file("a", sha256="00"), link("b", "a"), folder("c"), special("d"), unreadable=(("e", "why"),)
    )
    assert Manifest.read(one.as_json) == one


def test_the_manifests_of_a_day_share_their_texts() -> None:
    """Verification has three of them; paths and hashes are most of what a million files take."""
    one, other = (
        Manifest.read(json.loads(json.dumps(manifest(file("a/b", sha256="00" * 32)).as_json))) for _ in "12"
    )
    assert one == other
    assert one.entries[0].path is other.entries[0].path
    assert one.entries[0].sha256 is other.entries[0].sha256


@pytest.mark.parametrize("path", ["../a", "/etc/passwd", "a/../../b", "", "a//b", "."])
def test_a_path_that_leads_out_of_the_folder_is_refused(path: str) -> None:
    """The source may send anything."""
    scan: dict[str, Any] = {"entries": [[path, "file", 1, 1, None, None]], "unreadable": []}
    with pytest.raises(BackupError, match="leads out of its folder"):
        Manifest.read(scan)


def test_only_regular_files_count_for_the_size() -> None:
    """A copy needn't have special files at all."""
    one = manifest(file("a", 3), file("b", 4), link("c", "a"), folder("d"), special("e"))
    assert one.bytes == 7
    assert [entry.path for entry in one.files] == ["a", "b"]
    assert list(one.by_path) == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("other", "metadata_same", "content_same"),
    [
        (manifest(file("a", sha256="00")), True, True),
        (manifest(file("a", mtime_ns=8, sha256="00")), False, True),
        (manifest(file("a", sha256="01")), True, False),
        (manifest(file("a", 4, sha256="00")), False, False),
        (manifest(file("b", sha256="00")), False, False),
        (manifest(link("a", "x")), False, False),
        (manifest(file("a", sha256="00"), folder("d")), False, False),
        (manifest(file("a", sha256="00"), special("d")), True, True),
        (manifest(), False, False),
    ],
)
def test_metadata_and_content_differ_independently(
    other: Manifest, *, metadata_same: bool, content_same: bool
) -> None:
    """Times are metadata, hashes are content, and special files are neither."""
    one = manifest(file("a", sha256="00"))
    assert (one.metadata == other.metadata) == metadata_same
    assert (one.fingerprint == other.fingerprint) == metadata_same
    assert (one.content == other.content) == content_same
    assert bool(differing(one.content, other.content)) != content_same


def test_differing_returns_added_removed_and_changed_paths() -> None:
    """Sorted."""
    one = manifest(file("same"), file("z"), file("changed", 3))
    other = manifest(file("same"), file("a"), file("changed", 4))
    assert differing(one.metadata, other.metadata) == ["a", "changed", "z"]


def test_a_links_target_is_metadata_and_content() -> None:
    """A link with another target is another link."""
    one, other = manifest(link("a", "x")), manifest(link("a", "y"))
    assert one.metadata != other.metadata
    assert differing(one.content, other.content) == ["a"]


def test_a_message_names_up_to_three_paths() -> None:
    """And counts the rest."""
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
def test_a_link_that_leads_out_of_the_day_gives_a_warning(path: str, target: str, *, out: bool) -> None:
    """The link is copied, but its target isn't in the backup."""
    warnings = [f"The link '{path}' leads out of the day: the link is copied, its target isn't."]
    assert manifest(link(path, target)).warnings == (warnings if out else [])


def test_a_special_file_gives_a_warning() -> None:
    """With its name escaped."""
    assert manifest(special("x\ny"), file("a"), folder("b")).warnings == [
        r"'x\ny' is a FIFO, socket or device: it holds no data and isn't copied."
    ]
