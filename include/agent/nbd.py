"""A client of NBD: which parts of an exported disk hold data, and reads, many of them on their way at once.

The protocol is https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md. Of the server it asks for
structured replies and the context ``base:allocation``, which QEMU has since 2.12.
"""

from __future__ import annotations

import os
import socket
import struct
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, NamedTuple

ANSWER_S = 120  # a storage that is stuck for longer is broken
LARGEST_READ = 32 << 20  # what may be read in one call
# Asked for at a time: for more, QEMU maps memory anew each time, and takes more than twice as long.
_PART_BYTES = 256 << 10

_GREETING, _OPTION, _OPTION_REPLY = b"NBDMAGICIHAVEOPT", 0x49484156454F5054, 0x3E889045565A9
_REQUEST, _SIMPLE_REPLY, _STRUCTURED_REPLY = 0x25609513, 0x67446698, 0x668E33EF
_FIXED, _NO_ZEROES = 1, 2  # handshake flags
_GO, _STRUCTURED, _SET_CONTEXT = 7, 8, 10  # options
_ACK, _INFO, _CONTEXT, _REFUSED = 1, 3, 4, 1 << 31  # replies to them
_INFO_EXPORT = 0
_READ, _DISCONNECT, _BLOCK_STATUS = 0, 2, 7  # commands
_UNDIVIDED = 1 << 2  # of a read: one reply. In several, QEMU hangs up where the disk can't be read
_CAN_UNDIVIDED = 1 << 7  # of an export
_DONE, _ERROR = 1, 1 << 15  # of a reply's flags; of its type
_NOTHING, _DATA, _HOLE, _EXTENTS = 0, 1, 2, 5  # a reply's types
_ZERO = 2  # base:allocation: reads as zeros
_ALLOCATION = b"base:allocation"
_LONGEST_WORDS = 2 << 20  # bytes of a reply that holds no data
_STATUS_BYTES = 1 << 30  # asked at a time: a status has 32 bits for a length


class NbdError(Exception):
    """The export can't be read; says why."""


class NbdGoneError(NbdError):
    """The server isn't there any more, or gives no answer."""


class Extent(NamedTuple):
    """A part of a disk, and whether all of it reads as zeros."""

    start: int
    end: int
    zeros: bool


class _Request:
    """What was asked, in parts, and isn't answered yet."""

    def __init__(self, offset: int, view: memoryview | None, does: str) -> None:
        self.offset = offset
        self.does = does
        self.view = view
        self.left = len(view) if view else 0
        self.parts = 0
        self.extents: list[tuple[int, int]] = []
        self.error: NbdError | None = None
        self.answer: Future[list[tuple[int, int]]] = Future()

    def part(self, offset: int, length: int) -> memoryview:
        """Give the place of a part of the data."""
        at = offset - self.offset
        if not self.view or at < 0 or length > self.left or at + length > len(self.view):
            raise NbdGoneError("The NBD server answered with data that nobody asked for.")
        self.left -= length
        return self.view[at : at + length]

    def finish(self) -> None:
        """Tell whoever waits for it."""
        if self.left and not self.error:
            self.error = NbdError("The NBD server left out a part of what it was asked for.")
        if self.error:
            self.answer.set_exception(self.error)
        else:
            self.answer.set_result(self.extents)


