"""A TCP proxy in front of an SSH server that can measure, delay, cut and hold the connection."""

import selectors
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

from tests.site.ports import LOOPBACK
from tests.site.sshd import SshServer

_BLOCK = 1 << 16


class Wire:
    """A TCP port that is forwarded to an SSH server; a context manager.

    Args:
        server: the server.
        when: a condition, checked for every block of bytes from the server until it is true.
        then: called once, when the condition is true; no bytes are forwarded meanwhile.

    ``carried`` counts the bytes from the server, ``connections`` the connections.
    """

    def __init__(
        self,
        server: SshServer,
        when: Callable[["Wire"], bool] = lambda _: False,
        then: Callable[["Wire"], object] = lambda _: None,
    ) -> None:
        self._server = server
        self._when = when
        self._then = then
        self._happened = self._held = False
        self._lock = threading.Lock()
        self._ends: list[socket.socket] = []
        self.carried = 0
        self.connections = 0

    @property
    def connection(self) -> dict[str, Any]:
        """The server as an Airflow connection through this proxy."""
        return {**self._server.connection, "port": self._listener.getsockname()[1]}

    def cut(self) -> None:
        """Close every connection, and accept no more."""
        for end in (self._listener, *self._ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def hold(self) -> None:
        """Carry nothing more, not even the end of a connection: so does a network that was cut off."""
        self._held = True

    def __enter__(self) -> Self:
        self._listener = socket.create_server((LOOPBACK, 0))
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
        for end in (self._listener, *self._ends):
            end.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection((LOOPBACK, self._server.port))
                self._ends += [client, server]
                self.connections += 1
                threading.Thread(target=self._carry, args=(client, server), daemon=True).start()

    def _carry(self, client: socket.socket, server: socket.socket) -> None:
        directions = ((client, server), (server, client))
        with suppress(OSError), selectors.DefaultSelector() as both:
            for direction in directions:
                both.register(direction[0], selectors.EVENT_READ, direction)
            while both.get_map():
                for key, _ in both.select():
                    source, target = key.data
                    block = source.recv(_BLOCK)
                    if self._held:
                        if not block:
                            both.unregister(source)
                        continue
                    if not block:
                        break
                    if source is server:
                        self._count(len(block))
                    target.sendall(block)
                else:
                    continue
                break
        for end in () if self._held else (client, server):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _count(self, size: int) -> None:
        with self._lock:  # locked during ``then``: nothing else is forwarded meanwhile
            self.carried += size
            if not self._happened and self._when(self):
                self._happened = True
                self._then(self)
