"""Hostile names: whatever they contain is shown as text and has no effect."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.report import GenerationNote, Report, render_html, render_text
from include.text import visible
from tests.include.report.sample_items import (
    OF_VMS,
    copied,
    imaged,
    report,
    row,
    safe,
    space,
    vm,
    weekly,
)

NASTY = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "' onmouseover='alert(1)",
    "]]><!--",
    "{{ 7 * 7 }}{% raw %}",
    "%s%(x)d%n",
    "&lt;b&gt;&amp;",
    "Subject: x\r\nBcc: all@institute.example",
    "\x1b]0;title\x07\x1b[2J",
    "\u202egnp.exe\u2066",
    "bad\udcff\udc80name",
    "\ud83d alone",
    "\0",
    "\u2028\u2029\x85\x0c",
)

HOSTILE = st.sampled_from(NASTY) | st.text(st.characters(exclude_categories=()))


class _Shape(HTMLParser):
    """Collect a page's elements, with the names of their attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, ...]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Add the element."""
        self.elements.append((tag, *(name for name, _ in attrs)))

    def handle_comment(self, data: str) -> None:
        """Add the comment, which only Outlook reads."""
        self.elements.append(("comment", data))

    def handle_data(self, data: str) -> None:
        """Add the text."""
        self.text += data


def _full_of(text: str) -> Report:
    return report(
        copied(text, own=True, reason=text, verification=text, warnings=(text,)),
        safe("2026-267", reason=text),
        title=text,
        institute=text,
        space=space(path=text),
        removed=(GenerationNote(name=text, reason=text),),
        needs_action=(text,),
        archive=text,
        verification_command=text,
        run_url=f"https://airflow.example/{text}",
    )


def _vms_full_of(text: str) -> Report:
    down = {"method": text, "was": "running", "downtime_s": 75, "budget_s": 60}
    return weekly(
        imaged(
            text,
            downtime=down,
            reason=text,
            verification=text,
            evidence=text,
            warnings=(text,),
            left_out=(text,),
        ),
        *(vm(text, outcome, reason=text) for outcome in OF_VMS),
        generations=(row(text), row(text, "failed")),
        space=space(path=text),
        removed=(GenerationNote(name=text, reason=text),),
        needs_action=(text,),
        verification_command=text,
    )


FULL_OF = {"days": _full_of, "vms": _vms_full_of}
HARMLESS = {kind: _Shape(render_html(full_of("harmless"))).elements for kind, full_of in FULL_OF.items()}


@given(st.sampled_from(list(FULL_OF)), HOSTILE)
@settings(deadline=None)
def test_no_text_from_outside_becomes_an_element_or_an_attribute(kind: str, text: str) -> None:
    """The page has the same elements as with harmless names, and shows each text as text."""
    page = _Shape(render_html(FULL_OF[kind](text)))
    assert page.elements == HARMLESS[kind]
    assert page.text.count(visible(text)) >= 9


@given(st.sampled_from(list(FULL_OF)), HOSTILE)
@settings(deadline=None)
def test_the_output_is_valid_utf_8_without_control_characters(kind: str, text: str) -> None:
    """Neither terminals nor mail clients nor mail servers get control sequences."""
    hostile = FULL_OF[kind](text)
    for part in (render_html(hostile), render_text(hostile)):
        assert part.encode().decode() == part
        # The line breaks are the templates' own.
        assert [sign for sign in part if not sign.isprintable() and sign != "\n"] == []


@pytest.mark.parametrize("text", NASTY)
def test_a_name_cannot_add_a_line_to_the_text(text: str) -> None:
    """A forged heading or result would need its own line."""
    for full_of, headings in ((_full_of, 6), (_vms_full_of, 7)):
        lines = render_text(full_of(text)).splitlines()
        forged = [line for line in lines if re.match(r"(Bcc:|all@)", line)]
        assert forged == []
        assert len([line for line in lines if line.startswith("── ")]) == headings


def test_an_undecodable_byte_keeps_its_value() -> None:
    """So that the file can be found."""
    hostile = report(copied(reason="Check bad\udcffname."))
    assert r"bad\xffname" in render_html(hostile)
    assert r"bad\xffname" in render_text(hostile)
