"""The mark of a copy that a restore made: which VMs have it, and whose it is."""

import xml.etree.ElementTree as ET

import pytest

from include.agent.copy_mark import generation_of_copy
from include.agent.domain import Domain
from tests.include.agent.boot_test.test_definition import vm
from tests.include.agent.restore.test_definition import OWN_DISK, restored

GENERATION = "2026-11-22T05-00-03Z"
MARK = '<c:copy xmlns:c="urn:inpe-backup" generation="{}">{}</c:copy>'


def marked(name: str, generation: str = GENERATION) -> str:
    """Return the definition of a VM that has the mark of a copy of that name."""
    return vm(OWN_DISK, rest=f"<metadata>{MARK.format(generation, name)}</metadata>")


NAME = Domain(vm(OWN_DISK)).name


def test_a_restore_beside_the_original_marks_the_copy() -> None:
    """With the generation that it was made of; in place, nothing is marked."""
    beside = restored(vm(OWN_DISK), in_place=False)
    assert Domain(beside.xml).copy_of == GENERATION
    assert beside.warnings == []
    assert Domain(restored(vm(OWN_DISK)).xml).copy_of is None
    assert "metadata" not in restored(vm(OWN_DISK)).xml


def test_the_mark_is_beside_what_else_is_in_the_metadata() -> None:
    """Libosinfo's stays."""
    system = (
        '<l:libosinfo xmlns:l="http://libosinfo.org/xmlns/libvirt/domain/1.0"><l:os id="x"/></l:libosinfo>'
    )
    found = restored(vm(OWN_DISK, rest=f"<metadata>{system}</metadata>"), in_place=False).xml
    [metadata] = ET.fromstring(found).findall("metadata")  # noqa: S314 - made here
    assert [child.tag.split("}")[1] for child in metadata] == ["libosinfo", "copy"]


def test_a_copy_that_takes_the_originals_place_is_a_vm_like_others() -> None:
    """``virsh domrename`` keeps the metadata; the mark has the name that the restore gave."""
    assert Domain(marked("maq1-copy")).copy_of is None
    assert Domain(marked(NAME)).copy_of == GENERATION


def test_a_mark_in_the_vault_marks_nothing() -> None:
    """Another host may have written it, to keep a VM out of this one's backups."""
    found = restored(marked(NAME))
    assert Domain(found.xml).copy_of is None
    assert "urn:inpe-backup" not in found.xml
    assert found.warnings == []
    beside = restored(marked(NAME, "2020-01-05T05-00-03Z"), in_place=False)
    assert (Domain(beside.xml).copy_of, beside.warnings) == (GENERATION, [])


def test_a_copy_that_is_restored_in_place_stays_one() -> None:
    """Its host's own definition has the mark, whichever the vault has."""
    own = marked(NAME)
    for backed_up in (own, vm(OWN_DISK), marked(NAME, "2020-01-05T05-00-03Z")):
        found = restored(backed_up, own)
        assert (Domain(found.xml).copy_of, found.warnings) == (GENERATION, [])


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ("", None),
        ("<metadata/>", None),
        ("<metadata><copy>{name}</copy></metadata>", None),
        ('<metadata><c:copy xmlns:c="urn:other">{name}</c:copy></metadata>', None),
        ('<metadata><c:copy xmlns:c="urn:inpe-backup">{name}</c:copy></metadata>', "unknown"),
        ('<metadata><c:copy xmlns:c="urn:inpe-backup"/></metadata>', None),
        ('<devices><c:copy xmlns:c="urn:inpe-backup">{name}</c:copy></devices>', None),
        (f"<metadata>{MARK.format('a', 'x')}{MARK.format('b', '{name}')}</metadata>", "b"),
    ],
)
def test_only_our_mark_in_the_metadata_counts(metadata: str, expected: str | None) -> None:
    """With a generation or without."""
    domain = ET.fromstring(f"<domain><name>maq1</name>{metadata.format(name='maq1')}</domain>")  # noqa: S314
    assert generation_of_copy(domain) == expected
