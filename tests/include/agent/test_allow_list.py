"""Only what a list names is copied, unless a trusted definition has the same."""

import xml.etree.ElementTree as ET

import pytest

from include.agent.allow_list import ANYTHING, AllowList

LIST = {
    "": "type:a|b",
    "name": "text():one|two",
    "box": "size colour=red|blue",
    "box/lid": ANYTHING,
    "rack": "",
    "rack/shelf": "wood:oak",
}


def copied(xml: str, trusted: str | None = None) -> tuple[str, dict[str, int]]:
    """Return the copy as XML, and what was left out."""
    found = AllowList(LIST, {"rack": "shelf"}, ET.fromstring(trusted) if trusted else None)  # noqa: S314
    copy = found.copy(ET.fromstring(xml))  # noqa: S314 - ours
    return ET.tostring(copy, encoding="unicode") if copy is not None else "", found.left_out


@pytest.mark.parametrize(
    ("xml", "copy", "left_out"),
    [
        ("<d><name>one</name></d>", "<d><name>one</name></d>", {}),
        ("<d><name>three</name></d>", "<d />", {"name": 1}),
        ("<d><name /></d>", "<d><name /></d>", {}),
        ("<d type='a' />", '<d type="a" />', {}),
        ("<d type='c'><name>one</name></d>", "", {"": 1}),
        ("<d id='1'><no><name>one</name></no><no /></d>", "<d />", {"@id": 1, "no": 2}),
        ("<d><box size='1' colour='red' /></d>", '<d><box size="1" colour="red" /></d>', {}),
        ("<d><box size='1' colour='grey' /></d>", '<d><box size="1" /></d>', {"box@colour": 1}),
        ("<d><box><lid a='1'><b /></lid></box></d>", '<d><box><lid a="1"><b /></lid></box></d>', {}),
        ("<d><rack><shelf wood='oak' /></rack></d>", '<d><rack><shelf wood="oak" /></rack></d>', {}),
        ("<d><rack><shelf wood='ash' /></rack></d>", "<d />", {"rack/shelf": 1, "rack": 1}),
        (
            "<d xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'><q:commandline /></d>",
            "<d />",
            {"qemu:commandline": 1},
        ),
        (
            "<d xmlns:q='http://evil/domain/1.0'><q:name>one</q:name></d>",
            "<d />",
            {"{http://evil/domain/1.0}name": 1},
        ),
    ],
)
def test_only_what_is_listed_is_copied(xml: str, copy: str, left_out: dict[str, int]) -> None:
    """The rest is counted."""
    assert copied(xml) == (copy, left_out)


def test_what_a_trusted_definition_has_is_kept_whole() -> None:
    """However it's laid out; not if anything in it differs, or if it's elsewhere."""
    trusted = "<d><no a='1' b='2'>\n<x>one</x></no><box><no /></box></d>"
    assert copied("<d><no b='2' a='1'><x>one</x>\n</no></d>", trusted)[1] == {}
    assert copied("<d><no a='1' b='2'><x>two</x></no></d>", trusted)[1] == {"no": 1}
    assert copied("<d><no /></d>", trusted)[1] == {"no": 1}
    assert copied("<d><box size='1'><no /></box></d>", trusted)[1] == {}
