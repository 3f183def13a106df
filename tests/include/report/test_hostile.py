"""Names are chosen by others: whatever they hold, it is shown and does nothing."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.report import Removed, Report, render_html, render_text
from include.wording import visible
from tests.include.report.facts import (
    OF_MACHINES,
    copied,
    imaged,
    machine,
    report,
    row,
    safe,
    space,
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
    """Reads a page's elements with the names of their attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, ...]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the element."""
        self.elements.append((tag, *(name for name, _ in attrs)))

    def handle_comment(self, data: str) -> None:
        """Note the comment, which only Outlook reads."""
        self.elements.append(("comment", data))

    def handle_data(self, data: str) -> None:
        """Keep the text."""
        self.text += data


def _full_of(text: str) -> Report:
    return report(
        copied(text, own=True, reason=text, proof=text, warnings=(text,)),
        safe("2026-267", reason=text),
        title=text,
        institute=text,
        space=space(path=text),
        removed=(Removed(name=text, reason=text),),
        needs_person=(text,),
        archive=text,
        proof_command=text,
        run_url=f"https://airflow.example/{text}",
    )


def _machines_full_of(text: str) -> Report:
    still = {"method": text, "was": "running", "downtime_s": 75, "budget_s": 60}
    return weekly(
        imaged(text, standstill=still, reason=text, proof=text, evidence=text, warnings=(text,)),
        *(machine(text, outcome, reason=text) for outcome in OF_MACHINES),
        generations=(row(text), row(text, "failed")),
        space=space(path=text),
        removed=(Removed(name=text, reason=text),),
        needs_person=(text,),
        proof_command=text,
    )


FULL_OF = {"days": _full_of, "machines": _machines_full_of}
HARMLESS = {kind: _Shape(render_html(full_of("harmless"))).elements for kind, full_of in FULL_OF.items()}


@given(st.sampled_from(list(FULL_OF)), HOSTILE)
@settings(deadline=None)
def test_no_text_from_outside_becomes_an_element_or_an_attribute(kind: str, text: str) -> None:
    """The page has the shape that it has with harmless names, and shows each text as text."""
    page = _Shape(render_html(FULL_OF[kind](text)))
    assert page.elements == HARMLESS[kind]
    assert page.text.count(visible(text)) >= 9


@given(st.sampled_from(list(FULL_OF)), HOSTILE)
@settings(deadline=None)
def test_the_output_is_always_valid_utf_8_without_control_characters(kind: str, text: str) -> None:
    """No terminal, mail client or mail server is told anything but letters."""
    given_facts = FULL_OF[kind](text)
    for whole in (render_html(given_facts), render_text(given_facts)):
        assert whole.encode().decode() == whole
        # The line break is the renderings' own, and so are the entities for blanks in the HTML.
        assert [sign for sign in whole if not sign.isprintable() and sign != "\n"] == []


@pytest.mark.parametrize("text", NASTY)
def test_a_name_cannot_add_a_line_to_the_text(text: str) -> None:
    """A forged heading or verdict would need one."""
    for full_of, headings in ((_full_of, 6), (_machines_full_of, 7)):
        lines = render_text(full_of(text)).splitlines()
        forged = [line for line in lines if re.match(r"(Bcc:|all@)", line)]
        assert forged == []
        assert len([line for line in lines if line.startswith("── ")]) == headings


def test_an_undecodable_byte_keeps_its_value() -> None:
    """So that the file can be found."""
    given_facts = report(copied(reason="Look at bad\udcffname."))
    assert r"bad\xffname" in render_html(given_facts)
    assert r"bad\xffname" in render_text(given_facts)
