"""The mark of a VM that a restore made beside its original, in the metadata of its definition.

    <metadata>
      <inpe-backup:copy xmlns:inpe-backup="urn:inpe-backup" generation="2026-11-22T05-00-03Z">maq1-copy</...>
    </metadata>

libvirt keeps it for as long as the VM is defined. The text is the name that the restore gave the copy, under
which alone the mark counts: a copy that takes the original's place (virsh domrename) is a VM like any other.
"""

from __future__ import annotations

import copy
import xml.etree.ElementTree as ET

_NAMESPACE = "urn:inpe-backup"
_MARK = f"{{{_NAMESPACE}}}copy"
_UNKNOWN = "unknown"

ET.register_namespace("inpe-backup", _NAMESPACE)


def generation_of_copy(domain: ET.Element) -> str | None:
    """Return the generation that a VM is a copy of; None if it isn't one."""
    found = [mark for mark in _marks(domain) if (mark.text or "") == domain.findtext("name", "")]
    return found[0].get("generation") or _UNKNOWN if found else None


def mark_copy(domain: ET.Element, generation: str) -> None:
    """Mark a VM as a copy of a generation."""
    mark = ET.SubElement(_metadata(domain), _MARK, generation=generation)
    mark.text = domain.findtext("name", "")


def take_marks(domain: ET.Element, own: ET.Element | None) -> None:
    """Replace a definition's marks by those of the host's own definition of the VM, if there is one.

    A mark in the vault may come from another host, and must not keep a VM out of this one's backups.
    """
    for metadata in domain.findall("metadata"):
        for mark in metadata.findall(_MARK):
            metadata.remove(mark)
    for mark in _marks(own) if own is not None else []:
        _metadata(domain).append(copy.deepcopy(mark))


def _marks(domain: ET.Element) -> list[ET.Element]:
    return [mark for metadata in domain.findall("metadata") for mark in metadata.findall(_MARK)]


def _metadata(domain: ET.Element) -> ET.Element:
    found = domain.find("metadata")
    return ET.SubElement(domain, "metadata") if found is None else found
