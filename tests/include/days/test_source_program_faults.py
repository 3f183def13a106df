"""The source program with odd files, odd requests and changing days: it answers, and never hangs."""

import json
import os
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle, takewhile
from pathlib import Path

import pytest

from include.days import folder_scan
from include.ordinal_day import OrdinalDay
from tests.include.days.source_process import FOLDER, PROGRAM, Agent, hashes, survey, surveys
from tests.session.needs import plain_user
from tests.site import supim


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


@contextmanager
def bound_in(folder: Path) -> Iterator[None]:
    """Change into a folder during the block: a socket's path has at most 107 bytes."""
    before = Path.cwd()
    os.chdir(folder)
    yield
    os.chdir(before)


def test_special_files_are_listed_but_not_opened(agent: Agent, day: Path) -> None:
    """Opening a FIFO would hang."""
    os.mkfifo(day / "fifo")
    with socket.socket(socket.AF_UNIX) as server, bound_in(day):
        server.bind("socket")
        entries = [[path, kind] for path, kind, *_ in hashes(agent, day).entries]
    assert entries == [["fifo", "special"], ["socket", "special"]]


def test_a_file_that_was_replaced_counts_as_gone(day: Path) -> None:
    """It was listed as a file, and is now a FIFO, a link or a folder."""
    os.mkfifo(day / "fifo")
    (day / "link").symlink_to("/etc/passwd")
    (day / "folder").mkdir()
    for name in ("fifo", "link", "folder", "gone"):
        with pytest.raises(OSError) as refused:  # noqa: PT011 - the numbers are compared below
            folder_scan.sha256(os.fsencode(day / name))
        assert refused.value.errno in folder_scan.GONE


def test_a_folder_that_changes_all_the_time_can_be_listed_and_hashed(day: Path) -> None:
    """A file that disappears meanwhile is no error, and never affects other days."""
    stop = threading.Event()

    def deep(path: Path) -> None:
        path.mkdir()
        (path / "file").touch()

    def change() -> None:
        kinds: list[Callable[[Path], object]] = [Path.touch, deep, os.mkfifo, deep]
        kinds.append(lambda path: path.symlink_to("x"))
        for number, make in enumerate(cycle(kinds)):
            if stop.is_set():
                return
            path = day / str(number % 3)
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
            make(path)

    changing = threading.Thread(target=change)
    changing.start()
    folder = os.fsencode(day)
    reads = (folder_scan.described, folder_scan.hashed)
    try:
        scans = [list(read(folder, folder_scan.walk(folder))) for _ in range(500) for read in reads]
    finally:
        stop.set()
        changing.join()
    assert [entry for scan in scans for entry in scan if entry[1] == "unreadable"] == []


def test_unreadable_files_are_reported(day: Path) -> None:
    """With path and reason; the others are listed as usual."""
    supim.write_day(day, OrdinalDay.parse("2026-268"), steps=1, folder=day)
    descriptor, data = "descriptor.ctl.2026.268.0.0h", "data.dat.2026.268.0.0h"
    (day / "closed").mkdir()
    for name in (descriptor, data, "closed"):
        (day / name).chmod(0)
    with Agent(plain_user()) as agent:
        surveyed, hashed = survey(agent, day), hashes(agent, day)
    assert sorted(surveyed.unreadable) == [
        ["closed", "Permission denied"],
        [descriptor, "Permission denied"],
    ]
    assert sorted(path for path, _ in hashed.unreadable) == sorted(["closed", data, descriptor])
    assert len(surveyed.entries) == len(hashed.entries) == 3
    (day / "closed").chmod(0o755)


def test_a_day_that_cant_be_entered_affects_no_other(day: Path) -> None:
    """The names in its folder can be read, but nothing else."""
    other = day.with_name("267")
    for folder in (day, other):
        folder.mkdir(exist_ok=True)
        (folder / "file").write_bytes(b"x")
    day.chmod(0o444)
    with Agent(plain_user()) as agent:
        scans = surveys(agent, day, FOLDER, "2026/267")
    day.chmod(0o755)
    assert [path for path, *_ in scans["2026/267"].entries] == ["file"]
    assert scans[FOLDER].unreadable


@pytest.mark.parametrize(
    ("request_line", "error"),
    [
        (b"{", "JSONDecodeError"),
        (b"\xff", "UnicodeDecodeError"),
        (b"7", "TypeError"),
        (b"[]", "TypeError"),
        (b"{}", "KeyError"),
        (b'{"root": "/"}', "KeyError"),
        (b'{"root": "/", "survey": 7}', "TypeError"),
        (b'{"root": "/nowhere", "survey": []}', "FileNotFoundError"),
        (b'{"root": "/etc/passwd", "survey": []}', "NotADirectoryError"),
        (b'{"root": "/", "survey": ["a\\u0000b"]}', "ValueError"),
        (b'{"root": "/\\ud800", "survey": []}', "UnicodeEncodeError"),
    ],
)
def test_an_invalid_request_is_answered_with_an_error(
    agent: Agent, day: Path, request_line: bytes, error: str
) -> None:
    """And the next one is answered as usual."""
    agent.send(request_line)
    assert json.loads(next(line for line in agent.lines() if line.strip()))["error"] == error
    assert survey(agent, day).entries == []


def test_a_root_that_cant_be_read_is_an_error_and_no_empty_source(day: Path) -> None:
    """It may be a disk that isn't mounted."""
    root = day.parents[1]
    root.chmod(0o100)
    with Agent(plain_user()) as agent:
        answer = agent.ask({"survey": [FOLDER], "root": str(root)})
    root.chmod(0o755)
    assert answer == {
        "error": "PermissionError",
        "message": f"[Errno 13] Permission denied: {os.fsencode(root)!r}",
    }


def test_it_ends_with_its_input_and_prints_only_answers(day: Path) -> None:
    """On both of its outputs."""
    agent = Agent()
    survey(agent, day)
    output, errors = agent.process.communicate(timeout=20)
    assert (output, errors, agent.process.returncode) == (b"", b"", 0)


QUICK = PROGRAM.replace(b"EVERY_S = 5.0", b"EVERY_S = .02")


def test_it_sends_a_heartbeat_while_it_works(day: Path) -> None:
    """Blank lines before the answer."""
    (day / "large").touch()
    os.truncate(day / "large", 1 << 28)
    with Agent(program=QUICK) as agent:
        agent.send(json.dumps({"hash": FOLDER, "root": str(day.parents[1])}).encode())
        blank = list(takewhile(lambda line: not line.strip(), agent.lines()))
    assert len(blank) > 1


def test_it_ends_when_nobody_reads_its_output_any_more(day: Path) -> None:
    """A killed worker leaves no program behind that hashes for hours."""
    (day / "endless").touch()
    os.truncate(day / "endless", 1 << 42)
    agent = Agent(program=QUICK)
    agent.send(json.dumps({"hash": FOLDER, "root": str(day.parents[1])}).encode())
    assert next(agent.lines()) == b"\n"
    assert agent.process.stdout
    agent.process.stdout.close()
    assert agent.process.wait(timeout=20) == 1
