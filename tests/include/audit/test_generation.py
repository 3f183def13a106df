"""Reading a generation again: every chunk of its images, and every other file."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.audit.generation import ranges, read
from include.machines.generation import PublishedGeneration
from include.vault import Vault
from tests.include.audit.kept import add, cut, flip, lose, no_pace, writable
from tests.include.machine import plain_user, python
from tests.include.machines.machines import IMAGES, lay, record

CHUNK = 1 << 20


@pytest.fixture
def kept(tmp_path: Path) -> PublishedGeneration:
    """A published generation with two disks; vda has a chunk and a part of one."""
    return lay(Vault.create(tmp_path / "vault"))


def test_a_whole_generation_is_proven(kept: PublishedGeneration) -> None:
    """Each byte of it was paid for."""
    paid: list[int] = []
    seen = read(kept, paid.append)
    assert (seen.wrong, seen.oddities) == ((), ())
    assert seen.proof == "SHA-256 of every chunk of 2 disks and of 6 files read back equal"
    small = [kept.file(name).stat().st_size for name in kept.record.names if name != "SHA256SUMS"]
    assert sum(paid) == sum(small)


def first_chunk(kept: PublishedGeneration) -> None:
    """A bit of it."""
    flip(kept.image("vda"), 77)


def last_byte(kept: PublishedGeneration) -> None:
    """Of the last, short chunk."""
    flip(kept.image("vda"), len(IMAGES["vda"]) - 1)


def all_of_it(kept: PublishedGeneration) -> None:
    """A bit of each chunk."""
    first_chunk(kept)
    last_byte(kept)


def chunks_flipped(kept: PublishedGeneration) -> None:
    """The list of chunks; the image is whole."""
    flip(kept.chunks("vda"), kept.chunks("vda").stat().st_size - 1)


def chunks_and_image(kept: PublishedGeneration) -> None:
    """Both."""
    chunks_flipped(kept)
    first_chunk(kept)


def no_chunks(kept: PublishedGeneration) -> None:
    """The list of chunks is gone."""
    lose(kept.chunks("vda"))


def cut_image(kept: PublishedGeneration) -> None:
    """By one byte."""
    cut(kept.image("vda"), len(IMAGES["vda"]) - 1)


def no_image(kept: PublishedGeneration) -> None:
    """It's gone."""
    lose(kept.image("vdb"))


def linked_image(kept: PublishedGeneration) -> None:
    """It lies elsewhere."""
    elsewhere = kept.folder.parent / "vdb.img"
    elsewhere.write_bytes(kept.image("vdb").read_bytes())
    lose(kept.image("vdb"))
    with writable(kept.folder):
        kept.image("vdb").symlink_to(elsewhere)


def strange(kept: PublishedGeneration) -> None:
    """A file that nobody published."""
    add(kept.file("note"))


def definition(kept: PublishedGeneration) -> None:
    """A bit of what isn't a disk."""
    flip(kept.file("domain.xml"), 2)


def a_sum(kept: PublishedGeneration) -> None:
    """A bit of the image's line in SHA256SUMS."""
    text = kept.sums.read_text()
    at = text.index("  vda.img") - 1
    with writable(kept.sums):
        kept.sums.write_text(f"{text[:at]}{'0' if text[at] != '0' else '1'}{text[at + 1 :]}")


def no_sums(kept: PublishedGeneration) -> None:
    """The list is gone."""
    lose(kept.sums)


def cut_record(kept: PublishedGeneration) -> None:
    """Half of it."""
    cut(kept.record_file, 99)


def no_record(kept: PublishedGeneration) -> None:
    """It's gone."""
    lose(kept.record_file)


def anothers_record(kept: PublishedGeneration) -> None:
    """That of another machine."""
    with writable(kept.record_file):
        kept.record_file.write_text(record("maq9").model_dump_json())


FAULTS: list[tuple[Callable[[PublishedGeneration], None], str]] = [
    (first_chunk, "1 chunk of 2 of vda.img isn't as published: bytes 0-1048575."),
    (last_byte, f"1 chunk of 2 of vda.img isn't as published: bytes 1048576-{len(IMAGES['vda']) - 1}."),
    (all_of_it, f"2 chunks of 2 of vda.img aren't as published: bytes 0-{len(IMAGES['vda']) - 1}."),
    (chunks_flipped, "1 file is not as published: 'vda.chunks'. vda.img itself is whole."),
    (chunks_and_image, "'vda.chunks'. 1 file is not as published: 'vda.img'."),
    (no_chunks, "1 file is missing: 'vda.chunks'. vda.img itself is whole."),
    (cut_image, "vda.img has 1,799,999 bytes, and was published with 1,800,000."),
    (no_image, "1 file is missing: 'vdb.img'."),
    (linked_image, "'vdb.img'."),
    (strange, "1 file is there and never published: 'note'."),
    (definition, "1 file is not as published: 'domain.xml'."),
    (a_sum, "SHA256SUMS and its record give vda.img another SHA-256."),
    (no_sums, "Its record or SHA256SUMS can't be read: "),
    (cut_record, "Its record or SHA256SUMS can't be read: "),
    (no_record, "Its record or SHA256SUMS can't be read: "),
    (anothers_record, "Its record is that of 'maq9' at 2026-11-22"),
]


@pytest.mark.parametrize(("spoil", "told"), FAULTS, ids=[spoil.__name__ for spoil, _ in FAULTS])
def test_each_fault_is_found_and_has_its_place(
    kept: PublishedGeneration, spoil: Callable[[PublishedGeneration], None], told: str
) -> None:
    """And is no crash."""
    spoil(kept)
    assert told in " ".join(read(kept, no_pace).wrong)


def test_what_can_be_written_is_odd_and_no_damage(kept: PublishedGeneration) -> None:
    """Its bytes are whole still."""
    kept.image("vda").chmod(0o644)
    seen = read(kept, no_pace)
    assert (seen.wrong, seen.oddities) == ((), ("'vda.img' can be written: chmod a-w.",))


REFUSED = """
import sys
from pathlib import Path
from include.audit.generation import read
from include.machines.generation import Generations
from include.vault import Vault
try:
    read(Generations(Vault(Path(sys.argv[1]))).of("maq1")[0], lambda count: None)
except PermissionError:
    print("refused")
"""


@pytest.mark.parametrize("name", ["vda.img", "vda.chunks", "SHA256SUMS", "record.json"])
def test_what_this_user_may_not_read_is_no_damage(kept: PublishedGeneration, name: str) -> None:
    """It isn't known."""
    kept.file(name).chmod(0)
    assert python(REFUSED, str(kept.vault_root), prefix=plain_user()) == "refused\n"


@given(st.sets(st.integers(0, 50)))
def test_ranges_are_the_same_numbers_put_together(numbers: set[int]) -> None:
    """None is lost, none is added, and no two ranges touch."""
    found = ranges(sorted(numbers))
    assert [number for one in found for number in one] == sorted(numbers)
    assert all(one.stop < other.start for one, other in pairwise(found))
