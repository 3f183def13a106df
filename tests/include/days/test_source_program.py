"""The source program, run as at the source: sent on standard input, with requests line by line."""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from include.days import folder_scan
from tests.include.days.source_process import FOLDER, Agent, Scan, hashes, survey, surveys


@pytest.fixture
def day(tmp_path: Path) -> Path:
    """A day's folder that is still empty."""
    folder = tmp_path / FOLDER
    folder.mkdir(parents=True)
    return folder


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    """A source program that all tests share whose requests can't break it."""
    with Agent() as running:
        yield running


def test_a_survey_lists_the_entries_of_a_folder(agent: Agent, day: Path) -> None:
    """Sorted by path; missing folders are left out of the answer."""
    (day / "b").write_bytes(b"four")
    os.utime(day / "b", ns=(0, 1_790_000_000_123_456_789))
    (day / "a" / "deep").mkdir(parents=True)
    (day / "a" / "link").symlink_to("../b")
    os.mkfifo(day / "c")
    folders = ["2026/267", FOLDER, "2026/268/b", "2026/999"]
    changed = (day / "b").stat().st_ctime_ns
    entries = [
        ["a", "folder", 0, 0, None, None, 0],
        ["a/deep", "folder", 0, 0, None, None, 0],
        ["a/link", "link", 0, 0, "../b", None, 0],
        ["b", "file", 4, 1_790_000_000_123_456_789, None, None, changed],
        ["c", "special", 0, 0, None, None, 0],
    ]
    assert surveys(agent, day, *folders) == {FOLDER: Scan(entries)}


def test_a_folder_comes_before_what_is_in_it_and_names_in_the_order_of_their_bytes(
    agent: Agent, day: Path
) -> None:
    """By that, two manifests are compared as they come."""
    (day / "a").mkdir()
    for name in (b"a/b", b"a-c", b"a.d", b"\xff", "\ue000".encode(), b"Z"):
        Path(os.fsdecode(os.fsencode(day) + b"/" + name)).touch()
    paths = ["Z", "a", "a/b", "a-c", "a.d", "\ue000", "\udcff"]
    assert [path for path, *_ in survey(agent, day).entries] == paths
    assert [path for path, *_ in hashes(agent, day).entries] == paths


def test_a_long_answer_comes_in_many_lines(agent: Agent, day: Path) -> None:
    """Neither end has more than some of them in memory."""
    count = 3 * folder_scan.LINE_ENTRIES + 1
    for number in range(count):
        (day / f"{number:05d}").touch()
    agent.send(json.dumps({"hash": FOLDER, "root": str(day.parents[1])}).encode())
    lengths = [len(line["entries"]) for line in iter(agent.answer, {})]
    assert max(lengths) <= folder_scan.LINE_ENTRIES
    assert sum(lengths) == count


def test_every_regular_file_is_hashed_and_nothing_else(agent: Agent, day: Path) -> None:
    """Empty files, and those larger than a block."""
    contents = {"empty": b"", "small": b"x", "block": b"y" * (1 << 20), "sub/large": os.urandom(3_000_001)}
    (day / "sub").mkdir()
    for name, content in contents.items():
        (day / name).write_bytes(content)
    (day / "link").symlink_to("small")
    os.mkfifo(day / "fifo")
    answer = hashes(agent, day)
    sums = {path: sha256 for path, *_, sha256, _ in answer.entries}
    assert sums == {"fifo": None, "link": None, "sub": None} | {
        name: hashlib.sha256(content).hexdigest() for name, content in contents.items()
    }
    assert answer.unreadable == []


def test_descriptors_are_read_up_to_their_limit(agent: Agent, day: Path) -> None:
    """In any folder of the day; no other file is read."""
    (day / "sub").mkdir()
    (day / "sub" / "descriptor.ctl.1").write_bytes(b"dset ^caf\xc3\xa9 \xff\n")
    (day / "descriptor.ctl.large").write_bytes(b"x" * (folder_scan.DESCRIPTOR_LIMIT + 1))
    (day / "other.ctl").write_text("x")
    (day / "descriptor.ctl.link").symlink_to("/etc/passwd")
    os.mkfifo(day / "descriptor.ctl.fifo")
    (day / "descriptor.ctl.folder").mkdir()
    assert survey(agent, day).descriptors == {"sub/descriptor.ctl.1": "dset ^café \udcff\n"}


@pytest.mark.parametrize("locale", ["C", "C.UTF-8", "POSIX", "xx_YY.ISO-8859-1"])
def test_names_are_bytes_in_any_locale(day: Path, locale: str) -> None:
    """A name that isn't UTF-8 is sent with surrogate escapes, and comes back as the same bytes."""
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
        entries = hashes(agent, day).entries
    sums = {path.encode("utf-8", "surrogateescape"): sha256 for path, *_, sha256, _ in entries}
    assert sums == {name: hashlib.sha256(name).hexdigest() for name in names}


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
    found = {path: target for path, kind, _, _, target, *_ in survey(agent, day).entries if kind == "link"}
    assert found == {**targets, "sub/circle": ".."}
    assert [path for path, kind, *_ in hashes(agent, day).entries if kind != "link"] == ["sub"]


def test_a_link_to_a_day_is_followed(agent: Agent, day: Path) -> None:
    """Links inside a day aren't."""
    (day / "file").write_bytes(b"x")
    day.rename(day.with_name("moved"))
    day.symlink_to("moved")
    assert [path for path, *_ in survey(agent, day).entries] == ["file"]
