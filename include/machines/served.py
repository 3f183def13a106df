"""Frozen disks as their host serves them: this end of the wire, carried by OpenSSH.

The other end is ``include/agent/serve.py``; what they say to each other is in ``include/agent/wire.py``.
"""

import base64
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, Field

from include.agent.wire import DIGEST_BYTES, FRAME
from include.errors import BackupError, ImageGoneError, MachineNotImagedError
from include.facts import Facts
from include.listing import named
from include.machines.agent_line import LONGEST_WORDS, AgentLine, agent_line, json_of
from include.machines.chunks import CHUNK_BYTES
from include.machines.facts import Frozen

AHEAD = 12  # frames that may be in use while the next one comes
DEFINITION = "domain.xml"
_LARGEST_DISK = 1 << 46  # bytes; the hashes of 64 TiB fill 2 GiB of memory


class Way(NamedTuple):
    """How frozen disks are reached.

    Args:
        config: of :func:`include.transfer.connected`.
        command: what serves them, on the host.
        frozen: the freeze that it must be, of these disks.
    """

    config: Path
    command: str
    frozen: Frozen


class Frame(NamedTuple):
    """What the host says of one chunk, or of a run of them.

    Args:
        kind: ``D`` data, ``S`` the same as we have, ``Z`` zeros.
        first: the first chunk's number.
        chunks: how many.
        digest: SHA-256 of the data.
        data: the data.
    """

    kind: bytes
    first: int
    chunks: int
    digest: bytes
    data: memoryview


class ServedDisk(Facts):
    """A disk that is served: its name, and what the guest sees, in bytes."""

    name: str
    bytes: int = Field(ge=0, le=_LARGEST_DISK)


def _decoded(text: object) -> object:
    return base64.b64decode(text, validate=True) if isinstance(text, str) else text


class Introduction(Facts):
    """What the host says before it's asked for anything.

    Args:
        machine: its name.
        uuid: its UUID.
        disks: those that are held.
        files: what else is kept, such as ``domain.xml``.
    """

    machine: str
    uuid: str
    disks: tuple[ServedDisk, ...]
    files: dict[str, Annotated[bytes, BeforeValidator(_decoded)]]


@contextmanager
def serving(way: Way) -> Iterator["Served"]:
    """Have a host serve a machine's frozen disks for the time of a block.

    Raises:
        ImageGoneError: the host doesn't hold them any more.
        MachineNotImagedError: the host can't read them, or holds others.
        SourceUnreachableError: the connection broke, or nothing came for ``agent_line.SILENCE_S``.
    """
    with agent_line(way.config, way.command) as line:
        yield Served(line, way.frozen)


class Served:
    """The host's side of a transfer.

    Args:
        line: the conversation with it.
        frozen: the freeze that it must be.
    """

    def __init__(self, line: AgentLine, frozen: Frozen) -> None:
        self._line = line
        self._places = deque(bytearray(CHUNK_BYTES) for _ in range(AHEAD + 2))
        line.say({"run": frozen.run})
        said = line.words()
        if "error" in said:
            raise _refusal(said)
        self.introduction = _checked(said, frozen)

    def ask(self, disk: str, first: int, count: int, have: bytes | memoryview = b"") -> None:
        """Ask for a part of a disk.

        Args:
            disk: its name.
            first: the first chunk.
            count: how many.
            have: SHA-256 of those that we have, from ``first`` on; the host reads them as it goes.
        """
        known = len(have) // DIGEST_BYTES
        part = {"disk": disk, "chunk_bytes": CHUNK_BYTES, "from": first, "count": count, "have": known}
        self._line.say_meanwhile(part, have)

    def frames(self) -> Iterator[Frame]:
        """Give what is said of the chunks that were asked for; data lasts until ``AHEAD`` later frames came.

        Raises:
            EOFError: the connection broke, or is silent.
            ImageGoneError, MachineNotImagedError: the host says why it can't go on.
            BackupError: what came is no frame.
        """
        while True:
            kind, first, second, digest = FRAME.unpack(self._line.exactly(memoryview(bytearray(FRAME.size))))
            if kind == b"D" and second <= CHUNK_BYTES:
                yield Frame(kind, first, 1, digest, self._line.exactly(self._place(second)))
            elif kind in (b"S", b"Z") and second:
                yield Frame(kind, first, second, digest, memoryview(b""))
            elif kind in (b"E", b"X") and second <= LONGEST_WORDS:
                words = json_of(self._line.exactly(memoryview(bytearray(second))))
                if kind == b"X":
                    raise _refusal(words)
                return
            else:
                raise BackupError(f"The host sent what is no frame: {kind!r} of {second:,} bytes.")

    def _place(self, length: int) -> memoryview:
        self._places.rotate(-1)
        return memoryview(self._places[0])[:length]


def _checked(said: dict[str, Any], frozen: Frozen) -> Introduction:
    """Take an introduction that is in order, and of the very disks that were frozen."""
    try:
        introduction = Introduction.model_validate(said)
    except ValueError as wrong:
        raise BackupError(
            f"The host introduces {frozen.machine} in a way that isn't known: {wrong}"
        ) from wrong
    served = [(disk.name, disk.bytes) for disk in introduction.disks]
    if served != [(disk.name, disk.bytes) for disk in frozen.disks]:
        raise MachineNotImagedError(
            f"{frozen.machine}: its host serves {named(name for name, _ in served)}, of other names or sizes "
            "than it froze. Nothing was copied. Clear the freeze task."
        )
    if DEFINITION not in introduction.files:
        raise MachineNotImagedError(f"{frozen.machine}: its host holds no definition of it ({DEFINITION}).")
    return introduction


def _refusal(said: Mapping[str, object]) -> BackupError:
    gone = str(said.get("error")).startswith("NothingFrozen")
    return (ImageGoneError if gone else MachineNotImagedError)(str(said.get("message")))
