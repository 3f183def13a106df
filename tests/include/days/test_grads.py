"""Descriptors of flat binary data are parsed; anything else is refused with a reason."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.days import grads
from include.days.grads import Descriptor, DescriptorError, Variable
from include.days.grads_times import Times
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
    parsed = grads.parse(REAL)
    assert (parsed.shape, parsed.is_plain) == ((361, 121, 92), True)
    assert parsed.variables == tuple(Variable(name, 92) for name in ("TIMEDIFF", "NE", "TEC"))
    assert parsed.files == {"^data.dat.2016.268.13.0h": supim.REAL.step_bytes}
    assert supim.REAL.step_bytes == 3 * 361 * 121 * 92 * 4


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
        SMALL.replace("density", "densit\xe9"),
        SMALL.replace(" ", "\t"),
        "\ufeff" + SMALL,
        SMALL.replace("NE 4 99", "NE 4,100 99,1").replace("TEC 4 99", "TEC=>tec 4 t,z,y,x"),
        "@ global String comment dset ^other\nedef 1 names only\npdef 3 2 lcc 1\n" + SMALL,
    ],
    ids=[
        "plain",
        "upper case",
        "CRLF",
        "spaced",
        "comments",
        "other keywords",
        "more below",
        "other letters",
        "tabs",
        "byte-order mark",
        "more codes",
        "metadata, one member, a projection",
    ],
)
def test_every_form_that_grads_allows_is_parsed(text: str) -> None:
    """Keywords in any case, comments, blanks and tabs, unknown keywords."""
    times = Times(1, "0:00z24sep2016", "1hr")
    names = ("NE", "TEC=>tec" if "=>" in text else "TEC")
    variables = tuple(Variable(name, 4) for name in names)
    assert grads.parse(text) == Descriptor("^data", (3, 2, 4), 6, variables, times)


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
        ("xdef", "wdef", "it has no xdef line"),
        ("vars 2", "vars", "it has no vars line"),
        ("vars 2", "vars 3", "it announces 3 variables and lists 2"),
        ("vars 2", "vars 1", "it announces 1 variables and lists 2"),
        ("TEC 4 99 total electron content\n", "", "it announces 2 variables and lists 1"),
        ("endvars\n", "", "it ends before its endvars line"),
        ("vars 2", "endvars\nvars 2", "it announces 2 variables and lists 0"),
        ("NE 4 99 electron density", "NE", "its variable 'NE' has no number of levels up to 4"),
        ("NE 4", "NE 5", "its variable 'NE' has no number of levels up to 4"),
        ("NE 4", "NE -1", "its variable 'NE' has no number of levels up to 4"),
        ("NE 4 99", "NE 4 -1,20", "its variable 'NE' has the layout '-1,20', which isn't checked"),
        ("dset", "dtype netcdf\ndset", "its dtype 'netcdf' is a format that isn't checked"),
        ("dset", "DTYPE\tstation\ndset", "its dtype 'station' is a format that isn't checked"),
        ("dset", "options yrev gzip\ndset", "its option 'gzip' isn't checked"),
        (
            "dset",
            "edef 3 names a b c\ndset",
            "its edef line has several ensemble members, which aren't checked",
        ),
        ("dset", "pdef 3\ndset", "its pdef line gives no number of points"),
        ("dset", "theader -8\ndset", "its theader line gives no number of bytes"),
        ("dset", "chsub 1 2\ndset", "its chsub line isn't two numbers and a string"),
        ("tdef 1 linear 0:00Z24sep2016 1hr\n", "", "it has no tdef line"),
        ("tdef 1 linear", "tdef 1 levels", "its tdef line isn't 'linear' with a first time and a step"),
        (
            "tdef 1 linear 0:00Z24sep2016 1hr",
            "tdef 2 linear 1jan2016 1mo",
            "its tdef line has the step '1mo', which isn't checked",
        ),
    ],
)
def test_a_garbled_descriptor_is_refused_with_a_reason(old: str, new: str, reason: str) -> None:
    """The reason goes into the report unchanged."""
    assert old in SMALL
    with pytest.raises(DescriptorError, match=f"^{re.escape(reason)}$"):
        grads.parse(SMALL.replace(old, new, 1))


GRID = 3 * 2 * 4
"""The bytes of one grid of ``SMALL``, which has 8."""


@pytest.mark.parametrize(
    ("old", "new", "size"),
    [
        ("tdef 1", "tdef 24", 24 * 8 * GRID),
        ("TEC 4 99", "HMF2 0 99", 5 * GRID),
        ("TEC 4 99", "HMF2 1 99", 5 * GRID),
        ("TEC 4 99", "TEC 2 99", 6 * GRID),
        ("NE 4 99", "NE 4 -1,40,1", 5 * GRID),
        ("NE 4 99", "NE 4 -1,40,2,-1", 6 * GRID),
        ("undef", "undef", 8 * GRID),
        ("dset", "options sequential\ndset", 8 * (GRID + 8)),
        ("dset", "options yrev\nOPTIONS\tbig_endian\ndset", 8 * GRID),
        ("dset", "fileheader 100\ntheader 10\nxyheader 1\ndset", 110 + 8 * (GRID + 1)),
        ("dset", "trailerbytes 7\nheaderbytes 3\nxytrailer 2\ndset", 10 + 8 * (GRID + 2)),
        ("dset", "pdef 10 10 lcc 1 2 3\ndset", 8 * 400),
    ],
)
def test_the_size_of_the_data_file_is_what_grads_reads(old: str, new: str, size: int) -> None:
    """To the byte, whatever the file has beside the values."""
    parsed = grads.parse(("undef -1\n" + SMALL).replace(old, new, 1))
    assert parsed.files == {"^data": size}


def test_only_plain_values_are_read_for_a_map() -> None:
    """Where a variable begins is known for them."""
    surface = grads.parse(SMALL.replace("NE 4", "HMF2 0"))
    assert (surface.is_plain, surface.offset("HMF2"), surface.offset("TEC")) == (True, 0, GRID)
    for other in (
        "options big_endian",
        "options sequential",
        "theader 4",
        "pdef 9 9 lcc",
        "options template",
    ):
        assert not grads.parse(f"{other}\n{SMALL}").is_plain
    assert not grads.parse(SMALL.replace("NE 4 99", "NE 4 -1,40,2")).is_plain


@given(st.integers(0, len(REAL) - len("endvars\n") - 1))
def test_a_truncated_descriptor_is_refused(length: int) -> None:
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
        assert all(size >= 1 for size in grads.parse(text).files.values())
    except DescriptorError as refused:
        assert str(refused)  # noqa: PT017 - either outcome is right
