"""The journal survives crashes, full disks and damaged lines."""

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
    """A journal without a file."""
    return Journal(tmp_path / "journal.jsonl")


@contextmanager
def files_no_longer_than(count: int) -> Iterator[None]:
    """Limit the size of files, so that a write is cut off as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (count, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_it_is_open_from_its_first_step_until_it_is_closed(journal: Journal) -> None:
    """Of a step that was taken twice, the newest entry is returned."""
    assert not journal.open
    journal.write("begin", run="a run")
    journal.write("work_folder", work_folder="/a")
    journal.write("work_folder", work_folder="/b")
    assert (journal.open, journal.run, journal.steps()) == (True, "a run", {"begin", "work_folder"})
    assert journal.entry("work_folder")["work_folder"] == "/b"
    assert journal.entry("ready") == {}
    journal.close()
    assert not journal.open
    journal.close()  # does nothing


def test_the_last_few_closed_journals_are_kept(journal: Journal) -> None:
    """They show an operator what happened."""
    for count in range(KEPT + 3):
        journal.write("begin", run=str(count))
        journal.close()
    kept = sorted(journal.path.parent.glob("journal-*.jsonl"))
    assert [json.loads(path.read_text().splitlines()[0])["run"] for path in kept] == ["3", "4", "5", "6", "7"]


@pytest.mark.parametrize("cut", [1, 20, 40])
def test_a_line_that_a_crash_cut_off_is_skipped(journal: Journal, cut: int) -> None:
    """The next line is intact."""
    journal.write("begin", run="a run")
    whole = journal.path.stat().st_size
    journal.write("shutdown")
    os.truncate(journal.path, whole + cut)
    assert journal.steps() == {"begin"}
    journal.write("started-again", done="started")
    assert journal.steps() == {"begin", "started-again"}


@pytest.mark.parametrize("line", ["17", "[]", '{"step": "x"}', '{"at": "x"}', "\0\0\0", "\xff", "null"])
def test_a_line_that_isnt_a_step_is_skipped(journal: Journal, line: str) -> None:
    """Some file systems leave zeros after a power failure."""
    journal.path.write_text(f"{line}\n", encoding="latin-1")
    assert not journal.open
    journal.write("begin", run="a run")
    assert journal.run == "a run"


def test_on_a_full_disk_a_step_is_written_whole_or_not_at_all(journal: Journal) -> None:
    """The journal stays as it is, and continues once there is space again."""
    journal.write("begin", run="a run")
    before = journal.path.read_bytes()
    with files_no_longer_than(len(before) + 10), pytest.raises(OSError, match="large"):
        journal.write("shutdown")
    assert journal.path.read_bytes() == before
    journal.write("shutdown")
    assert journal.steps() == {"begin", "shutdown"}


def test_closing_it_needs_no_disk_space(journal: Journal) -> None:
    """So a backup can be ended on a full disk."""
    journal.write("begin", run="a run")
    with files_no_longer_than(journal.path.stat().st_size):
        journal.close()
    assert not journal.open


def test_a_killed_writer_leaves_whole_steps(journal: Journal) -> None:
    """None of them is missing."""
    writer = subprocess.Popen([sys.executable, "-c", _WRITER, str(journal.path)], cwd=PROJECT)
    while len(journal.entries()) < 5:
        assert writer.poll() is None
    writer.kill()
    writer.wait()
    steps = [entry["step"] for entry in journal.entries()]
    assert steps == [f"step {count}" for count in range(len(steps))]
