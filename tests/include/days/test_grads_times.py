"""The times of a descriptor, and the names that a template gives its files."""

import re

import pytest

from include.days import grads
from include.days.grads import DescriptorError
from include.days.grads_times import Times, TimesError

TEMPLATE = """\
dset {dset}
options template
xdef 3 linear -85 1
ydef 2 levels -60 -59
zdef 4 levels 1 2 3 4
tdef {tdef}
vars 1
NE 4 99 electron density
endvars
"""
STEP_BYTES = 3 * 2 * 4 * 4


def files(dset: str, tdef: str = "24 linear 0:00Z25sep2026 1hr", more: str = "") -> dict[str, int]:
    """Return the files of a template."""
    return grads.parse(more + TEMPLATE.format(dset=dset, tdef=tdef)).files


def test_a_template_has_a_file_for_each_time() -> None:
    """Each of one step."""
    found = files("^data.%y4.%j3.%h2")
    assert found == {f"^data.2026.268.{hour:02d}": STEP_BYTES for hour in range(24)}


def test_times_that_share_a_name_share_a_file() -> None:
    """A file per day holds its hours."""
    found = files("^%y4/%m2/%d2.dat", "36 linear 00z31dec2026 1hr")
    assert found == {"^2026/12/31.dat": 24 * STEP_BYTES, "^2027/01/01.dat": 12 * STEP_BYTES}


@pytest.mark.parametrize(
    ("dset", "name"),
    [
        ("%x1 %x3 %y2 %y4", "2 202 26 2026"),
        ("%m1 %m2 %mc %d1 %d2", "1 01 jan 2 02"),
        ("%h1 %h2 %h3 %n2 %j3", "0 00 000 30 002"),
        ("%f2 %f3 %t1 %t3 %tm1 %tm4", "24 024 2 002 1 0001"),
        ("%iy4%im2%id2%ih2%in2", "202601010030"),
        ("%ch", "second"),
    ],
)
def test_every_field_of_the_documentation_is_written(dset: str, name: str) -> None:
    """Here at 2026-01-02 00:30, the second of two daily times."""
    chsub = "chsub 1 1 first\nCHSUB 2 9 second\n"
    found = files(dset.replace(" ", "_"), "2 linear 0:30z1jan2026 1dy", chsub)
    assert list(found)[-1] == name.replace(" ", "_")


@pytest.mark.parametrize(
    ("dset", "tdef", "reason"),
    [
        ("%e", "2 linear 1jan2026 1hr", "its template has the field %e, which isn't checked"),
        ("%fhn", "2 linear 1jan2026 1hr", "its template has the field %fhn, which isn't checked"),
        ("%z9", "2 linear 1jan2026 1hr", "its template has a field that isn't checked"),
        ("%ch", "2 linear 1jan2026 1hr", "its template has no chsub for time 1"),
        ("%y4", "2 linear 31feb2026 1hr", "its tdef line begins at '31feb2026', which is no time"),
        ("%y4", "2 linear now 1hr", "its tdef line begins at 'now', which is no time"),
        ("%y4", "9999 linear 1jan9999 1dy", "its times go beyond the year 9999"),
        ("%y4", "99999 linear 1jan2026 1dy", "its template has times that aren't checked"),
    ],
)
def test_a_template_of_another_form_is_refused_with_a_reason(dset: str, tdef: str, reason: str) -> None:
    """The reason goes into the report unchanged."""
    with pytest.raises(DescriptorError, match=f"^{re.escape(reason)}$"):
        files(dset, tdef)


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("12:45z25SEP2026", "2026-09-25T12:45:00"),
        ("06Z1jan99", "1999-01-01T06:00:00"),
        ("jan49", "2049-01-01T00:00:00"),
        ("29feb2024", "2024-02-29T00:00:00"),
    ],
)
def test_a_first_time_may_leave_out_all_but_month_and_year(written: str, moment: str) -> None:
    """A year of two digits is one from 1950 to 2049."""
    assert Times(2, written.lower(), "1hr").first.isoformat() == moment


def test_the_steps_of_one_file_are_those_within_the_day() -> None:
    """From the minute in the descriptor's name."""
    assert Times.parse(24, ["linear", "x", "1hr"]).minutes(0, 1440) == set(range(0, 1440, 60))
    assert Times.parse(4, ["LINEAR", "x", "30MN"]).minutes(1380, 1440) == {1380, 1410}
    assert Times.parse(1, ["linear", "x", "1mo"]).minutes(60, 1440) == {60}


@pytest.mark.parametrize("words", [[], ["linear"], ["linear", "1jan2026"], ["levels", "1", "2"]])
def test_a_line_without_its_three_words_is_refused(words: list[str]) -> None:
    """Something was cut off."""
    with pytest.raises(TimesError, match="isn't 'linear' with a first time and a step"):
        Times.parse(1, words)
