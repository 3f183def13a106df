"""A scrub of a vault, against bare reading and hashing of the same files on all cores."""

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import patch

from bench.row import Row, in_turn, timed
from include.scrub.backups import in_vault
from include.scrub.priority import in_background
from include.scrub.scrubber import Scrubber
from include.scrub.throttle import Throttle
from include.vault.vault import Vault
from tests.include.scrub.sample_backups import day
from tests.include.vms import sample_vms

BLOCK_BYTES, PIECE_BYTES = 1 << 20, 64 << 20
DAY_FILES, FILE_BYTES = 24, 18_000_000
IMAGE_BYTES = 512 << 20
LIMIT = 1 / 0.8  # at least 80 % of the speed


def rows(scratch: Path, rounds: int) -> Iterator[Row]:
    """Measure the scrub of a day and of an image."""
    against = "reading and hashing on all cores"
    noise = os.urandom(FILE_BYTES)
    contents = {f"step{number}": bytes([number]) + noise[1:] for number in range(DAY_FILES)}
    vault = Vault.create(scratch / "days")
    kept = day(vault, contents)
    took = _measured(vault, sorted(kept.folder.iterdir()), rounds)
    yield Row("24 files of 18 MB: read again, verified", took["ours"], against, took["bare"], LIMIT)

    vault = Vault.create(scratch / "images")
    with patch.object(sample_vms, "IMAGES", {"vda": os.urandom(IMAGE_BYTES)}):
        image = sample_vms.lay(vault)
    took = _measured(vault, [image.image("vda")], rounds)
    yield Row("an image of 512 MiB: read again, verified", took["ours"], against, took["bare"], LIMIT)


def _measured(vault: Vault, files: list[Path], rounds: int) -> dict[str, float]:
    os.sync()
    actions = {"ours": lambda: _ours(vault), "bare": lambda: _bare(files)}
    measured = {name: timed(action, lambda: _drop_cache(files)) for name, action in actions.items()}
    return in_turn(measured, rounds)


def _ours(vault: Vault) -> None:
    throttle = Throttle(None)
    reader = Scrubber(vault, "bench", throttle.take)
    readings = in_background(lambda: [reader.read(backup) for backup in in_vault(vault)], throttle.stop)
    if [reading.result for reading in readings if reading] != ["passed"]:
        raise AssertionError(f"Nothing was measured: {readings}")


def _bare(files: list[Path]) -> None:
    """Read and hash in pieces of 64 MiB, each on the next free core."""
    pieces = [(file, piece) for file in files for piece in _pieces(file)]
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        list(threads.map(_hash, pieces))


def _pieces(file: Path) -> Iterator[range]:
    size = file.stat().st_size
    for first in range(0, size, PIECE_BYTES):
        yield range(first, min(first + PIECE_BYTES, size))


def _hash(piece: tuple[Path, range]) -> str:
    digest, block = hashlib.sha256(), bytearray(BLOCK_BYTES)
    with piece[0].open("rb", buffering=0) as file:
        file.seek(piece[1].start)
        left = len(piece[1])
        while left > 0 and (count := file.readinto(block)):
            digest.update(memoryview(block)[:count])
            left -= count
    return digest.hexdigest()


def _drop_cache(files: list[Path]) -> None:
    """Drop the files from the page cache."""
    for file in files:
        with file.open("rb") as opened:
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
