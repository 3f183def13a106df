"""An entry from a host has the form of the program that sends it, or is refused, whatever it is."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from include.days.manifest_entry import Exclusion, ManifestEntry, entry_from
from include.shapes import ShapeError

FILE = ["a/b", "file", 3, 7, None, None, 9]
GOOD = {
    "a file": FILE,
    "a hashed file": ["a", "file", 0, -1, None, "0f" * 32, 0],
    "a name that isn't UTF-8": ["\udcff", "file", 3, 7, None, None, 9],
    "a folder": ["a", "folder", 0, 0, None, None, 0],
    "a link": ["a", "link", 0, 0, "../b", None, 0],
    "a FIFO": ["a", "special", 0, 0, None, None, 0],
}
BAD = {
    "a number": 7,
    "a text": "a",
    "an object": {"path": "a"},
    "nothing": None,
    "no field": [],
    "too few fields": FILE[:-1],
    "too many fields": [*FILE, 1],
    "a path that is a number": [7, *FILE[1:]],
    "a path that is a list": [["a"], *FILE[1:]],
    "a path that leads out": ["../a", *FILE[1:]],
    "an absolute path": ["/etc/passwd", *FILE[1:]],
    "a path that leads out later": ["a/../../b", *FILE[1:]],
    "an empty path": ["", *FILE[1:]],
    "an empty part": ["a//b", *FILE[1:]],
    "the folder itself": [".", *FILE[1:]],
    "a NUL in the path": ["a\0b", *FILE[1:]],
    "half of a character": ["\ud800", *FILE[1:]],
    "another kind": ["a", "directory", *FILE[2:]],
    "a kind that is a list": ["a", ["file"], *FILE[2:]],
    "a negative size": ["a", "file", -1, *FILE[3:]],
    "a size that is a text": ["a", "file", "3", *FILE[3:]],
    "a fraction": ["a", "file", 3.0, *FILE[3:]],
    "no number": ["a", "file", json.loads("NaN"), *FILE[3:]],
    "endless": ["a", "file", json.loads("Infinity"), *FILE[3:]],
    "true": ["a", "file", True, *FILE[3:]],
    "a size that no disk has": ["a", "file", 1 << 63, *FILE[3:]],
    "a time that is nothing": ["a", "file", 3, None, *FILE[4:]],
    "a time that no disk has": ["a", "file", 3, 1 << 70, *FILE[4:]],
    "a change time that is a text": [*FILE[:-1], "9"],
    "the target of a file": ["a", "file", 3, 7, "b", None, 9],
    "a link to nothing": ["a", "link", 0, 0, None, None, 0],
    "a link to a number": ["a", "link", 0, 0, 7, None, 0],
    "a link to an empty name": ["a", "link", 0, 0, "", None, 0],
    "a NUL in a target": ["a", "link", 0, 0, "b\0c", None, 0],
    "half of a character in a target": ["a", "link", 0, 0, "\ud800", None, 0],
    "a hash that is a number": ["a", "file", 3, 7, None, 7, 9],
    "a hash that is too short": ["a", "file", 3, 7, None, "00", 9],
    "a hash in capitals": ["a", "file", 3, 7, None, "0F" * 32, 9],
    "a hash with a line's end": ["a", "file", 3, 7, None, "0f" * 32 + "\n", 9],
    "the hash of a folder": ["a", "folder", 0, 0, None, "0f" * 32, 0],
}


@pytest.mark.parametrize("case", GOOD)
def test_what_the_program_sends_is_accepted(case: str) -> None:
    """Unchanged."""
    assert entry_from(GOOD[case]) == ManifestEntry(*GOOD[case])  # type: ignore[arg-type] # as JSON


@pytest.mark.parametrize("case", BAD)
def test_any_other_form_is_refused(case: str) -> None:
    """In one line that says what came."""
    fields: Any = BAD[case]
    with pytest.raises(ShapeError) as refused:
        entry_from(fields)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 250


@pytest.mark.parametrize(
    ("path", "out"),
    [
        ("a.tmp", True),
        ("a.tmp/b/c", True),
        ("a/.nfs0001", True),
        ("a/b", False),
        ("nfs", False),
        ("a.tmp\n", False),
        ("a.TMP", False),
    ],
)
def test_what_a_pattern_names_is_excluded(path: str, *, out: bool) -> None:
    """A file, or a folder and all in it."""
    assert (path in Exclusion(["*.tmp", ".nfs*"])) == out
    assert path not in Exclusion()


@pytest.mark.parametrize("pattern", [".*.??????", "*ã?", "*.[a-z]"])
def test_rsync_leaves_out_the_same_names(tmp_path: Path, pattern: str) -> None:
    """Otherwise a day with such a name would never equal its source."""
    names = [".mapa.região", ".mapa.regiã", ".mapa.region", ".\udce3.12345\udce3", "x.ã", "x.a", "ãé", "ãe"]
    (tmp_path / "source").mkdir()
    for name in names:
        (tmp_path / "source" / name).touch()
    copy = ["rsync", "--recursive", f"--exclude={pattern}", f"{tmp_path}/source/", f"{tmp_path}/copy"]
    subprocess.run(copy, check=True)
    left_out = set(names) - {path.name for path in (tmp_path / "copy").iterdir()}
    assert {name for name in names if name in Exclusion([pattern])} == left_out
