"""Ports that stay the same from start to start, as long as they are free.

A port is reserved until this process ends, by a bound socket that doesn't listen. A server can still bind it
(with SO_REUSEADDR, which every server sets), but the kernel assigns it to no other process.
"""

import socket
from pathlib import Path

LOOPBACK = "127.0.0.1"
_RESERVED: dict[int, socket.socket] = {}


def kept_port(note: Path) -> int:
    """Return the port in a file if it's free, else a free one; write it to the file."""
    try:
        noted = int(note.read_text(encoding="ascii"))
    except (OSError, ValueError):
        noted = 0
    port = noted if noted and (noted in _RESERVED or _reserve(noted)) else _reserve(0)
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(str(port), encoding="ascii")
    return port


def _reserve(port: int) -> int:
    """Reserve a port, any free one for 0; return it, or 0 if it's in use."""
    reserved = socket.socket()
    # As for a server, recently closed connections (TIME_WAIT) are no obstacle.
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        reserved.bind((LOOPBACK, port))
    except OSError:
        reserved.close()
        return 0
    bound: int = reserved.getsockname()[1]
    _RESERVED[bound] = reserved
    return bound
