"""The agent, run as at the source: sent on standard input and asked a line at a time."""

import ast
import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from include import source_agent
from tests.include.at_source import FOLDER, PROGRAM, Agent, hashes, look


@pytest.fixture
def day(tmp_path: Path) -> Path:
    """A day's folder that is still empty."""
    folder = tmp_path / FOLDER
    folder.mkdir(parents=True)
    return folder


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    """An agent for all tests that ask it nothing that it might not survive."""
    with Agent() as running:
        yield running


def test_it_runs_under_an_old_python_with_nothing_installed() -> None:
    """Clusters are old: Python 3.8's grammar, and the standard library alone."""
    tree = ast.parse(PROGRAM, feature_version=(3, 8))
    imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in imported} <= sys.stdlib_module_names


def test_it_tells_what_a_folder_holds(agent: Agent, day: Path) -> None:
    """Sorted by path; what isn't asked for, or isn't there, isn't answered."""
    (day / "b").write_bytes(b"four")
    os.utime(day / "b", ns=(0, 1_790_000_000_123_456_789))
    (day / "a" / "deep").mkdir(parents=True)
    (day / "a" / "link").symlink_to("../b")
    os.mkfifo(day / "c")
    wanted = ["2026/267", FOLDER, "2026/268/b", "2026/999"]
    assert agent.ask({"look": wanted, "root": str(day.parents[1])}) == {
        FOLDER: {
            "entries": [
                ["a", "folder", 0, 0, None, None],
                ["a/deep", "folder", 0, 0, None, None],
                ["a/link", "link", 0, 0, "../b", None],
                ["b", "file", 4, 1_790_000_000_123_456_789, None, None],
                ["c", "special", 0, 0, None, None],
            ],
            "descriptors": {},
            "unreadable": [],
        }
    }


def test_it_hashes_every_regular_file_and_nothing_else(agent: Agent, day: Path) -> None:
    """Empty ones, and those larger than a block."""
    contents = {"empty": b"", "small": b"x", "block": b"y" * (1 << 20), "sub/large": os.urandom(3_000_001)}
    (day / "sub").mkdir()
    for name, content in contents.items():
        (day / name).write_bytes(content)
    (day / "link").symlink_to("small")
    os.mkfifo(day / "fifo")
    answer = hashes(agent, day)
    told = {path: sha256 for path, *_, sha256 in answer["entries"]}
    assert told == {"fifo": None, "link": None, "sub": None} | {
        name: hashlib.sha256(content).hexdigest() for name, content in contents.items()
    }
    assert answer["unreadable"] == []


def test_it_reads_descriptors_up_to_their_limit(agent: Agent, day: Path) -> None:
    """Wherever they lie; nothing else is read, and nothing endless."""
    (day / "sub").mkdir()
    (day / "sub" / "descriptor.ctl.1").write_bytes(b"dset ^caf\xc3\xa9 \xff\n")
    (day / "descriptor.ctl.large").write_bytes(b"x" * (source_agent.DESCRIPTOR_LIMIT + 1))
    (day / "other.ctl").write_text("x")
    (day / "descriptor.ctl.link").symlink_to("/etc/passwd")
    os.mkfifo(day / "descriptor.ctl.fifo")
    (day / "descriptor.ctl.folder").mkdir()
    assert look(agent, day)["descriptors"] == {"sub/descriptor.ctl.1": "dset ^café \udcff\n"}


@pytest.mark.parametrize("locale", ["C", "C.UTF-8", "POSIX", "xx_YY.ISO-8859-1"])
def test_names_are_bytes_in_any_locale(day: Path, locale: str) -> None:
    """What is no UTF-8 travels as surrogate escapes, and comes back as the same bytes."""
    names = [
        b"caf\xe9",
        b"caf\xc3\xa9",
        b"\xff\xfe",
        b"new\nline",
        b'"quoted"',
        b"\x01",
        "🛰".encode(),
        b"e\xcc\x81",
    ]
    for name in names:
        Path(os.fsdecode(os.fsencode(day) + b"/" + name)).write_bytes(name)
    with Agent(env={"LC_ALL": locale}) as agent:
        entries = hashes(agent, day)["entries"]
    told = {path.encode("utf-8", "surrogateescape"): sha256 for path, *_, sha256 in entries}
    assert told == {name: hashlib.sha256(name).hexdigest() for name in names}


def test_links_are_never_followed(agent: Agent, day: Path) -> None:
    """Neither out of the day, nor in circles, nor to nowhere."""
    targets = {
        "up": "..",
        "self": "self",
        "root": "/",
        "dangling": "nowhere",
        "inside": "sub",
        "long": "x" * 900,
    }
    (day / "sub").mkdir()
    for name, target in targets.items():
        (day / name).symlink_to(target)
    (day / "sub" / "circle").symlink_to("..")
    found = {path: target for path, kind, _, _, target, _ in look(agent, day)["entries"] if kind == "link"}
    assert found == {**targets, "sub/circle": ".."}
    assert [path for path, kind, *_ in hashes(agent, day)["entries"] if kind != "link"] == ["sub"]


def test_a_day_behind_a_link_is_a_day(agent: Agent, day: Path) -> None:
    """Only what lies in it isn't followed."""
    (day / "file").write_bytes(b"x")
    day.rename(day.with_name("moved"))
    day.symlink_to("moved")
    assert [path for path, *_ in look(agent, day)["entries"]] == ["file"]
