"""Ports that stay the same from one start to the next, as far as others let them."""

import socket
from pathlib import Path

LOOPBACK = "127.0.0.1"


def kept_port(note: Path) -> int:
    """Give the port noted in a file if it's free, else one that is; note it."""
    try:
        noted = int(note.read_text(encoding="ascii"))
    except (OSError, ValueError):
        noted = 0
    port = noted if noted and _is_free(noted) else _any_port()
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(str(port), encoding="ascii")
    return port


def _is_free(port: int) -> bool:
    with socket.socket() as trial:
        # Connections that ended lately (TIME_WAIT) don't keep a server away, so not this trial either.
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def _any_port() -> int:
    with socket.socket() as trial:
        trial.bind((LOOPBACK, 0))
        port: int = trial.getsockname()[1]
        return port
