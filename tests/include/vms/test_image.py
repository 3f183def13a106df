"""Verification of images: every bad chunk is found, on the disk itself, and holes aren't read."""

import hashlib
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.agent.bitmap import Bitmap
from include.errors import VaultError
from include.vms.chunks import CHUNK_BYTES, Chunks
from include.vms.image import ImageVerification, bad_chunks, data_ranges, read_back
from tests.include.project_process import python
from tests.session.needs import disk_mounts, program

KIB = 1 << 10


def write(path: Path, content: dict[int, bytes], size: int) -> Path:
    """Make a sparse image with data at some offsets."""
    with path.open("wb") as file:
        for at, written in content.items():
            file.seek(at)
            file.write(written)
        file.truncate(size)
    return path


def hashed(image: Path, chunk_bytes: int = CHUNK_BYTES) -> Chunks:
    """Return the chunks of an image, computed simply."""
    content = image.read_bytes()
    blocks = [content[at : at + chunk_bytes] for at in range(0, len(content), chunk_bytes)]
    digests = bytearray().join(hashlib.sha256(block).digest() for block in blocks)
    return Chunks(len(content), chunk_bytes, digests)


def spoil(image: Path, *places: int) -> None:
    """Flip a bit at each offset."""
    with image.open("r+b") as file:
        for place in places:
            file.seek(place)
            (byte,) = file.read(1)
            file.seek(place)
            file.write(bytes([byte ^ 1]))


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """An image of 9 chunks and a half: random data, a hole, written zeros, and data to the end."""
    noise = {0: os.urandom(2 * CHUNK_BYTES + 5), 6 * CHUNK_BYTES: bytes(CHUNK_BYTES)}
    end = {7 * CHUNK_BYTES + 4096: os.urandom(CHUNK_BYTES), 9 * CHUNK_BYTES + 100: b"end"}
    return write(tmp_path / "vda.img", noise | end, 9 * CHUNK_BYTES + CHUNK_BYTES // 2)


def test_an_undamaged_image_is_verified_and_its_sha256_returned(image: Path) -> None:
    """The same that sha256sum prints."""
    printed = subprocess.run(["sha256sum", image], capture_output=True, text=True, check=True).stdout
    assert read_back(image, hashed(image)) == ImageVerification(Bitmap(10), printed.split()[0])


def test_each_bad_chunk_is_found(image: Path) -> None:
    """The first one, one in the hole, and the short last one; a single bit is enough."""
    chunks = hashed(image)
    spoil(image, 3, 4 * CHUNK_BYTES + 77, 9 * CHUNK_BYTES + CHUNK_BYTES // 2 - 1)
    assert list(read_back(image, chunks).bad) == [0, 4, 9]


def test_a_scrub_finds_the_same_bad_chunks_and_reports_what_it_reads(image: Path) -> None:
    """Holes aren't read, and the last chunk counts its own size."""
    chunks, paced = hashed(image), list[int]()
    assert not bad_chunks(image, chunks, paced.append)
    assert sorted(paced) == [CHUNK_BYTES // 2] + [CHUNK_BYTES] * (len(paced) - 1)
    assert sum(paced) < image.stat().st_size
    spoil(image, 3, 4 * CHUNK_BYTES + 77, 9 * CHUNK_BYTES + CHUNK_BYTES // 2 - 1)
    assert list(bad_chunks(image, chunks, paced.append)) == list(read_back(image, chunks).bad) == [0, 4, 9]
    os.truncate(image, 5)
    with pytest.raises(VaultError, match="has 5 bytes"):
        bad_chunks(image, chunks, paced.append)


def test_data_that_became_a_hole_are_bad(image: Path) -> None:
    """As after a lost write."""
    chunks = hashed(image)
    subprocess.run(["fallocate", "-p", "-o", str(CHUNK_BYTES), "-l", str(CHUNK_BYTES), image], check=True)
    assert list(read_back(image, chunks).bad) == [1]


def test_a_chunk_without_a_known_digest_is_bad(image: Path) -> None:
    """Even where it is a hole."""
    assert list(read_back(image, Chunks.unknown(image.stat().st_size)).bad) == list(range(10))


@pytest.mark.parametrize("size", [0, 1, 511, 512, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1])
def test_a_disk_of_any_size_is_read_to_its_last_byte(tmp_path: Path, size: int) -> None:
    """A file need not consist of whole sectors."""
    image = write(tmp_path / "vda.img", {0: os.urandom(size)}, size)
    chunks = hashed(image)
    assert read_back(image, chunks) == ImageVerification(
        Bitmap(chunks.count), hashlib.sha256(image.read_bytes()).hexdigest()
    )
    if size:
        spoil(image, size - 1)
        assert list(read_back(image, chunks).bad) == [chunks.count - 1]


@pytest.mark.parametrize("size", [0, 9 * CHUNK_BYTES, 10 * CHUNK_BYTES])
def test_an_image_of_another_size_is_refused(image: Path, size: int) -> None:
    """Transferring chunks again can't repair that."""
    chunks = hashed(image)
    os.truncate(image, size)
    with pytest.raises(VaultError, match=f"has {size:,} bytes; the VM's disk has 9,961,472"):
        read_back(image, chunks)


def test_an_image_that_is_a_link_is_refused(image: Path) -> None:
    """Publishing would move the link, not the verified file."""
    link = image.with_name("vdb.img")
    link.symlink_to(image)
    with pytest.raises(OSError, match="symbolic links"):
        read_back(link, hashed(image))


def test_holes_are_skipped(tmp_path: Path) -> None:
    """In a terabyte with one byte at its beginning, in its middle and at its end."""
    terabyte = 1 << 40
    image = write(tmp_path / "vda.img", {0: b"a", terabyte // 2: b"b", terabyte - 1: b"c"}, terabyte)
    with image.open("rb") as file:
        found = list(data_ranges(file.fileno(), Chunks(terabyte)))
    middle = terabyte // 2 // CHUNK_BYTES
    assert found == [range(1), range(middle, middle + 1), range(2 * middle - 1, 2 * middle)]


@given(st.binary(max_size=40), st.integers(1, 9), st.sets(st.integers(0, 39)))
def test_the_changed_chunks_of_any_image_are_found(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, chunk_bytes: int, places: set[int]
) -> None:
    """And no others."""
    image = write(tmp_path_factory.getbasetemp() / "any.img", {0: content}, len(content))
    chunks = hashed(image, chunk_bytes)
    changed = {place for place in places if place < len(content)}
    spoil(image, *changed)
    assert list(read_back(image, chunks).bad) == sorted({place // chunk_bytes for place in changed})


CORRUPTED_BELOW = """
import hashlib, subprocess, sys
from pathlib import Path
from include.vms.chunks import Chunks
from include.vms.image import bad_chunks, read_back
folder, chunk_bytes = Path(sys.argv[1]), int(sys.argv[2])
disk, image = folder / "disk", folder / "mnt" / "vda.img"
content = b"backed bytes" * (chunk_bytes // 3)
image.write_bytes(content)
subprocess.run(["sync", "-f", image], check=True)
blocks = [content[at : at + chunk_bytes] for at in range(0, len(content), chunk_bytes)]
chunks = Chunks(len(content), chunk_bytes, bytearray().join(hashlib.sha256(b).digest() for b in blocks))
assert not read_back(image, chunks).bad
assert image.read_bytes() == content  # all of it is in the page cache now
raw = disk.read_bytes()
at = raw.index(content[:4096])
with disk.open("r+b") as file:
    file.seek(at + 100)
    file.write(b"decayed")
assert image.read_bytes() == content  # the page cache is still the same
if sys.argv[3:]:
    print(list(bad_chunks(image, chunks, lambda count: None)))
    sys.exit()
print(list(read_back(image, chunks).bad))
"""


SOME_CHUNKS = """
import subprocess, sys
from pathlib import Path
from include.agent.bitmap import Bitmap
from include.vms.chunks import CHUNK_BYTES, Chunks
from include.vms.image import bad_among
image = Path(sys.argv[1])
image.write_bytes(b"copied" * CHUNK_BYTES)
bad = bad_among(image, Chunks.unknown(image.stat().st_size), Bitmap(6, [3]))
extents = subprocess.run([sys.argv[2], "-v", image], capture_output=True, text=True, check=True).stdout
print(list(bad), "delalloc" in extents)
"""


def mounted(folder: Path, kind: str) -> list[str]:
    """Return the beginning of a command that sees a file system of a kind, ``disk``, mounted as ``mnt``."""
    (folder / "mnt").mkdir()
    with (folder / "disk").open("wb") as file:
        file.truncate(128 << 20)
    subprocess.run([program(f"mkfs.{kind}"), "-q", folder / "disk"], check=True)
    command = 'mount -o loop "$1/disk" "$1/mnt" && shift && exec "$@"'
    return [*disk_mounts(), "sh", "-ec", command, "sh", str(folder)]


@pytest.mark.parametrize("chunk_bytes", [CHUNK_BYTES, 1_000_000])
@pytest.mark.parametrize("scrub", [[], ["scrub"]])
def test_images_are_read_from_the_disk_and_not_from_the_page_cache(
    tmp_path: Path, chunk_bytes: int, scrub: list[str]
) -> None:
    """The disk below a real file system changes, while the page cache has the original data.

    Direct I/O isn't possible with chunks of a million bytes: there, the page cache is dropped.
    """
    prefix = mounted(tmp_path, "ext4")
    assert python(CORRUPTED_BELOW, str(tmp_path), str(chunk_bytes), *scrub, prefix=prefix) == "[0]\n"


@pytest.mark.parametrize(("kind", "waits"), [("ext4", True), ("btrfs", False)])
def test_reading_some_chunks_back_doesnt_flush_the_whole_image(
    *, tmp_path: Path, kind: str, waits: bool
) -> None:
    """A copy of a whole image that isn't on the disk yet can wait, unless reading may not pass the cache."""
    prefix = mounted(tmp_path, kind)
    image, filefrag = str(tmp_path / "mnt" / "vda.img"), program("filefrag")
    assert python(SOME_CHUNKS, image, filefrag, prefix=prefix) == f"[3] {waits}\n"


def test_progress_is_logged(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In percent, megabytes, speed and time left."""
    monkeypatch.setattr("include.vms.progress.PROGRESS_EVERY_S", 0)
    lines: list[str] = []
    read_back(image, hashed(image), lines.append)
    assert len(lines) == 10
    assert lines[4].startswith("vda.img read back: 52 % · 5 MB · ")
    assert lines[-1].endswith(" MB/s · 0.0 s left")
