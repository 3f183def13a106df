"""Sends frozen disks to the vault, chunk by chunk: what changed, as data; the rest, as a word.

How it is said: ``wire.py``. Holes are never read; what is read, many chunks at a time, is hashed in threads
while the wire is busy.
"""

from __future__ import annotations

import base64
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from .nbd import LARGEST_READ, Export, NbdError, NbdGoneError
from .reading import Part, blocks
from .wire import NO_DIGEST, Runs, Wire, WrongQuestionError

FILES = ("domain.xml", "nvram.fd", "tpm.tar")

_DONE, _NOBODY_LISTENS, _FAILED, _NOTHING_FROZEN = 0, 1, 6, 9  # exit statuses


class Place(NamedTuple):
    """Where a frozen disk is exported: its name, the server's socket, and the export's name there."""

    disk: str
    socket: str
    export: str


class Held(NamedTuple):
    """What a freeze holds ready.

    Args:
        run: whose freeze it is.
        machine: its name.
        uuid: its UUID.
        kept: the folder with the definition, and what else isn't a disk.
        places: the disks.
        why_gone: says why they aren't held any more, if that is known.
    """

    run: str
    machine: str
    uuid: str
    kept: str
    places: list[Place]
    why_gone: Callable[[], str] = str


def serve(held: Held, wire_in: BinaryIO, wire_out: int) -> int:
    """Answer what the vault's side asks for, until it asks no more.

    Args:
        held: what a freeze holds ready.
        wire_in: its questions.
        wire_out: a file descriptor for the answers.

    Returns:
        an exit status: 0 done, 6 a disk can't be read, 9 nothing is frozen (any more), 1 nobody listens.
    """
    wire = Wire(wire_in, wire_out)
    try:
        with ExitStack() as opened:
            return _answer(held, wire, opened)
    except (BrokenPipeError, EOFError):
        return _NOBODY_LISTENS
    finally:
        signal.alarm(0)


def _answer(held: Held, wire: Wire, opened: ExitStack) -> int:
    say = wire.say
    try:
        _check_run(held, wire.heard())
        exports = {
            place.disk: opened.enter_context(Export(place.socket, place.export)) for place in held.places
        }
        say(_introduction(held, exports))
        say = wire.refuse
        while wanted := wire.heard():
            _send(_Wanted.of(wanted, exports), wire)
    except NbdGoneError as error:
        why = held.why_gone() or error
        say({"error": "NothingFrozen", "message": f"{held.machine} isn't frozen any more. {why}"})
        return _NOTHING_FROZEN
    except (NbdError, WrongQuestionError) as error:
        say({"error": "NotFrozen", "message": f"{held.machine} can't be sent. {error}"})
        return _FAILED
    return _DONE


def _check_run(held: Held, greeting: dict[str, Any]) -> None:
    if greeting.get("run") != held.run:
        raise NbdGoneError(f"What is frozen now is of {held.run}, not of {greeting.get('run')}.")


def _introduction(held: Held, exports: dict[str, Export]) -> dict[str, Any]:
    files = {}
    for name in FILES:
        with suppress(FileNotFoundError):
            files[name] = base64.b64encode(Path(held.kept, name).read_bytes()).decode()
    disks = [{"name": name, "bytes": export.bytes} for name, export in exports.items()]
    return {"machine": held.machine, "uuid": held.uuid, "disks": disks, "files": files}


class _Wanted(NamedTuple):
    """A part of a disk that is asked for, and how many of its first chunks the vault has."""

    part: Part
    have: int

    @classmethod
    def of(cls, wanted: dict[str, Any], exports: dict[str, Export]) -> _Wanted:
        """Take a request that is in order.

        Raises:
            WrongQuestionError: it isn't.
        """
        try:
            export = exports[wanted["disk"]]
            chunk_bytes, first, count, have = (
                int(wanted[key]) for key in ("chunk_bytes", "from", "count", "have")
            )
        except (KeyError, TypeError, ValueError) as error:
            raise WrongQuestionError(f"Such a part of a disk isn't known: {error!r}.") from error
        fits = 0 < chunk_bytes <= LARGEST_READ and first >= 0 and count >= have >= 0
        if not fits or (count and (first + count - 1) * chunk_bytes >= export.bytes):
            raise WrongQuestionError(f"The disk has no such part: {wanted}.")
        return cls(Part(export, chunk_bytes, first, first + count), have)


def _send(wanted: _Wanted, wire: Wire) -> None:
    began, read, sent = time.monotonic(), 0, 0
    of_zeros = wanted.part.of_zeros()
    runs = Runs(wire)
    for index, block in blocks(wanted.part):
        there = wire.digest() if index - wanted.part.first < wanted.have else NO_DIGEST
        if block is None:
            runs.add(b"Z", index)
            continue
        view, digest = block
        read += len(view)
        if digest == of_zeros[len(view)]:
            runs.add(b"Z", index)
        elif digest == there:
            runs.add(b"S", index)
        else:
            runs.end()
            wire.frame(b"D", index, len(view), digest, view)
            sent += len(view)
    runs.end()
    seconds = round(time.monotonic() - began, 3)
    wire.words(b"E", {"read_bytes": read, "sent_bytes": sent, "seconds": seconds})
