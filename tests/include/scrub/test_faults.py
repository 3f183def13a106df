"""Faults of files: counted, sorted, and a few of them named."""

from include.scrub.faults import Fault, Faults, FirstPaths, size_fault, writable_warnings


def test_each_kind_of_fault_has_a_sentence() -> None:
    """With the first names in order, however they came."""
    faults = Faults({"z": Fault.MISSING})
    for number in reversed(range(1_000_000, 1_001_200)):
        faults.add(str(number), Fault.SHORTER)
    names = "'1000000', '1000001', '1000002' and 1,197 more"
    assert faults.sentences == [
        f"1,200 files are shorter than published: {names}.",
        "1 file is missing: 'z'.",
    ]
    assert Faults().sentences == []


def test_only_a_few_names_are_kept() -> None:
    """A day may have a million files."""
    paths = FirstPaths()
    for number in range(1000):
        paths.add(str(number))
    assert (paths.count, paths.first) == (1000, ["0", "1", "10"])
    assert list(writable_warnings(paths)) == [
        "'0', '1', '10' and 997 more should be read-only. Run chmod a-w."
    ]
    assert list(writable_warnings(FirstPaths())) == []


def test_sizes_are_compared() -> None:
    """Each difference has its kind."""
    assert [size_fault(size, 2) for size in (1, 2, 3)] == [Fault.SHORTER, None, Fault.LONGER]
