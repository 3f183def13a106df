"""Manifests compare folders, and their checksum lists are verified with ``sha256sum`` alone."""

import hashlib
import os
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from include.days.manifest import (
    PACKED_ENTRIES,
    Aspect,
    Manifest,
    PackedLines,
    content,
    differing,
    metadata,
    paths,
)
from include.days.manifest_builder import manifest_with
from include.days.manifest_entry import ManifestEntry
from include.errors import BackupError
from include.names import named
from include.vault.sha256sums import format_sums, parse_sums
from tests.include.days.sample_days import hashed

HOSTILE_CHARACTERS = st.sampled_from(
    [*b"\n\r\\ '\"*-#&;$`(){}[]<>|!~\t\x01\x7f\xff\xc3\x80", *"aé☃".encode()]
)
HOSTILE_NAMES = st.lists(HOSTILE_CHARACTERS, min_size=1, max_size=6).map(bytes)


def manifest(*entries: ManifestEntry) -> Manifest:
    """Return a manifest of these entries."""
    return manifest_with(entries)


def differ(one: Manifest, other: Manifest, by: Aspect) -> list[str]:
    """Return the paths that differ."""
    return list(paths(differing(one, other, by)))


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


def sums_of(found: Manifest) -> bytes:
    """Return the list of checksums of a folder."""
    return b"".join(format_sums((entry.path, str(entry.sha256)) for entry in found.files))


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
        found = hashed(data)
        sums = sums_of(found)
        verified = check(data, sums)
        assert verified.returncode == 0, verified.stdout + verified.stderr
        assert sums.count(b"\n") == len(contents)
        assert parse_sums(sums) == {entry.path: entry.sha256 for entry in found.files}

        with Path(data, list(found.files)[-1].path).open("ab") as last:
            last.write(b"!")
        failed = check(data, sums)
        assert failed.returncode == 1
        assert b"1 computed checksum did NOT match" in failed.stderr


@pytest.mark.parametrize(
    "cut",
    [
        *(b"\n", b"ab\n", b"%s a\n", b"%s  \n", b"%s  a", b"%s  a\n%s  a\n", b"%S  a\n"),
        *(b"\\%s  a\\o\n", b"\\%s  a\\\n", b"\\%s  \\\xff\n"),
    ],
)
def test_a_list_that_sha256sum_didnt_write_is_refused(cut: bytes) -> None:
    """A truncated or empty line, the same file twice, or an escape that there isn't."""
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
    sums = sums_of(hashed(data))
    assert [line.split(b"  ")[1] for line in sums.splitlines()] == [b"a/b/-"]
    assert check(data, sums).returncode == 0


def test_entries_are_in_order_however_many_there_are() -> None:
    """A folder comes before what is in it, also where another name sorts between them."""
    names = [f"{number:05d}" for number in range(3 * PACKED_ENTRIES + 1)]
    one = manifest(*map(file, reversed(names)))
    assert [entry.path for entry in one] == names
    assert [entry.path for entry in manifest(file("a-b"), file("a/b"), folder("a"))] == ["a", "a/b", "a-b"]


def test_a_million_files_take_some_megabytes() -> None:
    """Some 30 bytes for a file, and as many again for its hash; measured by a part of them."""
    names = [f"{number // 1000:04d}/station-{number:07d}.dat" for number in range(20_000)]
    times = {name: 1_790_000_000_000_000_000 + hash(name) % 1_000_000_000 for name in names}
    sums = {name: hashlib.sha256(name.encode()).hexdigest() for name in names}
    plain = manifest(*(file(name, 1000, times[name]) for name in names))
    full = manifest(*(file(name, 1000, times[name], sums[name]) for name in names))
    assert isinstance(plain.lines, PackedLines)
    assert isinstance(full.lines, PackedLines)
    assert sum(map(len, plain.lines.packed)) < 30 * len(names)
    assert sum(map(len, full.lines.packed)) < 70 * len(names)


def test_only_regular_files_count_for_the_size() -> None:
    """A copy needn't have special files at all."""
    one = manifest(file("a", 3), file("b", 4), link("c", "a"), folder("d"), special("e"))
    assert (one.totals.bytes, one.totals.files, one.totals.entries) == (7, 2, 5)
    assert [entry.path for entry in one.files] == ["a", "b"]
    assert [entry.path for entry in one.compared] == ["a", "b", "c", "d"]


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
    assert bool(differ(one, other, metadata)) != metadata_same
    assert (one.totals.fingerprint == other.totals.fingerprint) == metadata_same
    assert bool(differ(one, other, content)) != content_same


def test_differing_returns_added_removed_and_changed_paths() -> None:
    """Sorted."""
    one = manifest(file("same"), file("z"), file("changed", 3))
    other = manifest(file("same"), file("a"), file("changed", 4))
    assert differ(one, other, metadata) == ["a", "changed", "z"]
    assert next(differing(one, other, metadata)) == (None, file("a"))


@given(st.lists(st.sampled_from(["a", "a/b", "a-b", "a/b/c", "b", "\udcff", "\ue000"])), st.data())
def test_two_manifests_are_compared_as_their_paths_are(names: list[str], data: st.DataObject) -> None:
    """As they come, without having all of them."""
    ours = {name: file(name, data.draw(st.integers(1, 2))) for name in names}
    others = data.draw(st.lists(st.sampled_from(["a", "a/b", "a-b", "b", "c", "\udcff"])))
    theirs = {name: file(name, data.draw(st.integers(1, 2))) for name in others}
    expected = {name for name in {*ours, *theirs} if ours.get(name) != theirs.get(name)}
    assert set(differ(manifest(*ours.values()), manifest(*theirs.values()), metadata)) == expected


def test_a_links_target_is_metadata_and_content() -> None:
    """A link with another target is another link."""
    one, other = manifest(link("a", "x")), manifest(link("a", "y"))
    assert differ(one, other, metadata) == differ(one, other, content) == ["a"]
    assert one.totals.structure != other.totals.structure


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
    assert list(manifest(link(path, target)).totals.warnings) == (warnings if out else [])


def test_a_special_file_gives_a_warning() -> None:
    """With its name escaped."""
    assert manifest(special("x\ny"), file("a"), folder("b")).totals.warnings == (
        r"'x\ny' is a FIFO, socket or device: it holds no data and isn't copied.",
    )


def test_a_thousand_warnings_are_ten_and_a_number() -> None:
    """They go into the record and into a mail."""
    *first, last = manifest(*(special(f"{number:04d}") for number in range(1000))).totals.warnings
    assert [warning.split()[0] for warning in first] == [f"'{number:04d}'" for number in range(10)]
    assert last == "990 more links or special files are like these."
