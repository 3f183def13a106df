"""Send heartbeats over HTTP: a monitor hears how runs begin and end, and alarms if it hears nothing.

healthchecks   POST to the check's address, with ``/start`` or ``/fail`` behind it, ``rid`` to match a run's
               start with its end, and a line of text as body (https://healthchecks.io/docs/http_api/)
uptime_kuma    GET of a push monitor's address, with ``status``, ``msg`` and ``ping`` in ms; it has no start
               (Uptime Kuma, server/routers/api-router.js)

An address contains the secret of its check, so it's never logged.
"""

import logging
import queue
import ssl
import threading
import time
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Literal
from uuid import NAMESPACE_OID, UUID, uuid5

import httpx

Kind = Literal["healthchecks", "uptime_kuma"]

TOTAL_S = 10.0
"""Seconds that a heartbeat may take, with all its tries."""
_TRIES = 3
_PAUSE_S = 0.2
_MAX_LINE = 250  # of a message that travels in an address
_MAX_PING_MS = 24 * 3600 * 1000  # Uptime Kuma refuses longer ones
_MAX_ANSWER = 500
_SUFFIXES = {"start": "/start", "success": "", "failure": "/fail"}


class Signal(StrEnum):
    """What a heartbeat reports."""

    START = "start"
    SUCCESS = "success"
    FAILURE = "failure"


@dataclass(frozen=True)
class Heartbeat:
    """The start or the end of a run.

    Args:
        signal: what it reports.
        run: the run's name, which no other run has.
        line: what became of the run, in a line.
        seconds: how long the run took; None: it hasn't ended.
    """

    signal: Signal
    run: str
    line: str = ""
    seconds: float | None = None

    @property
    def rid(self) -> UUID:
        """The run as a UUID, the same for its start and its end, and when a task is retried."""
        return uuid5(NAMESPACE_OID, self.run)


def request_of(kind: Kind, address: str, heartbeat: Heartbeat) -> httpx.Request | None:
    """Return the request that sends a heartbeat; None if the monitor has no such signal.

    Args:
        kind: the monitor.
        address: of the check; a query, such as Uptime Kuma shows it, is ignored.
        heartbeat: the heartbeat.

    Raises:
        ValueError: it isn't an HTTP address.
    """
    try:
        url = httpx.URL(address).copy_with(query=None, fragment=None)
    except (httpx.InvalidURL, ValueError):
        raise ValueError("its address can't be read") from None  # which would show the secret
    if url.scheme not in ("http", "https") or not url.host:
        raise ValueError("its address must begin with https:// and a host")
    if kind == "healthchecks":
        path = url.path.rstrip("/") + _SUFFIXES[heartbeat.signal]
        there = url.copy_with(path=path, params={"rid": str(heartbeat.rid)})
        return httpx.Request("POST", there, content=heartbeat.line.encode())
    if heartbeat.signal is Signal.START:
        return None
    return httpx.Request("GET", url.copy_with(params=_kuma_parameters(heartbeat)))


def _kuma_parameters(heartbeat: Heartbeat) -> dict[str, str]:
    up = heartbeat.signal is Signal.SUCCESS
    parameters = {"status": "up" if up else "down", "msg": heartbeat.line[:_MAX_LINE] or "OK"}
    ping_ms = round((heartbeat.seconds or 0) * 1000)
    return parameters | ({"ping": str(ping_ms)} if 0 < ping_ms <= _MAX_PING_MS else {})


def send(request: httpx.Request, total_s: float = TOTAL_S) -> str | None:
    """Send a request, again if the network or the monitor fails; follow no redirect.

    Args:
        request: the request.
        total_s: seconds that all tries may take, the look-up of the host's name among them.

    Returns:
        why the monitor didn't take it, without its address; None if it did.
    """
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it would log the address
    try:
        _trusted()
    except OSError as error:  # the thread would only die of it
        return f"the authorities in SSL_CERT_FILE can't be read: {error.strerror}"
    answers: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    # A time-out of HTTP counts from byte to byte, and a look-up of a name has none: a thread can be left.
    threading.Thread(target=lambda: answers.put(_tried(request, total_s)), daemon=True).start()
    try:
        return answers.get(timeout=total_s)
    except queue.Empty:
        return f"it gave no answer within {total_s:g} s"


def _tried(request: httpx.Request, total_s: float) -> str | None:
    deadline, problem = time.monotonic() + total_s, None
    with httpx.Client(timeout=total_s / _TRIES, follow_redirects=False, verify=_trusted()) as client:
        for _ in range(_TRIES):
            problem, may_pass = _sent(client, request)
            if not may_pass or time.monotonic() + _PAUSE_S > deadline:
                break
            time.sleep(_PAUSE_S)
    return problem


@cache
def _trusted() -> ssl.SSLContext:
    """Return the authorities that may vouch for a monitor: the usual ones, or those in ``SSL_CERT_FILE``."""
    return httpx.create_ssl_context()


def _sent(client: httpx.Client, request: httpx.Request) -> tuple[str | None, bool]:
    """Send a request once; return the problem, if there is one, and whether another try may help."""
    try:
        response = client.send(request, stream=True)
        try:
            text = next(response.iter_text(_MAX_ANSWER), "")
        finally:
            response.close()
    except httpx.HTTPError as error:
        return str(error) or type(error).__name__, True
    except (httpx.InvalidURL, ValueError) as error:  # a host's name that can't be
        return type(error).__name__, False
    if response.is_redirect:
        return (
            "it redirects, which isn't followed: put the address that it leads to into the connection",
            False,
        )
    if not response.is_success:
        return f"it answers {response.status_code} {response.reason_phrase}".rstrip(), _may_pass(response)
    # Older healthchecks answer 200 for a check that they don't have, too: "OK (not found)".
    return (f"it answers {text.strip()!r}", False) if text.startswith("OK (") else (None, False)


def _may_pass(response: httpx.Response) -> bool:
    return response.status_code == httpx.codes.TOO_MANY_REQUESTS or response.is_server_error
