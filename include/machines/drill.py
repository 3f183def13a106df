"""One drill: a machine booted from a generation's images at its host, and what was found kept beside it.

2026-11-22T05-00-03Z.proofs    a line more
.png       its screen, at the end of the last drill
"""

import base64
import io
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, NonNegativeFloat

from include.errors import (
    ConfigError,
    HostError,
    MachineNotPossibleError,
    SourceRefusedError,
    VaultError,
)
from include.facts import Facts
from include.machines import lent
from include.machines.chunks import Chunks
from include.machines.drill_section import DrillSection
from include.machines.generation import Generations, PublishedGeneration
from include.machines.host import Host
from include.machines.image import read_back
from include.proofs import Found
from include.report import Item, Outcome, State

WIDEST, PICTURE_MOST = 640, 32 << 20  # pixels; bytes of a screen as the host sends it
_DEFINITION, _NVRAM = "domain.xml", "nvram.fd"
_SHOWN = 5  # drills in the trend


def _decoded(text: object) -> object:
    return base64.b64decode(text, validate=True) if isinstance(text, str) else text


class Seen(Facts):
    """What the host saw of a machine that was booted.

    Args:
        booted: whether all signs were seen that were asked for.
        how: what was seen, or missing, as a sentence.
        seconds: from the beginning of the drill until then.
        picture: its screen, as PPM or PNG.
    """

    booted: bool
    how: str
    seconds: NonNegativeFloat
    picture: Annotated[bytes | None, BeforeValidator(_decoded)]


@dataclass(frozen=True)
class MachineDrill:
    """A drill of one generation.

    Args:
        generations: the vault's machines.
        generation: which one.
        section: how, as the site file says.
        host: opens the way to a host by its connection.
        run: the run that does it.
        say: told how far it is.
    """

    generations: Generations
    generation: PublishedGeneration
    section: DrillSection
    host: Callable[[str], Host]
    run: str
    say: Callable[[str], None]

    def do(self) -> Item:
        """Boot it, prove that its images didn't change, and keep what was found.

        Raises:
            NotYetError: somebody else is at the machine, or at its host.
            PassingError: the host can't be reached; another try may help.
            VaultError: what was found can't be kept.
        """
        before = self._before()
        with self.generations.hold(self.generation.machine):
            picture, found = self._found()
            if picture:
                self._keep(picture)
            self.generation.proofs.append(found)
        return self._item(found, before, pictured=bool(picture))

    @property
    def picture(self) -> Path:
        """Where its screen is kept."""
        return picture_of(self.generation)

    def _found(self) -> tuple[bytes | None, Found]:
        began = time.monotonic()
        try:
            seen = self._boot()
        except (ConfigError, HostError, MachineNotPossibleError, SourceRefusedError, VaultError) as why:
            return None, self._of("not checked", str(why), time.monotonic() - began)
        changed = self._changed()
        result: Literal["passed", "failed"] = "passed" if seen.booted and not changed else "failed"
        how = " ".join([seen.how, *changed]) if changed else f"{seen.how} Its images are unchanged."
        return seen.picture, self._of(result, how, seen.seconds)

    def _boot(self) -> Seen:
        if not self.section.proof.asked:
            raise ConfigError(
                "The site file says nothing of what proves that it booted. Name a text on its serial "
                "console, its guest agent, or its screen (machines.drill.proof)."
            )
        host, record = self.host(self.generation.record.host), self.generation.record
        files = [name for name in (_NVRAM,) if name in record.files]
        proof = {**self.section.proof.model_dump(), "timeout_s": self.section.timeout_s}
        request = {
            "definition": self._read(_DEFINITION).decode("utf-8", "replace"),
            "files": {name: base64.b64encode(self._read(name)).decode() for name in files},
            "proof": proof,
            "memory_max_bytes": int(self.section.memory_max),
        }
        self.say(f"{self.generation.machine} is booted from its image of {self.generation.name}.")
        return host.answer(Seen, lent.ask(host, self.generation, request))

    def _read(self, name: str) -> bytes:
        try:
            return self.generation.file(name).read_bytes()
        except OSError as error:
            raise VaultError(f"{self.generation.folder} lacks its {name}: {error.strerror}.") from error

    def _changed(self) -> list[str]:
        """Read the images back, and say what isn't as the host hashed it when they were made."""
        told = []
        for disk in self.generation.record.disks:
            image = self.generation.image(disk.name)
            try:
                bad = read_back(image, Chunks.read(self.generation.chunks(disk.name)), self.say).bad
            except VaultError as error:
                told.append(str(error))
                continue
            told += [f"{image} isn't what it was: {len(bad)} of its chunks are damaged."] if bad else []
        return told

    def _before(self) -> list[Found]:
        """Give the drills of the machine's generations so far, newest first."""
        logs = (one.proofs.read() for one in self.generations.of(self.generation.machine))
        passed = [
            found for log in logs for found in log if found.what == "drill" and found.result == "passed"
        ]
        return sorted(passed, key=lambda found: found.when, reverse=True)

    def _of(self, result: Literal["passed", "failed", "not checked"], how: str, seconds: float) -> Found:
        return Found(
            what="drill", when=datetime.now(UTC), result=result, how=how, seconds=seconds, run=self.run
        )

    def _keep(self, picture: bytes) -> None:
        """Write the picture whole or not at all; one that can't be read is no reason to fail."""
        with suppress(OSError, ValueError):
            png, part = as_png(picture), self.picture.with_name(f".{self.picture.name}.part")
            with part.open("wb") as file:
                file.write(png)
                os.fsync(file.fileno())
            part.replace(self.picture)

    def _item(self, found: Found, before: list[Found], *, pictured: bool) -> Item:
        states = {
            "passed": (State.PASSED, Outcome.BOOTED),
            "failed": (State.FAILED, Outcome.NOT_BOOTED),
            "not checked": (State.NOT_CHECKED, Outcome.NOT_CHECKED),
        }
        state, outcome = states[found.result]
        reason = f"{found.how}{trend(found, before)} Its image is of {self.generation.name}."
        return Item(
            name=self.generation.machine,
            own=True,
            state=state,
            outcome=outcome,
            reason=reason,
            seconds=found.seconds,
            picture=str(self.picture) if pictured and self.picture.is_file() else None,
        )


def picture_of(generation: PublishedGeneration) -> Path:
    """Give where the screen of a generation's last drill is kept; it need not exist."""
    return generation.folder.with_name(f"{generation.name}.png")


def trend(found: Found, before: list[Found]) -> str:
    """Say how long booting took, and how long it took the last times; nothing of what didn't boot."""
    if found.result != "passed":
        return ""
    last = ", ".join(f"{one.seconds:.1f} s" for one in before[:_SHOWN])
    return f" It took {found.seconds:.1f} s{f'; before: {last}' if last else ''}."


def as_png(picture: bytes) -> bytes:
    """Turn a screen into a PNG of at most ``WIDEST`` pixels.

    Raises:
        ValueError: it's no picture, or too large a one.
    """
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 - only drills make pictures

    if len(picture) > PICTURE_MOST:
        raise ValueError(f"A screen of {len(picture):,} bytes is too large.")
    try:
        with Image.open(io.BytesIO(picture), formats=("PPM", "PNG")) as screen:
            plain = screen.convert("RGB")
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError) as wrong:
        raise ValueError(f"That is no picture: {wrong}") from wrong
    plain.thumbnail((WIDEST, WIDEST))
    written = io.BytesIO()
    plain.save(written, "PNG", optimize=True)
    return written.getvalue()
