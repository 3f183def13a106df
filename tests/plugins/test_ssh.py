"""The door to the source, opened from an Airflow connection: to one server only, or shut with a reason."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from include.errors import BackupError, ConfigError, SourceRefusedError, SourceUnreachableError
from inpe_backup.ssh import SshDoor
from tests.site.sshd import SshServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    """A cluster; a test that changes it changes it back."""
    with SshServer(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture
def connect(server: SshServer, monkeypatch: pytest.MonkeyPatch) -> "Connect":
    """Give the door of a connection that differs from the server's own."""
    return Connect(server, monkeypatch)


class Connect:
    """Connections to the server, each told to Airflow as a site does: by its environment."""

    def __init__(self, server: SshServer, monkeypatch: pytest.MonkeyPatch) -> None:
        self._server = server
        self._set = monkeypatch.setenv

    def __call__(self, extra: dict[str, Any] | None = None, **fields: Any) -> SshDoor:  # noqa: ANN401 - JSON
        """Open the door; a key of ``extra`` that is None is left out."""
        own = self._server.connection
        merged = {key: value for key, value in (own["extra"] | (extra or {})).items() if value is not None}
        self._set("AIRFLOW_CONN_THE_CLUSTER", json.dumps(own | fields | {"extra": merged}))
        return SshDoor("the_cluster")


def greet(door: SshDoor) -> bytes:
    """Ask a program at the other end to say a line back."""
    conversation = door.converse("cat", b"")
    try:
        return conversation.ask(b"there")
    finally:
        conversation.close()


def test_a_pinned_server_answers(connect: Connect) -> None:
    """And rsync gets the same way there, with the same host key."""
    door = connect()

    assert greet(door) == b"there\n"
    assert door.connection == "the_cluster"
    assert door.route.host_key.startswith("ssh-ed25519 AAAA")


def test_a_key_inside_the_connection_serves_too(connect: Connect, server: SshServer) -> None:
    """Where the worker has no file system of its own to keep one."""
    door = connect({"key_file": None, "private_key": server.key_file.read_text(encoding="ascii")})

    assert greet(door) == b"there\n"


@pytest.mark.parametrize(
    "extra",
    [{"host_key": None}, {"host_key": None, "no_host_key_check": True}, {"allow_host_key_change": True}],
)
def test_a_connection_that_trusts_any_server_is_refused(connect: Connect, extra: dict[str, Any]) -> None:
    """With the command that tells the host key."""
    with pytest.raises(
        ConfigError, match=r"must pin the server's host key.*ssh-keyscan -t ed25519 127\.0\.0\.1"
    ):
        connect(extra)


def test_a_connection_without_a_key_is_refused(connect: Connect) -> None:
    """A password wouldn't reach rsync."""
    with pytest.raises(ConfigError, match="needs a key_file or private_key"):
        connect({"key_file": None}, password="secret")  # noqa: S106 - it opens nothing


def test_a_connection_that_airflow_doesnt_know_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever wrote another name into the site file finds it."""
    monkeypatch.delenv("AIRFLOW_CONN_THE_CLUSTER", raising=False)
    with pytest.raises(ConfigError, match="no_such_cluster"):
        SshDoor("no_such_cluster")


def test_a_refused_key_is_said_to_be_one(connect: Connect, server: SshServer) -> None:
    """No retry can mend it."""
    server.refuse_key()
    try:
        with pytest.raises(SourceRefusedError, match=r"127\.0\.0\.1:\d+ \(connection the_cluster\) refuses"):
            greet(connect())
    finally:
        server.accept_key()


def test_another_host_key_is_refused(connect: Connect, tmp_path: Path) -> None:
    """The connection pins that of another machine."""
    other = SshServer(tmp_path / "other")
    with other:
        key = other.host_key
    with pytest.raises(SourceRefusedError, match=r"shows another host key.*Find out why"):
        greet(connect({"host_key": key}))


def test_a_server_that_is_off_may_come_back(connect: Connect, tmp_path: Path) -> None:
    """So it's worth a retry."""
    with SshServer(tmp_path / "other") as other:
        port = other.port
    with pytest.raises(SourceUnreachableError, match=f"127.0.0.1:{port} .*can't be reached"):
        greet(connect(port=port))


def test_a_name_that_cant_be_resolved_is_told(connect: Connect) -> None:
    """Name servers fail for a while, too."""
    with pytest.raises(SourceUnreachableError, match=r"The name of .*@cluster\.invalid:.* can't be resolved"):
        greet(connect(host="cluster.invalid"))


def test_a_session_that_is_cut_off_is_worth_a_retry(server: SshServer, connect: Connect) -> None:
    """The server went away between two questions."""
    conversation = connect().converse("cat", b"")
    assert conversation.ask(b"there") == b"there\n"
    server.stop()
    try:
        with pytest.raises(SourceUnreachableError):
            conversation.ask(b"still there?")
    finally:
        server.start()


# It may end before it's asked, or after.
@pytest.mark.parametrize("pause_s", [0, 0.3])
@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("echo 'no such year' >&2; exit 3", "ended with status 3: no such year"),
        ("exec no-such-python3", r"no python3 on its PATH: .*no-such-python3"),
    ],
)
def test_a_program_that_ends_leaves_its_last_words(
    connect: Connect, command: str, words: str, pause_s: float
) -> None:
    """That is no broken connection: another try wouldn't help."""
    conversation = connect().converse(command, b"")
    time.sleep(pause_s)
    with pytest.raises(BackupError, match=words):
        conversation.ask(b"2026")
