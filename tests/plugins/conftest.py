"""The server that transports connect to."""

from collections.abc import Iterator

import pytest

from tests.plugins.transports import Connect
from tests.site.sshd import SshServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    """A cluster; a test that changes it changes it back."""
    with SshServer(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture
def connect(server: SshServer, monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Return a maker of transports whose connections differ from the server's own."""
    return Connect(server, monkeypatch)
