"""An NBD client that lists the holes of an exported disk, and reads with many requests in flight.

The protocol: https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md. The server must support
structured replies and the metadata context ``base:allocation``, as QEMU does since 2.12.
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

ANSWER_S = 120  # storage that is stuck for longer is broken
LARGEST_READ = 32 << 20  # bytes in one call of read()
# Bytes in one request: for larger ones QEMU maps memory anew each time, and takes more than twice as long.
_PART_BYTES = 256 << 10

_GREETING, _OPTION, _OPTION_REPLY = b"NBDMAGICIHAVEOPT", 0x49484156454F5054, 0x3E889045565A9
_REQUEST, _SIMPLE_REPLY, _STRUCTURED_REPLY = 0x25609513, 0x67446698, 0x668E33EF
_FIXED, _NO_ZEROES = 1, 2  # handshake flags
_GO, _STRUCTURED, _SET_CONTEXT = 7, 8, 10  # options
_ACK, _INFO, _CONTEXT, _REFUSED = 1, 3, 4, 1 << 31  # replies to them
_INFO_EXPORT = 0
_READ, _DISCONNECT, _BLOCK_STATUS = 0, 2, 7  # commands
_UNDIVIDED = 1 << 2  # flag of a read: reply in one piece. QEMU hangs up on a read error between pieces
_CAN_UNDIVIDED = 1 << 7  # flag of an export
_DONE, _ERROR = 1, 1 << 15  # in a reply's flags; in its type
_NOTHING, _DATA, _HOLE, _EXTENTS = 0, 1, 2, 5  # types of a reply
_ZERO = 2  # base:allocation: reads as zeros
_ALLOCATION = b"base:allocation"
_LONGEST_REPLY = 2 << 20  # bytes of a reply that contains no disk data
_STATUS_BYTES = 1 << 30  # in one request: the length has 32 bits


class NbdError(Exception):
    """The export can't be used; the message says why."""


class NbdGoneError(NbdError):
    """The server is gone, or doesn't answer."""


class Extent(NamedTuple):
    """A part of a disk, and whether all of it reads as zeros."""

    start: int
    end: int
    zeros: bool


class _Request:
    """A request that was sent in one or several parts, and isn't fully answered yet."""

    def __init__(self, offset: int, view: memoryview | None, verb: str) -> None:
        self.offset = offset
        self.verb = verb
        self.view = view
        self.left = len(view) if view else 0
        self.parts = 0
        self.extents: list[tuple[int, int]] = []
        self.error: NbdError | None = None
        self.answer: Future[list[tuple[int, int]]] = Future()

    def part(self, offset: int, length: int) -> memoryview:
        """Return the part of the buffer for a part of the data."""
        at = offset - self.offset
        if not self.view or at < 0 or length > self.left or at + length > len(self.view):
            raise NbdGoneError("The NBD server sent data that wasn't requested.")
        self.left -= length
        return self.view[at : at + length]

    def finish(self) -> None:
        """Complete the request's future."""
        if self.left and not self.error:
            self.error = NbdError("The NBD server left out a part of the requested data.")
        if self.error:
            self.answer.set_exception(self.error)
        else:
            self.answer.set_result(self.extents)


