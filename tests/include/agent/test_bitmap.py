"""Sets of chunk numbers: what a set of Python would hold, in a bit for each."""

import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.agent.bitmap import Bitmap

CHUNKS = 1_000_000


@given(st.sets(st.integers(0, 99)))
def test_it_holds_exactly_the_numbers(numbers: set[int]) -> None:
    """In order, and each once, however often it was added."""
    bitmap = Bitmap(100, [*numbers, *numbers])
    assert list(bitmap) == sorted(numbers)
    assert len(bitmap) == len(numbers)
    assert {number for number in range(-1, 101) if number in bitmap} == numbers


@given(st.sets(st.integers(0, 99)))
def test_no_two_runs_touch(numbers: set[int]) -> None:
    """So the chunks of a run are read together."""
    runs = list(Bitmap(100, numbers).runs())
    assert [number for run in runs for number in run] == sorted(numbers)
    assert all(one.stop < other.start for one, other in pairwise(runs))


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 4096])
def test_a_full_one_ends_at_its_size(size: int) -> None:
    """Also within a byte."""
    assert Bitmap.full(size) == Bitmap(size, range(size))
    assert list(Bitmap.full(size).runs()) == ([range(size)] if size else [])


@pytest.mark.parametrize("number", [-1, 8])
def test_a_number_beyond_its_size_is_refused(number: int) -> None:
    """Also in the last byte."""
    with pytest.raises(IndexError):
        Bitmap(8 if number < 0 else 5).add(number)


def test_a_million_chunks_take_a_bit_each() -> None:
    """Also while they are read: a set of them takes 60 MB."""
    tracemalloc.start()
    try:
        every_other = Bitmap(CHUNKS, range(0, CHUNKS, 2))
        assert sum(1 for _ in every_other.runs()) == len(every_other) == CHUNKS // 2
        assert tracemalloc.get_traced_memory()[1] < CHUNKS // 8 + 20_000
    finally:
        tracemalloc.stop()
