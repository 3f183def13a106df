"""Runs of chunks on the wire: short, and never silent for long."""

import io
import os
import time

import pytest

from include.agent import wire
from include.agent.wire import FLUSH_S, FRAME, KEEP_ALIVE, Runs, Wire


class Clock:
    """A clock that a test moves."""

    now = 100.0

    def monotonic(self) -> float:
        """Return its time."""
        return self.now


class Received:
    """The frames of runs that are written to a pipe."""

    def __init__(self) -> None:
        self._pipe, out = os.pipe()
        os.set_blocking(self._pipe, False)
        self.runs = Runs(Wire(os.fdopen(os.dup(self._pipe), "rb"), out))

    def read(self) -> list[tuple[str, int, int]]:
        """Return kind, first chunk and count of each frame since the last call."""
        try:
            received = os.read(self._pipe, 1 << 20)
        except BlockingIOError:
            return []
        return [(kind.decode(), first, count) for kind, first, count, _ in FRAME.iter_unpack(received)]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock that runs read."""
    moved = Clock()
    monkeypatch.setattr(wire, "time", moved)
    return moved


@pytest.fixture
def received() -> Received:
    """A wire, and what is received of it."""
    return Received()


@pytest.mark.parametrize("kind", [b"S", b"Z", b"W"])
def test_a_run_is_sent_every_few_seconds(received: Received, clock: Clock, kind: bytes) -> None:
    """However long it goes on: the other end gives up on a silent one, and notes what it received."""
    for index in range(6):
        received.runs.add(kind, index)
        clock.now += FLUSH_S / 2
    assert received.read() == [(kind.decode(), 0, 3), (kind.decode(), 3, 3)]


def test_a_run_that_begins_after_a_long_frame_isnt_sent_at_once(received: Received, clock: Clock) -> None:
    """Its time begins with its first chunk."""
    clock.now += 10 * FLUSH_S
    received.runs.add(b"Z", 7)
    assert received.read() == []
    received.runs.end()
    assert received.read() == [("Z", 7, 1)]


@pytest.mark.parametrize("kind", [b"S", b"Z", b"W"])
def test_a_run_has_a_bounded_length(received: Received, kind: bytes) -> None:
    """The vault reads or copies it before it notes it."""
    for index in range(10_000):
        received.runs.add(kind, index)
    received.runs.end()
    counts = [count for _, _, count in received.read()]
    assert sum(counts) == 10_000
    assert max(counts) == (32 if kind == b"S" else 4096)


def test_chunks_that_arent_consecutive_are_runs_of_their_own(received: Received) -> None:
    """A verification reads only what was written; a run over a gap would name chunks that weren't."""
    for index in (1, 2, 5, 9, 10):
        received.runs.add(b"W", index)
    received.runs.end()
    assert received.read() == [("W", 1, 2), ("W", 5, 1), ("W", 9, 2)]


def test_signs_of_life_are_what_the_worker_can_tell_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blank lines before the first line, frames during an answer; nothing while no answer is due."""
    monkeypatch.setattr("include.agent.heartbeat.EVERY_S", 0.02)
    there, out = os.pipe()
    os.set_blocking(there, False)
    wire = Wire(io.BytesIO(b'\n\n{"run": 1}\n\n{"disk": 2}\n{"disk": 3}\n'), out)

    def signs() -> bytes:
        time.sleep(0.3)
        found = os.read(there, 1 << 16)
        while more := _read(there):
            found += more
        return found

    with wire.beating():
        assert wire.receive_json() == {"run": 1}
        assert set(signs()) == set(b"\n")
        wire.send_json({"vm": "maq1"})
        time.sleep(0.1)
        assert signs().strip() == b'{"vm": "maq1"}'
        assert wire.receive_json() == {"disk": 2}
        assert signs().replace(KEEP_ALIVE, b"") == b""
        wire.send_json_frame(b"E", {})
        assert signs().replace(KEEP_ALIVE, b"") == FRAME.pack(b"E", 0, 2, bytes(32)) + b"{}"
        time.sleep(0.1)
        assert _read(there) == b""


def _read(pipe: int) -> bytes:
    try:
        return os.read(pipe, 1 << 16)
    except BlockingIOError:
        return b""
