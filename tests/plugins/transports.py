"""Transports to a real server, each through an Airflow connection of its own."""

import json
from typing import Any

import pytest

from inpe_backup.ssh_transport import SshTransport
from tests.site.sshd import SshServer


class Connect:
    """Makes transports to the server; each connection is in the environment, as at a site."""

    def __init__(self, server: SshServer, monkeypatch: pytest.MonkeyPatch) -> None:
        self._server = server
        self._set = monkeypatch.setenv

    def __call__(self, extra: dict[str, Any] | None = None, **fields: Any) -> SshTransport:  # noqa: ANN401 - JSON
        """Return a transport; a key of ``extra`` that is None is left out."""
        own = self._server.connection
        merged = {key: value for key, value in (own["extra"] | (extra or {})).items() if value is not None}
        self._set("AIRFLOW_CONN_THE_CLUSTER", json.dumps(own | fields | {"extra": merged}))
        return SshTransport("the_cluster")


def greet(transport: SshTransport) -> bytes:
    """Send a line to a remote ``cat``, and return its answer."""
    session = transport.open("cat", b"")
    try:
        return session.ask(b"there")
    finally:
        session.close()
