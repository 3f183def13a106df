"""The journal: what a crash, a full disk or a stranger leaves of it is read for what it says."""

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from include.agent.journal import KEPT, Journal

PROJECT = Path(__file__).parents[3]
_WRITER = """
import sys
from pathlib import Path
from include.agent.journal import Journal
journal = Journal(Path(sys.argv[1]))
count = 0
while True:
    journal.write(f"step {count}", more="x" * 400)
    count += 1
"""


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """A journal that isn't begun."""
    return Journal(tmp_path / "journal.jsonl")


@contextmanager
def files_no_longer_than(count: int) -> Iterator[None]:
    """Have the kernel refuse to make files longer, as a full disk does, after a part of what is written."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (count, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_it_is_open_from_its_first_step_until_its_closed(journal: Journal) -> None:
    """And tells the steps with their facts, the newest of a step that came twice."""
    assert not journal.open
    journal.write("begin", run="a run")
    journal.write("room", room="/a")
    journal.write("room", room="/b")
    assert (journal.open, journal.run, journal.steps()) == (True, "a run", {"begin", "room"})
    assert journal.facts("room")["room"] == "/b"
    assert journal.facts("ready") == {}
    journal.close()
    assert not journal.open
    journal.close()  # harmless


def test_the_last_few_are_kept(journal: Journal) -> None:
    """For whoever wants to know what happened."""
    for count in range(KEPT + 3):
        journal.write("begin", run=str(count))
        journal.close()
    kept = sorted(journal.path.parent.glob("journal-*.jsonl"))
    assert [json.loads(path.read_text().splitlines()[0])["run"] for path in kept] == ["3", "4", "5", "6", "7"]


@pytest.mark.parametrize("cut", [1, 20, 40])
def test_a_line_that_a_crash_cut_off_doesnt_count(journal: Journal, cut: int) -> None:
    """Nor does it spoil the next one."""
    journal.write("begin", run="a run")
    whole = journal.path.stat().st_size
    journal.write("shutdown")
    os.truncate(journal.path, whole + cut)
    assert journal.steps() == {"begin"}
    journal.write("started-again", done="started")
    assert journal.steps() == {"begin", "started-again"}


@pytest.mark.parametrize("line", ["17", "[]", '{"step": "x"}', '{"at": "x"}', "\0\0\0", "\xff", "null"])
def test_what_is_no_step_doesnt_count(journal: Journal, line: str) -> None:
    """Zeros are what some file systems leave after a loss of power."""
    journal.path.write_text(f"{line}\n", encoding="latin-1")
    assert not journal.open
    journal.write("begin", run="a run")
    assert journal.run == "a run"


def test_a_disk_that_is_full_takes_a_step_whole_or_not_at_all(journal: Journal) -> None:
    """What is there stays as it is, and is gone on with when there's room again."""
    journal.write("begin", run="a run")
    before = journal.path.read_bytes()
    with files_no_longer_than(len(before) + 10), pytest.raises(OSError, match="large"):
        journal.write("shutdown")
    assert journal.path.read_bytes() == before
    journal.write("shutdown")
    assert journal.steps() == {"begin", "shutdown"}


def test_closing_it_needs_no_room(journal: Journal) -> None:
    """A disk that is full keeps no machine from being released."""
    journal.write("begin", run="a run")
    with files_no_longer_than(journal.path.stat().st_size):
        journal.close()
    assert not journal.open


def test_whoever_is_killed_while_writing_leaves_whole_steps(journal: Journal) -> None:
    """They are read without a gap."""
    writer = subprocess.Popen([sys.executable, "-c", _WRITER, str(journal.path)], cwd=PROJECT)
    while len(journal.entries()) < 5:
        assert writer.poll() is None
    writer.kill()
    writer.wait()
    steps = [entry["step"] for entry in journal.entries()]
    assert steps == [f"step {count}" for count in range(len(steps))]
