"""A manifest in staging is what it was, or says that it's damaged."""

from collections.abc import Callable
from pathlib import Path

import pytest

from include.days.manifest import PACKED_ENTRIES, PackedLines
from include.days.manifest_builder import manifest_with
from include.days.manifest_file import load, save
from include.errors import VaultError
from tests.include.days.test_manifest import file, folder, link, special

ENTRIES = [file("a", sha256="00" * 32), link("b", "a"), folder("c"), special("d"), file("\udcff\n")]


def test_a_manifest_is_read_as_it_was_saved(tmp_path: Path) -> None:
    """With what is noted about it; any number of times."""
    one = manifest_with([*ENTRIES, *(file(f"e{number:05d}") for number in range(2 * PACKED_ENTRIES))])
    save(tmp_path / "it", {"folder": "2026/268", "seconds": 1.5}, one)
    about, read = load(tmp_path / "it")
    assert about == {"folder": "2026/268", "seconds": 1.5}
    assert list(read) == list(read) == list(one)
    assert read.totals == one.totals


@pytest.mark.parametrize("kept", [0, 5, 60, -40, -1])
def test_a_file_that_is_cut_off_is_an_error(tmp_path: Path, kept: int) -> None:
    """At its beginning, in the middle, and at its end."""
    path = tmp_path / "it"
    save(path, {}, manifest_with(ENTRIES))
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(VaultError, match=r"it can't be read .* Clear the day's copy task\."):
        list(load(path).manifest)


def lost(lines: list[bytes]) -> list[bytes]:
    """Lose the last lines."""
    return lines[:-1]


def all_lost(lines: list[bytes]) -> list[bytes]:
    """Lose all lines but the first, which is about them."""
    return lines[:1]


def zeros(lines: list[bytes]) -> list[bytes]:
    """Lose them as a file system does that had made room for them only."""
    return [*lines[:-1], bytes(len(lines[-1]))]


def reordered(lines: list[bytes]) -> list[bytes]:
    """Read blocks of the file in another order."""
    return [lines[0], *reversed(lines[1:])]


def twice(lines: list[bytes]) -> list[bytes]:
    """Read a block of it twice, in place of the next one."""
    return [*lines[:2], lines[1], *lines[3:]]


@pytest.mark.parametrize("change", [lost, all_lost, zeros, reordered, twice])
def test_a_file_with_other_lines_is_damaged(
    tmp_path: Path, change: Callable[[list[bytes]], list[bytes]]
) -> None:
    """Each line is compressed by itself, so that the file as such is a valid one."""
    path, one = tmp_path / "it", manifest_with(file(f"e{number:05d}") for number in range(3 * PACKED_ENTRIES))
    save(path, {}, one)
    packed = one.lines.packed if isinstance(one.lines, PackedLines) else []
    first = path.read_bytes()[: -sum(map(len, packed))]
    path.write_bytes(b"".join(change([first, *packed])))
    with pytest.raises(VaultError, match=r"it can't be read .* Clear the day's copy task\."):
        list(load(path).manifest)


def test_a_path_in_it_that_leads_out_is_refused(tmp_path: Path) -> None:
    """Whoever can write to staging may not have other files changed."""
    save(tmp_path / "it", {}, manifest_with([file("../../etc/passwd")]))
    with pytest.raises(VaultError, match="leads out of its folder"):
        list(load(tmp_path / "it").manifest)
