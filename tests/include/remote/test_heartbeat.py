"""Heartbeats reach a real HTTP server in the form of each monitor, and one in trouble costs seconds only."""

import ipaddress
import logging
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from include.remote.heartbeat import Heartbeat, Kind, Signal, _trusted, request_of, send
from tests.site.monitor import Monitor
from tests.site.ports import LOOPBACK

RUN = "supim_daily scheduled__2026-268"
LINE = "SUPIM 2026-268 OK · 1 copied"
CHECK = "5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278"


@pytest.fixture
def monitor() -> Iterator[Monitor]:
    """A monitor."""
    with Monitor() as running:
        yield running


def ping(monitor: Monitor, signal: Signal, kind: Kind = "healthchecks", total_s: float = 5) -> str | None:
    """Send a heartbeat to a check of the monitor."""
    heartbeat = Heartbeat(signal, RUN, "" if signal is Signal.START else LINE, seconds=31.2)
    request = request_of(kind, f"{monitor.url}/{CHECK}", heartbeat)
    return send(request, total_s) if request else None


def test_healthchecks_hears_start_success_and_failure(monitor: Monitor) -> None:
    """By the path; the run's line is the body, and its id is the same each time."""
    for signal in Signal:
        assert ping(monitor, signal) is None
    assert monitor.paths == [f"/{CHECK}/start", f"/{CHECK}", f"/{CHECK}/fail"]
    assert {kept.method for kept in monitor.requests} == {"POST"}
    assert [kept.body for kept in monitor.requests] == ["", LINE, LINE]
    assert {kept.query["rid"] for kept in monitor.requests} == {str(Heartbeat(Signal.START, RUN).rid)}


def test_authorities_that_cant_be_read_are_named(monitor: Monitor, monkeypatch: pytest.MonkeyPatch) -> None:
    """It isn't the monitor that fails, and nobody waits for it."""
    _trusted.cache_clear()
    monkeypatch.setenv("SSL_CERT_FILE", "/no/such/file")
    started = time.monotonic()
    problem = ping(monitor, Signal.SUCCESS)
    assert problem == "the authorities in SSL_CERT_FILE can't be read: No such file or directory"
    assert time.monotonic() - started < 4


def test_other_runs_have_other_ids() -> None:
    """So that a monitor doesn't take the end of one for that of the other."""
    assert Heartbeat(Signal.START, RUN).rid != Heartbeat(Signal.START, f"{RUN}9").rid


def test_uptime_kuma_hears_up_and_down(monitor: Monitor) -> None:
    """With the run's line and how long it took; it has no start."""
    for signal in Signal:
        assert ping(monitor, signal, "uptime_kuma") is None
    assert {(kept.method, kept.path) for kept in monitor.requests} == {("GET", f"/{CHECK}")}
    assert [kept.query for kept in monitor.requests] == [
        {"status": "up", "msg": LINE, "ping": "31200"},
        {"status": "down", "msg": LINE, "ping": "31200"},
    ]


def test_an_address_is_taken_as_uptime_kuma_shows_it() -> None:
    """With an example of a query, of which nothing is left; a day is too long for its ping."""
    shown = f"https://kuma.example/api/push/{CHECK}?status=up&msg=OK&ping="
    request = request_of("uptime_kuma", shown, Heartbeat(Signal.FAILURE, RUN, LINE, 24 * 3600 + 1))
    assert request
    assert str(request.url).startswith(f"https://kuma.example/api/push/{CHECK}?status=down&msg=SUPIM")
    assert "ping" not in str(request.url)


@pytest.mark.parametrize(
    "address", [f"ftp://x/{CHECK}", CHECK, "", f"http://x:y/{CHECK}", f"http:///{CHECK}"]
)
def test_what_is_no_address_is_refused_without_showing_it(address: str) -> None:
    """It may contain the secret."""
    with pytest.raises(ValueError, match="its address") as refused:
        request_of("healthchecks", address, Heartbeat(Signal.START, RUN))
    assert CHECK not in str(refused.value)


def test_a_monitor_in_trouble_is_tried_again(monitor: Monitor) -> None:
    """Each try has the same id."""
    monitor.answers = [500, 429]
    assert ping(monitor, Signal.SUCCESS) is None
    assert len({kept.query["rid"] for kept in monitor.requests}) == 1
    assert len(monitor.requests) == 3


def test_what_no_retry_mends_is_tried_once(monitor: Monitor) -> None:
    """An unknown check; healthchecks says so with a status of 200."""
    monitor.answers = [404]
    assert ping(monitor, Signal.SUCCESS) == "it answers 404 Not Found"
    monitor.text = "OK (not found)"
    assert ping(monitor, Signal.SUCCESS) == "it answers 'OK (not found)'"
    assert len(monitor.requests) == 2


def test_no_redirect_is_followed(monitor: Monitor) -> None:
    """Another host would get the secret."""
    with Monitor() as other:
        monitor.answers, monitor.location = [302], f"{other.url}/{CHECK}"
        problem = ping(monitor, Signal.SUCCESS)
    assert problem
    assert problem.startswith("it redirects")
    assert (len(monitor.requests), other.requests) == (1, [])


def test_a_monitor_that_is_down_is_a_sentence(monitor: Monitor, caplog: pytest.LogCaptureFixture) -> None:
    """Without the address."""
    caplog.set_level(logging.DEBUG)
    down = Monitor()
    with down:
        pass
    problem = ping(down, Signal.SUCCESS)
    assert problem
    assert "refused" in problem
    assert ping(monitor, Signal.SUCCESS) is None
    assert CHECK not in problem + "".join(one.getMessage() for one in caplog.records if one.levelno >= 20)


def test_the_time_of_all_tries_is_limited(monitor: Monitor) -> None:
    """Even if each byte comes in time."""
    monitor.drip_s, monitor.text = 0.1, "x" * 20
    began = time.monotonic()
    assert ping(monitor, Signal.SUCCESS, total_s=0.4) == "it gave no answer within 0.4 s"
    assert time.monotonic() - began < 1


def test_an_unknown_certificate_is_refused(tmp_path: Path) -> None:
    """Anybody on the way could have made it."""
    with Monitor(tls=self_signed(tmp_path)) as impostor:
        problem = ping(impostor, Signal.SUCCESS)
    assert problem
    assert "certificate verify failed" in problem.lower()
    assert impostor.requests == []


def self_signed(folder: Path) -> ssl.SSLContext:
    """Return a server's TLS context whose certificate no authority has signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, LOOPBACK)])
    now = datetime.now(UTC)
    host = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(LOOPBACK))])
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    dated = made.not_valid_before(now).not_valid_after(now + timedelta(days=1))
    pem = serialization.Encoding.PEM
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file = folder / "server.pem"
    file.write_bytes(
        dated.add_extension(host, critical=False).sign(key, hashes.SHA256()).public_bytes(pem)
        + key.private_bytes(pem, *plain)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context