class Export:
    """An exported disk; a context manager.

    Args:
        path: the server's Unix socket.
        name: the export's name.

    Raises:
        NbdGoneError: there is no such server or export.
        NbdError: the server lacks a feature that is needed.
    """

    def __init__(self, path: str, name: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # Not settimeout: that makes the socket non-blocking, and one read of 1 MiB becomes many.
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            self._socket.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", ANSWER_S, 0))
        self._waiting: dict[int, _Request] = {}
        self._cookie = 0
        self._since = time.monotonic()
        self._lock = threading.Lock()
        self._broken: NbdGoneError | None = None
        self.bytes = -1  # not known yet
        self._read_flags = 0
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
            self._send(_DISCONNECT, 0, 0, None)
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._receiver.join()
        self._socket.close()

    def read(self, offset: int, view: memoryview) -> Future[Any]:
        """Request bytes without waiting for them: they are in ``view`` once the future is done.

        Raises:
            NbdGoneError: the connection is broken; from the future too.
            NbdError: from the future: the disk can't be read there.
        """
        return self._send(_READ, offset, len(view), view)

    def extents(self, start: int, end: int) -> Iterator[Extent]:
        """Yield the parts of the disk from ``start`` to ``end``, in order, and whether each is all zeros."""
        while start < end:
            length = min(end - start, _STATUS_BYTES)
            found = self._send(_BLOCK_STATUS, start, length, None).result()
            if not found or not all(size for size, _ in found):
                raise NbdError("The NBD server doesn't report which parts of the disk hold data.")
            for size, flags in found:
                if start < end:  # the last extent may reach beyond what was requested
                    yield Extent(start, min(start + size, end), bool(flags & _ZERO))
                start += size

    def _send(
        self, command: int, offset: int, length: int, view: memoryview | None, data: memoryview | None = None
    ) -> Future[list[tuple[int, int]]]:
        verb = "read" if command in (_READ, _BLOCK_STATUS) else "written"
        request, message = _Request(offset, view, verb), b""
        step, flags = (_PART_BYTES, self._read_flags) if view else (max(length, 1), 0)
        with self._lock:
            if self._broken:
                raise self._broken
            if not self._waiting:
                self._since = time.monotonic()
            for start in range(0, max(length, 1), step):
                self._cookie += 1
                request.parts += 1
                self._waiting[self._cookie] = request
                part = (offset + start, min(step, length - start))
                message += struct.pack(">IHHQQI", _REQUEST, flags, command, self._cookie, *part)
        try:
            self._socket.sendall(message)
            self._socket.sendall(data or b"")
        except OSError as error:
            raise NbdGoneError(f"The NBD server went away: {error}.") from error
        return request.answer

    def _receive_all(self) -> None:
        """Receive replies until the connection ends; then fail all requests in flight."""
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
        magic, first, second, cookie = struct.unpack(">IHHQ", self._receive_exactly(16))
        request = self._waiting.get(cookie)
        if request is None:
            raise NbdGoneError("The NBD server sent a reply to an unknown request.")
        if magic == _SIMPLE_REPLY:
            number = first << 16 | second
            last, request.error = True, _disk_error(number, request.verb) if number else None
        elif magic == _STRUCTURED_REPLY:
            (length,) = struct.unpack(">I", self._receive_exactly(4))
            last = bool(first & _DONE)
            self._receive_part(request, second, length)
        else:
            raise NbdGoneError(f"The NBD server sent {magic:#x}, which isn't a reply.")
        if last:
            with self._lock:
                del self._waiting[cookie]
            request.parts -= 1
            if not request.parts:
                request.finish()
        self._since = time.monotonic()

    def _receive_part(self, request: _Request, kind: int, length: int) -> None:
        if kind == _DATA:
            (offset,) = struct.unpack(">Q", self._receive_exactly(8))
            self._receive_into(request.part(offset, length - 8))
            return
        if length > _LONGEST_REPLY:
            raise NbdGoneError(f"The NBD server sent a reply of {length:,} bytes, which is too long.")
        body = self._receive_exactly(length)
        if kind == _HOLE:
            offset, zeros = struct.unpack(">QI", body)
            request.part(offset, zeros)[:] = bytes(zeros)
        elif kind == _EXTENTS:
            request.extents = list(struct.iter_unpack(">II", body[4:]))
        elif kind & _ERROR:
            number, count = struct.unpack_from(">IH", body)
            text = body[6 : 6 + count].decode("utf-8", "backslashreplace")
            request.error = request.error or _disk_error(number, request.verb, text)
        elif kind != _NOTHING:
            raise NbdGoneError(f"The NBD server sent a reply of unknown type {kind}.")

    def _receive_exactly(self, count: int) -> bytes:
        received = bytearray(count)
        self._receive_into(memoryview(received))
        return bytes(received)

    def _receive_into(self, view: memoryview) -> None:
        while view:
            try:
                got = self._socket.recv_into(view, len(view), socket.MSG_WAITALL)
            except BlockingIOError:  # the socket's timeout
                due = self._waiting or self.bytes < 0
                if due and time.monotonic() - self._since >= ANSWER_S:
                    raise NbdGoneError(f"The NBD server gave no answer for {ANSWER_S} s.") from None
                continue
            if not got:
                raise NbdGoneError("The NBD server went away.")
            view = view[got:]

    def _negotiate(self, name: bytes) -> int:
        """Negotiate structured replies and the metadata context; return the export's size in bytes."""
        if self._receive_exactly(16) != _GREETING:
            raise NbdError("The process at the socket isn't an NBD server.")
        (flags,) = struct.unpack(">H", self._receive_exactly(2))
        if not flags & _FIXED:
            raise NbdError("The NBD server is too old: QEMU 2.12 or later is needed.")
        self._socket.sendall(struct.pack(">I", _FIXED | flags & _NO_ZEROES))
        self._option(_STRUCTURED, b"")
        named = struct.pack(">I", len(name)) + name
        query = struct.pack(">II", 1, len(_ALLOCATION)) + _ALLOCATION
        if not [kind for kind, _ in self._option(_SET_CONTEXT, named + query) if kind == _CONTEXT]:
            raise NbdError("The NBD server doesn't report holes: QEMU 2.12 or later is needed.")
        for kind, info in self._option(_GO, named + struct.pack(">H", 0)):
            if kind == _INFO and info[:2] == struct.pack(">H", _INFO_EXPORT):
                size, can = struct.unpack_from(">QH", info, 2)
                self._read_flags = _UNDIVIDED if can & _CAN_UNDIVIDED else 0
                return int(size)
        raise NbdError("The NBD server doesn't report the disk's size.")

    def _option(self, option: int, data: bytes) -> list[tuple[int, bytes]]:
        """Request an option; return the replies that came before its acknowledgement."""
        self._socket.sendall(struct.pack(">QII", _OPTION, option, len(data)) + data)
        replies: list[tuple[int, bytes]] = []
        while True:
            magic, about, kind, length = struct.unpack(">QIII", self._receive_exactly(20))
            if magic != _OPTION_REPLY or about != option or length > _LONGEST_REPLY:
                raise NbdError("The process at the socket isn't an NBD server.")
            body = self._receive_exactly(length)
            if kind == _ACK:
                return replies
            if kind & _REFUSED:
                reason = body.decode("utf-8", "backslashreplace") or f"error {kind & ~_REFUSED}"
                raise NbdGoneError(f"The NBD server refuses: {reason}.")
            replies.append((kind, body))


def _disk_error(number: int, verb: str, text: str = "") -> NbdError:
    reason = f"{os.strerror(number)} ({text})" if text else os.strerror(number)
    return NbdError(f"The disk can't be {verb}: {reason}.")
