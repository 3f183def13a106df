"""Reading a generation again checks every chunk of its images and every other file."""

from collections.abc import Callable
from pathlib import Path

import pytest

from include.scrub.vm import read
from include.vault.vault import Vault
from include.vms.archive import PublishedVm
from tests.include.project_process import python
from tests.include.scrub.sample_backups import add, cut, flip, lose, no_pace, writable
from tests.include.vms.sample_vms import IMAGES, lay, record
from tests.session.needs import plain_user

CHUNK = 1 << 20


@pytest.fixture
def published(tmp_path: Path) -> PublishedVm:
    """A published generation with two disks; vda has one and a half chunks."""
    return lay(Vault.create(tmp_path / "vault"))


def test_an_intact_generation_is_verified(published: PublishedVm) -> None:
    """Every byte counts for the rate limit."""
    counted: list[int] = []
    found = read(published, counted.append)
    assert (found.damage, found.warnings) == ((), ())
    read_back = "SHA-256 of every chunk of 2 disks and of 6 files read back equal to those recorded"
    assert found.verification == read_back
    small = [published.file(name).stat().st_size for name in published.record.names if name != "SHA256SUMS"]
    assert sum(counted) == sum(small)


def first_chunk(published: PublishedVm) -> None:
    """Flip a bit of the first chunk."""
    flip(published.image("vda"), 77)


def last_byte(published: PublishedVm) -> None:
    """Flip a bit of the last, short chunk."""
    flip(published.image("vda"), len(IMAGES["vda"]) - 1)


def all_of_it(published: PublishedVm) -> None:
    """Flip a bit of each chunk."""
    first_chunk(published)
    last_byte(published)


def chunks_flipped(published: PublishedVm) -> None:
    """Flip a bit of the list of chunks."""
    flip(published.chunks("vda"), published.chunks("vda").stat().st_size - 1)


def chunks_and_image(published: PublishedVm) -> None:
    """Flip a bit of both."""
    chunks_flipped(published)
    first_chunk(published)


def no_chunks(published: PublishedVm) -> None:
    """Remove the list of chunks."""
    lose(published.chunks("vda"))


def cut_image(published: PublishedVm) -> None:
    """Truncate an image by one byte."""
    cut(published.image("vda"), len(IMAGES["vda"]) - 1)


def no_image(published: PublishedVm) -> None:
    """Remove an image."""
    lose(published.image("vdb"))


def linked_image(published: PublishedVm) -> None:
    """Replace an image by a link to a copy."""
    elsewhere = published.folder.parent / "vdb.img"
    elsewhere.write_bytes(published.image("vdb").read_bytes())
    lose(published.image("vdb"))
    with writable(published.folder):
        published.image("vdb").symlink_to(elsewhere)


def unexpected(published: PublishedVm) -> None:
    """Add a file."""
    add(published.file("note"))


def definition(published: PublishedVm) -> None:
    """Flip a bit of the definition."""
    flip(published.file("domain.xml"), 2)


def a_sum(published: PublishedVm) -> None:
    """Change the image's line in SHA256SUMS."""
    text = published.sums.read_text()
    at = text.index("  vda.img") - 1
    with writable(published.sums):
        published.sums.write_text(f"{text[:at]}{'0' if text[at] != '0' else '1'}{text[at + 1 :]}")


def no_sums(published: PublishedVm) -> None:
    """Remove SHA256SUMS."""
    lose(published.sums)


def cut_record(published: PublishedVm) -> None:
    """Truncate the record."""
    cut(published.record_file, 99)


def no_record(published: PublishedVm) -> None:
    """Remove the record."""
    lose(published.record_file)


def anothers_record(published: PublishedVm) -> None:
    """Put another VM's record in its place."""
    with writable(published.record_file):
        published.record_file.write_text(record("maq9").model_dump_json())


FAULTS: list[tuple[Callable[[PublishedVm], None], str]] = [
    (first_chunk, "1 chunk of 2 of vda.img isn't as published: bytes 0-1048575."),
    (last_byte, f"1 chunk of 2 of vda.img isn't as published: bytes 1048576-{len(IMAGES['vda']) - 1}."),
    (all_of_it, f"2 chunks of 2 of vda.img aren't as published: bytes 0-{len(IMAGES['vda']) - 1}."),
    (chunks_flipped, "1 file is not as published: 'vda.chunks'. vda.img itself is intact."),
    (chunks_and_image, "'vda.chunks'. 1 file is not as published: 'vda.img'."),
    (no_chunks, "1 file is missing: 'vda.chunks'. vda.img itself is intact."),
    (cut_image, "1 file is shorter than published: 'vda.img'."),
    (no_image, "1 file is missing: 'vdb.img'."),
    (linked_image, "'vdb.img'."),
    (unexpected, "1 file is unexpected: 'note'."),
    (definition, "1 file is not as published: 'domain.xml'."),
    (a_sum, "SHA256SUMS and the record disagree about vda.img."),
    (no_sums, "Its record or SHA256SUMS can't be read: "),
    (cut_record, "Its record or SHA256SUMS can't be read: "),
    (no_record, "Its record or SHA256SUMS can't be read: "),
    (anothers_record, "Its record belongs to 'maq9' 2026-11-22T05-00-03Z."),
]


@pytest.mark.parametrize(("spoil", "message"), FAULTS, ids=[spoil.__name__ for spoil, _ in FAULTS])
def test_each_fault_is_found_and_located(
    published: PublishedVm, spoil: Callable[[PublishedVm], None], message: str
) -> None:
    """None makes the scrub crash."""
    spoil(published)
    assert message in " ".join(read(published, no_pace).damage)


def test_writable_files_are_a_warning_and_no_damage(published: PublishedVm) -> None:
    """Their content is intact."""
    published.image("vda").chmod(0o644)
    found = read(published, no_pace)
    assert (found.damage, found.warnings) == ((), ("'vda.img' should be read-only. Run chmod a-w.",))


REFUSED = """
import sys
from pathlib import Path
from include.scrub.vm import read
from include.vms.archive import VmArchive
from include.vault.vault import Vault
try:
    read(VmArchive(Vault(Path(sys.argv[1]))).of("maq1")[0], lambda count: None)
except PermissionError:
    print("refused")
"""


@pytest.mark.parametrize("name", ["vda.img", "vda.chunks", "SHA256SUMS", "record.json"])
def test_a_file_that_this_user_may_not_read_isnt_damage(published: PublishedVm, name: str) -> None:
    """Its content is unknown."""
    published.file(name).chmod(0)
    assert python(REFUSED, str(published.vault_root), prefix=plain_user()) == "refused\n"