class Export:
    """One exported disk; a context manager.

    Args:
        path: the server's Unix socket.
        name: the export's.

    Raises:
        NbdGoneError: there is no such server, or no such export.
        NbdError: it can't do what is needed.
    """

    def __init__(self, path: str, name: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # Not settimeout: that makes the socket non-blocking, and one read of 1 MiB becomes many.
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            self._socket.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", ANSWER_S, 0))
        self._waiting: dict[int, _Request] = {}
        self._asked = 0
        self._since = time.monotonic()
        self._lock = threading.Lock()
        self._broken: NbdGoneError | None = None
        self.bytes = -1  # not known yet
        self._how = 0
        try:
            self._socket.connect(path)
            self.bytes = self._negotiate(name.encode())
        except OSError as error:
            self._socket.close()
            raise NbdGoneError(f"The NBD server at {path} doesn't answer: {error}.") from error
        except NbdError:
            self._socket.close()
            raise
        self._receiver = threading.Thread(target=self._receive_all, daemon=True)
        self._receiver.start()

    def __enter__(self) -> Export:  # noqa: PYI034 - Self came with Python 3.11
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError, NbdError):
            self._ask(_DISCONNECT, 0, 0, None)
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._receiver.join()
        self._socket.close()

    def read(self, offset: int, view: memoryview) -> Future[Any]:
        """Ask for bytes, and don't wait for them: they are in ``view`` when the future is done.

        Raises:
            NbdGoneError: the connection is broken; from the future too.
            NbdError: from the future: the disk can't be read there.
        """
        return self._ask(_READ, offset, len(view), view)

    def extents(self, start: int, end: int) -> Iterator[Extent]:
        """Say of each part of the disk from ``start`` to ``end``, in order, whether it is all zeros."""
        while start < end:
            asked = min(end - start, _STATUS_BYTES)
            found = self._ask(_BLOCK_STATUS, start, asked, None).result()
            if not found or not all(length for length, _ in found):
                raise NbdError("The NBD server doesn't say which parts of the disk hold data.")
            for length, flags in found:
                if start < end:  # the last one may reach beyond what was asked
                    yield Extent(start, min(start + length, end), bool(flags & _ZERO))
                start += length

    def _ask(
        self, command: int, offset: int, length: int, view: memoryview | None, data: memoryview | None = None
    ) -> Future[list[tuple[int, int]]]:
        request, words = (
            _Request(offset, view, "read" if command in (_READ, _BLOCK_STATUS) else "written"),
            b"",
        )
        step, how = (_PART_BYTES, self._how) if view else (max(length, 1), 0)
        with self._lock:
            if self._broken:
                raise self._broken
            if not self._waiting:
                self._since = time.monotonic()
            for start in range(0, max(length, 1), step):
                self._asked += 1
                request.parts += 1
                self._waiting[self._asked] = request
                part = (offset + start, min(step, length - start))
                words += struct.pack(">IHHQQI", _REQUEST, how, command, self._asked, *part)
        try:
            self._socket.sendall(words)
            self._socket.sendall(data or b"")
        except OSError as error:
            raise NbdGoneError(f"The NBD server went away: {error}.") from error
        return request.answer

    def _receive_all(self) -> None:
        """Take replies until the connection ends; whoever waits then is told."""
        try:
            while True:
                self._receive()
        except NbdGoneError as error:
            broken = error
        except (OSError, struct.error, ValueError) as error:
            broken = NbdGoneError(f"The NBD server went away: {error}.")
        with self._lock:
            self._broken = broken
            waiting, self._waiting = set(self._waiting.values()), {}
        for request in waiting:
            request.answer.set_exception(broken)

    def _receive(self) -> None:
        magic, first, second, cookie = struct.unpack(">IHHQ", self._exactly(16))
        request = self._waiting.get(cookie)
        if request is None:
            raise NbdGoneError("The NBD server answered what nobody asked.")
        if magic == _SIMPLE_REPLY:
            number = first << 16 | second
            last, request.error = True, _refusal(number, request.does) if number else None
        elif magic == _STRUCTURED_REPLY:
            (length,) = struct.unpack(">I", self._exactly(4))
            last = bool(first & _DONE)
            self._receive_part(request, second, length)
        else:
            raise NbdGoneError(f"The NBD server answered with {magic:#x}, which is no reply.")
        if last:
            with self._lock:
                del self._waiting[cookie]
            request.parts -= 1
            if not request.parts:
                request.finish()
        self._since = time.monotonic()

    def _receive_part(self, request: _Request, kind: int, length: int) -> None:
        if kind == _DATA:
            (offset,) = struct.unpack(">Q", self._exactly(8))
            self._into(request.part(offset, length - 8))
            return
        if length > _LONGEST_WORDS:
            raise NbdGoneError(f"The NBD server answered with {length:,} bytes of words.")
        words = self._exactly(length)
        if kind == _HOLE:
            offset, zeros = struct.unpack(">QI", words)
            request.part(offset, zeros)[:] = bytes(zeros)
        elif kind == _EXTENTS:
            request.extents = list(struct.iter_unpack(">II", words[4:]))
        elif kind & _ERROR:
            number, count = struct.unpack_from(">IH", words)
            said = words[6 : 6 + count].decode("utf-8", "backslashreplace")
            request.error = request.error or _refusal(number, request.does, said)
        elif kind != _NOTHING:
            raise NbdGoneError(f"The NBD server answered with a reply of type {kind}.")

    def _exactly(self, count: int) -> bytes:
        words = bytearray(count)
        self._into(memoryview(words))
        return bytes(words)

    def _into(self, view: memoryview) -> None:
        while view:
            try:
                got = self._socket.recv_into(view, len(view), socket.MSG_WAITALL)
            except BlockingIOError:  # the time is over
                due = self._waiting or self.bytes < 0
                if due and time.monotonic() - self._since >= ANSWER_S:
                    raise NbdGoneError(f"The NBD server gave no answer for {ANSWER_S} s.") from None
                continue
            if not got:
                raise NbdGoneError("The NBD server went away.")
            view = view[got:]

    def _negotiate(self, name: bytes) -> int:
        """Agree on structured replies and the context, and give the export's size."""
        if self._exactly(16) != _GREETING:
            raise NbdError("What answers at the socket is no NBD server.")
        (flags,) = struct.unpack(">H", self._exactly(2))
        if not flags & _FIXED:
            raise NbdError("The NBD server is too old: QEMU 2.12 or later is needed.")
        self._socket.sendall(struct.pack(">I", _FIXED | flags & _NO_ZEROES))
        self._option(_STRUCTURED, b"")
        named = struct.pack(">I", len(name)) + name
        query = struct.pack(">II", 1, len(_ALLOCATION)) + _ALLOCATION
        if not [kind for kind, _ in self._option(_SET_CONTEXT, named + query) if kind == _CONTEXT]:
            raise NbdError("The NBD server doesn't tell holes from data: QEMU 2.12 or later is needed.")
        for kind, words in self._option(_GO, named + struct.pack(">H", 0)):
            if kind == _INFO and words[:2] == struct.pack(">H", _INFO_EXPORT):
                size, can = struct.unpack_from(">QH", words, 2)
                self._how = _UNDIVIDED if can & _CAN_UNDIVIDED else 0
                return int(size)
        raise NbdError("The NBD server doesn't tell the disk's size.")

    def _option(self, option: int, words: bytes) -> list[tuple[int, bytes]]:
        """Ask for an option, and give what was said before it was granted."""
        self._socket.sendall(struct.pack(">QII", _OPTION, option, len(words)) + words)
        said: list[tuple[int, bytes]] = []
        while True:
            magic, about, kind, length = struct.unpack(">QIII", self._exactly(20))
            if magic != _OPTION_REPLY or about != option or length > _LONGEST_WORDS:
                raise NbdError("What answers at the socket is no NBD server.")
            answer = self._exactly(length)
            if kind == _ACK:
                return said
            if kind & _REFUSED:
                words_said = answer.decode("utf-8", "backslashreplace") or f"error {kind & ~_REFUSED}"
                raise NbdGoneError(f"The NBD server refuses: {words_said}.")
            said.append((kind, answer))


def _refusal(number: int, does: str, said: str = "") -> NbdError:
    reasons = f"{os.strerror(number)} ({said})" if said else os.strerror(number)
    return NbdError(f"The disk can't be {does}: {reasons}.")
