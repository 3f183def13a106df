"""Copy a domain's XML, but only what an allow-list names (libvirt's "Domain XML format").

A list has the attributes that stay, by the path of an element. An element that it doesn't name is left out,
with all below it. Each word of the attributes is one of:

    name          with any value
    name=a|b      with these values only; with another, the attribute is left out
    name:a|b      with these values only; with another, the element is left out

The attribute ``text()`` is the element's text. ``ANYTHING`` keeps an element with all below it.
"""

from __future__ import annotations

import copy
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from typing import Any

ANYTHING = "*"
_WORD = re.compile(r"(?P<name>[^=:]+)(?:(?P<kind>[=:])(?P<values>.*))?")
_PREFIXES = {
    "{http://libvirt.org/schemas/domain/qemu/1.0}": "qemu:",
    "{http://libosinfo.org/xmlns/libvirt/domain/1.0}": "libosinfo:",
}


class AllowList:
    """An allow-list; it notes what it leaves out.

    Args:
        attributes: the words, by path, such as ``devices/disk``; the root's path is empty.
        needed: the child without which an element is left out, too, by the element's path.
        trusted: a definition whose elements are all kept, with all below them, if they are the same.
    """

    def __init__(
        self,
        attributes: Mapping[str, str],
        needed: Mapping[str, str],
        trusted: ET.Element | None = None,
    ) -> None:
        self._attributes = attributes
        self._needed = needed
        self._trusted = set(_keys(trusted, "")) if trusted is not None else set()
        self.left_out: dict[str, int] = {}

    def trusts(self, element: ET.Element, path: str) -> bool:
        """Return whether the trusted definition has the same element."""
        return (path, _key(element)) in self._trusted

    def copy(self, element: ET.Element, path: str = "") -> ET.Element | None:
        """Return a copy of what is allowed of an element; None if the element itself isn't."""
        words = self._attributes.get(path)
        if self.trusts(element, path) or words == ANYTHING:
            return copy.deepcopy(element)
        if words is None or not (new := self._copied(element, path, words)):
            self.note(path)
            return None
        return new[0]

    def note(self, path: str) -> None:
        """Note that something is left out."""
        self.left_out[path] = self.left_out.get(path, 0) + 1

    def _copied(self, element: ET.Element, path: str, words: str) -> list[ET.Element]:
        """Return the copy, or nothing if the element is to be left out."""
        rules = _rules(words)
        if any(kind == ":" and not _fits(element, name, values) for name, (kind, values) in rules.items()):
            return []
        new = ET.Element(element.tag)
        new.text = element.text
        for name, value in element.attrib.items():
            if name in rules and _fits(element, name, rules[name][1]):
                new.set(name, value)
            else:
                self.note(f"{path}@{name}")
        for child in element:
            kept = self.copy(child, below(path, child))
            if kept is not None:
                new.append(kept)
            elif child.tag == self._needed.get(path):
                return []
        return [new]


def below(path: str, child: ET.Element) -> str:
    """Return the path of a child: ``devices/disk``, or ``qemu:commandline`` if it has a namespace."""
    tag = child.tag
    for namespace, prefix in _PREFIXES.items():
        tag = tag.replace(namespace, prefix)
    return f"{path}/{tag}" if path else tag


def _rules(words: str) -> dict[str, tuple[str, list[str]]]:
    found = [_WORD.fullmatch(word) for word in words.split()]
    return {
        match["name"]: (match["kind"] or "", match["values"].split("|") if match["kind"] else [])
        for match in found
        if match
    }


def _fits(element: ET.Element, name: str, values: list[str]) -> bool:
    value = (element.text or "").strip() or None if name == "text()" else element.get(name)
    return value is None or not values or value in values


def _key(element: ET.Element) -> Any:
    """Return what equal elements have in common, however they are laid out."""
    attributes = tuple(sorted(element.attrib.items()))
    return element.tag, attributes, (element.text or "").strip(), tuple(_key(child) for child in element)


def _keys(element: ET.Element, path: str) -> Iterator[tuple[str, Any]]:
    for child in element:
        yield below(path, child), _key(child)
        yield from _keys(child, below(path, child))
