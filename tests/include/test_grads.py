"""Descriptors: those of SUPIM are read, and anything else is refused with a reason."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include import grads
from include.grads import Descriptor, DescriptorError
from include.ordinal_day import OrdinalDay
from tests.site import supim

REAL = supim.describe("data.dat.2016.268.13.0h", OrdinalDay.parse("2016-268"), 13 * 60, 24, supim.REAL)
SMALL = """\
dset ^data
xdef 3 linear -85 1
ydef 2 levels -60 -59
zdef 4 levels 1 2 3
 4
tdef 1 linear 0:00Z24sep2016 1hr
vars 2
NE 4 99 electron density
TEC 4 99 total electron content
endvars
"""


def test_the_institutes_own_descriptor_gives_the_files_exact_size() -> None:
    """361 x 121 points on 92 heights, three variables of 32-bit floats."""
    told = grads.parse(REAL)
    assert told == Descriptor("^data.dat.2016.268.13.0h", (361, 121, 92), ("TIMEDIFF", "NE", "TEC"))
    assert told.data_bytes == supim.REAL.step_bytes == 3 * 361 * 121 * 92 * 4


@pytest.mark.parametrize(
    "text",
    [
        SMALL,
        SMALL.upper().replace("^DATA", "^data"),
        SMALL.replace("\n", "\r\n"),
        SMALL.replace("\n", "\n\n").replace("xdef", "  xdef "),
        "* xdef 99 linear\n*dset ^other\n" + SMALL,
        SMALL.replace("dset", "title dset ^other\nundef -1\ndset"),
        SMALL + "vars 7\nxdef 9\n",
        SMALL.replace("NE 4 99", "NE").replace("density", "densit\xe9"),
    ],
    ids=[
        "plain",
        "upper case",
        "CRLF",
        "spaced",
        "comments",
        "other keywords",
        "more below",
        "bare variable",
    ],
)
def test_spelling_that_grads_allows_is_read(text: str) -> None:
    """Keywords in any case, comments, blank lines, unknown keywords."""
    assert grads.parse(text) == Descriptor("^data", (3, 2, 4), ("NE", "TEC"))


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("dset ^data\n", "", "it has no dset line"),
        ("dset ^data\n", "dset\n", "it has no dset line"),
        ("dset ^data\n", "*dset ^data\n", "it has no dset line"),
        ("xdef 3", "xdef", "its xdef line gives no number of points"),
        ("ydef 2", "ydef two", "its ydef line gives no number of points"),
        ("zdef 4", "zdef -4", "its zdef line gives no number of points"),
        ("xdef 3", "xdef 0", "its xdef line gives no number of points"),
        ("xdef 3", "xdef 3.5", "its xdef line gives no number of points"),
        ("xdef 3", "xdef 1e9", "its xdef line gives no number of points"),
        ("xdef 3", "xdef 9999999", "its xdef line gives no number of points"),
        ("xdef 3", "xdef ٣", "its xdef line gives no number of points"),
        ("xdef", "edef", "it has no xdef line"),
        ("vars 2", "vars", "it has no vars line"),
        ("vars 2", "vars 3", "it announces 3 variables and lists 2"),
        ("vars 2", "vars 1", "it announces 1 variables and lists 2"),
        ("TEC 4 99 total electron content\n", "", "it announces 2 variables and lists 1"),
        ("endvars\n", "", "it ends before its endvars line"),
        ("vars 2", "endvars\nvars 2", "it announces 2 variables and lists 0"),
    ],
)
def test_a_garbled_descriptor_is_refused_with_a_reason(old: str, new: str, reason: str) -> None:
    """The reason goes into the report as it is."""
    assert old in SMALL
    with pytest.raises(DescriptorError, match=f"^{re.escape(reason)}$"):
        grads.parse(SMALL.replace(old, new, 1))


@given(st.integers(0, len(REAL) - len("endvars\n") - 1))
def test_a_descriptor_that_is_cut_off_is_refused(length: int) -> None:
    """Wherever the writing stopped."""
    with pytest.raises(DescriptorError):
        grads.parse(REAL[:length])


WORDS = st.sampled_from(
    ["dset", "xdef", "vars", "endvars", "^", "3", "-1", "*", " ", "\n", "\t", "\0", "\x85"]
)


@given(st.text() | st.lists(WORDS, max_size=40).map("".join) | st.lists(WORDS, max_size=40).map(" ".join))
def test_any_text_is_a_descriptor_or_refused(text: str) -> None:
    """Never another error, and never a size below that of one value."""
    try:
        assert grads.parse(text).data_bytes >= grads.FLOAT_BYTES
    except DescriptorError as refused:
        assert str(refused)  # noqa: PT017 - either outcome is right
