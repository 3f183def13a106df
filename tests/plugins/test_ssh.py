"""The door to the source, opened from an Airflow connection: to one server only, or shut with a reason."""

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from include.errors import BackupError, ConfigError, HostError, SourceRefusedError, SourceUnreachableError
from inpe_backup import ssh
from inpe_backup.ssh import SshDoor
from tests.include.logins import force
from tests.include.machine import own_mounts, program
from tests.include.wire import Wire
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


def test_a_command_runs_to_its_end(connect: Connect) -> None:
    """Heard, and told with its status and both of its streams."""
    words = "cat; printf 'it rains\\377\\n' >&2; exit 7"
    ran = connect().run(words, b"said\0\xff" * 100_000)
    assert ran == (7, b"said\0\xff" * 100_000, "it rains\\xff")


@pytest.mark.parametrize("size", [0, 10, 10_000_000])
@pytest.mark.parametrize("pause", ["", "sleep 0.3;"])
@pytest.mark.parametrize(("command", "status"), [("exec no-such-python3", 127), ("exit 3", 3), ("exit 0", 0)])
def test_a_command_that_doesnt_listen_is_told_by_its_status(
    connect: Connect, command: str, status: int, pause: str, size: int
) -> None:
    """However much was to be said to it: that's no broken connection."""
    assert connect().run(f"{pause} {command}", bytes(size)).status == status


def test_a_command_of_a_program_that_is_killed_is_worth_a_retry(connect: Connect) -> None:
    """The machine may have been out of memory."""
    with pytest.raises(SourceUnreachableError, match="the connection was cut"):
        connect().run("kill -9 $$")


def test_a_command_that_is_cut_off_is_worth_a_retry(server: SshServer, connect: Connect) -> None:
    """It may go on there."""
    with (
        Wire(server, when=lambda wire: wire.carried > 1_000_000, then=Wire.cut) as wire,
        pytest.raises(SourceUnreachableError, match="went away"),
    ):
        connect(port=wire.connection["port"]).run("cat /dev/zero")


def test_a_command_that_says_nothing_is_given_up(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """And one that shows that it lives isn't."""
    monkeypatch.setattr(ssh, "SILENCE_S", 1)
    lives = "for i in 1 2 3 4; do sleep 0.5; echo; done; echo said"
    assert connect().run(lives).output.strip() == b"said"
    with pytest.raises(SourceUnreachableError, match="went away: TimeoutError"):
        connect().run("sleep 20")


def test_a_file_is_put_there_whole(connect: Connect, tmp_path: Path) -> None:
    """And nothing beside it; a second one takes the first one's place."""
    path = tmp_path / "it's a b.pyz"
    for content in (b"first" * 100_000, b""):
        connect().put(str(path), content)
        assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [(path.name, content)]


def test_a_file_that_is_cut_off_isnt_there(server: SshServer, connect: Connect, tmp_path: Path) -> None:
    """A program that is half there would be run."""
    (tmp_path / "x").write_bytes(b"before")
    with Wire(server, when=lambda wire: wire.carried > 20_000, then=Wire.cut) as wire:
        door = connect(port=wire.connection["port"])
        with pytest.raises(SourceUnreachableError):
            door.put(str(tmp_path / "x"), bytes(50_000_000))
    assert (tmp_path / "x").read_bytes() == b"before"


@pytest.mark.parametrize("folder", ["/no/such/folder", "/dev/null"])
def test_a_file_that_cant_be_put_is_told(connect: Connect, folder: str) -> None:
    """No retry can mend it."""
    with pytest.raises(HostError, match=rf"^the_cluster: {folder}/x can't be written there: .*No such file"):
        connect().put(f"{folder}/x", b"content")


def test_a_folder_that_may_not_be_written_is_told(connect: Connect, tmp_path: Path) -> None:
    """Not even by root; nothing is left there."""
    subprocess.run([program("chattr"), "+i", tmp_path], check=True)
    try:
        with pytest.raises(HostError, match="Permission denied"):
            connect().put(str(tmp_path / "x"), b"content")
    finally:
        subprocess.run(["chattr", "-i", tmp_path], check=True)
    assert list(tmp_path.iterdir()) == []


def test_a_host_without_sftp_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs commands, and takes no files."""
    with SshServer(tmp_path / "host") as own:
        force(own, "exec")
        door = Connect(own, monkeypatch)()
        assert door.run("echo there").output == b"there\n"
        with pytest.raises(HostError, match="the_cluster gives its user no SFTP"):
            door.put(str(tmp_path / "x"), b"content")


def test_a_host_whose_disk_is_full_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SFTP calls it a failure, and no more; what was written of it goes."""
    small = tmp_path / "small"
    small.mkdir()
    mounted = ["sh", "-c", 'mount -t tmpfs -o size=64k tmpfs "$0" && exec "$@"', str(small)]
    with SshServer(tmp_path / "host", enter=lambda: [*own_mounts(), *mounted]) as own:
        door = Connect(own, monkeypatch)()
        with pytest.raises(HostError, match="can't be written there: Failure"):
            door.put(str(small / "x"), bytes(1_000_000))
        assert door.run(f"ls -A {small}") == (0, b"", "")
        door.put(str(small / "x"), b"less")
        assert door.run(f"cat {small / 'x'}").output == b"less"
