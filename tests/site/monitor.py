"""The monitor: a real HTTP server that keeps the heartbeats it gets, as healthchecks or Uptime Kuma would."""

import ssl
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from tests.site.ports import LOOPBACK
from tests.site.switched import Switched


@dataclass(frozen=True)
class Kept:
    """A request that the monitor got."""

    method: str
    path: str
    query: dict[str, str]
    body: str


@dataclass
class Monitor(Switched):
    """An HTTP server on 127.0.0.1 in threads of this process; a context manager.

    Args:
        tls: its certificate and key; None: plain HTTP.

    ``answers`` are the statuses of the next requests, then 200; ``text`` is what each answers; ``location``
    is where a redirect leads; ``drip_s`` is how long each byte of an answer takes.
    """

    tls: ssl.SSLContext | None = None
    answers: list[int] = field(default_factory=list)
    text: str = "OK"
    location: str = ""
    drip_s: float = 0
    requests: list[Kept] = field(default_factory=list)

    def start(self) -> None:
        """Start it on a free port."""
        monitor = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                monitor._handle(self)

            def do_POST(self) -> None:
                monitor._handle(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        if self.tls:
            self._server.socket = self.tls.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Stop it, and keep the requests."""
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Its address."""
        return f"{'https' if self.tls else 'http'}://{LOOPBACK}:{self._server.server_address[1]}"

    @property
    def paths(self) -> list[str]:
        """The paths of the requests, oldest first."""
        return [kept.path for kept in self.requests]

    def _handle(self, handler: BaseHTTPRequestHandler) -> None:
        there = urlsplit(handler.path)
        query = {name: values[0] for name, values in parse_qs(there.query).items()}
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0))).decode()
        self.requests.append(Kept(handler.command, there.path, query, body))
        handler.send_response(self.answers.pop(0) if self.answers else 200)
        if self.location:
            handler.send_header("Location", self.location)
        handler.send_header("Content-Length", str(len(self.text)))
        for byte in self.text if self.drip_s else ():
            time.sleep(self.drip_s)
            handler.send_header("X-Slow", byte)
            handler.flush_headers()
        handler.end_headers()
        handler.wfile.write(self.text.encode())
