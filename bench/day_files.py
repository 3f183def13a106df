"""A day of very many small files, copied over SSH on loopback; time and memory by their number.

``BENCH_FILES=1000000`` measures a million: at 4 KiB a file and two copies, that needs 8 GB and 2,100,000
inodes in ``BENCH_FOLDER``.
"""

import json
import os
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.day_copy import DAY, Copies, cluster
from bench.row import Row, in_turn, timed
from tests.include.days.source_process import Agent
from tests.include.vms.transfer_process import peak_bytes

FILES = int(os.environ.get("BENCH_FILES", "100000"))
FILE_BYTES, FOLDER_FILES = 1_000, 1_000
MEMORY_MB = 256  # for any number of files up to a million


def rows(scratch: Path, rounds: int) -> Iterator[Row]:
    """Measure a day of so many files beside others, and beside one of a tenth."""
    with cluster(scratch) as (options, port):
        tenth = Copies(_write_day(scratch / "tenth", FILES // 10), scratch / "copies", options, port)
        took = _medians(tenth, {"tenth": tenth.ours}, rounds)
        source = _write_day(scratch / "source", FILES)
        copies = Copies(source, scratch / "copies", options, port)
        before = _reset_peak()
        actions: dict[str, Callable[[], object]] = {
            "ours": copies.ours,
            "rsync": copies.rsync,
            "verified": copies.rsync_verified,
        }
        took |= _medians(copies, actions, rounds)
        memory = {"worker": peak_bytes() - before, "source": _peak_at_source(source)}
    name = f"{FILES:,} files of 1 KB: surveyed, copied, verified, published"
    yield Row(name, took["ours"], "rsync -a", took["rsync"], None)
    yield Row(name, took["ours"], "rsync -a, sha256sum at both ends", took["verified"], 1.0)
    ratio = took["ours"] / took["tenth"]
    yield Row(
        f"{FILES:,} files beside {FILES // 10:,}: time", ratio, "as many times as files", 10, 1.2, "times"
    )
    for end, peak in memory.items():
        yield Row(f"{FILES:,} files: memory of the {end}", peak / 1e6, "the limit", MEMORY_MB, 1.0, "MB")


def _medians(copies: Copies, actions: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the median seconds of each action; to remove the last copy, and to write it, isn't timed."""

    def prepare() -> None:
        copies.clear()
        os.sync()

    return in_turn({name: timed(action, prepare) for name, action in actions.items()}, rounds)


def _write_day(root: Path, files: int) -> Path:
    day = root / f"{DAY.year}" / f"{DAY.number:03d}"
    noise = os.urandom(FILE_BYTES)
    for number in range(files):
        folder = day / f"{number // FOLDER_FILES:04d}"
        if number % FOLDER_FILES == 0:
            folder.mkdir(parents=True)
        (folder / f"station-{number:07d}.dat").write_bytes(number.to_bytes(8, "big") + noise[8:])
    return day


def _reset_peak() -> int:
    """Begin to measure the peak memory of this process anew, and return what it uses now, in bytes."""
    Path("/proc/self/clear_refs").write_text("5")
    return peak_bytes()


def _peak_at_source(day: Path) -> int:
    """Return the peak memory of the program at the source that hashes a day, in bytes."""
    with Agent() as agent:
        request = {"root": str(day.parents[1]), "hash": str(day.relative_to(day.parents[1]))}
        agent.send(json.dumps(request).encode())
        deque(iter(agent.answer, {}), maxlen=0)
        shell = agent.process.pid
        (program,) = Path(f"/proc/{shell}/task/{shell}/children").read_text().split()
        return peak_bytes(program)
