"""The transport to an Airflow connection's host: only to the pinned server, else an error."""

import subprocess
import time
from pathlib import Path
from typing import Any

import paramiko
import pytest

from include.errors import (
    BackupError,
    ConfigError,
    HostError,
    SourceRefusedError,
    SourceUnreachableError,
    TransientError,
)
from inpe_backup import ssh_transport
from inpe_backup.ssh_transport import SshTransport
from tests.include.days.login_banners import force
from tests.include.tcp_proxy import Wire
from tests.plugins.transports import Connect, greet
from tests.session import needs
from tests.session.needs import own_mounts, program
from tests.site.sshd import SshServer


def test_a_pinned_server_answers(connect: Connect) -> None:
    """Rsync gets the same endpoint, with the same host key."""
    transport = connect()

    assert greet(transport) == b"there\n"
    assert transport.ssh_conn_id == "the_cluster"
    assert transport.endpoint.host_key.startswith("ssh-ed25519 AAAA")


def test_a_private_key_in_the_connection_works_too(connect: Connect, server: SshServer) -> None:
    """For workers without a file of their own for it."""
    transport = connect({"key_file": None, "private_key": server.key_file.read_text(encoding="ascii")})

    assert greet(transport) == b"there\n"


@pytest.mark.parametrize(
    "extra",
    [{"host_key": None}, {"host_key": None, "no_host_key_check": True}, {"allow_host_key_change": True}],
)
def test_a_connection_that_trusts_any_server_is_refused(connect: Connect, extra: dict[str, Any]) -> None:
    """The message has the command that shows the host key."""
    with pytest.raises(
        ConfigError, match=r"must pin the server's host key.*ssh-keyscan -t ed25519 127\.0\.0\.1"
    ):
        connect(extra)


def test_a_connection_without_a_key_is_refused(connect: Connect) -> None:
    """Rsync can't use a password."""
    with pytest.raises(ConfigError, match="needs a key_file or private_key"):
        connect({"key_file": None}, password="secret")  # noqa: S106 - it opens nothing


def test_an_unknown_connection_is_named_in_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """So a misspelt name in the site file is found."""
    monkeypatch.delenv("AIRFLOW_CONN_THE_CLUSTER", raising=False)
    with pytest.raises(ConfigError, match="no_such_cluster"):
        SshTransport("no_such_cluster")


def test_a_refused_key_is_reported_as_such(connect: Connect, server: SshServer) -> None:
    """It isn't transient."""
    server.refuse_key()
    try:
        with pytest.raises(SourceRefusedError, match=r"127\.0\.0\.1:\d+ \(connection the_cluster\) refuses"):
            greet(connect())
    finally:
        server.accept_key()


def test_another_host_key_is_refused(connect: Connect, tmp_path: Path) -> None:
    """The connection pins that of another server."""
    other = SshServer(tmp_path / "other")
    with other:
        key = other.host_key
    with pytest.raises(SourceRefusedError, match=r"shows another host key.*Find out why"):
        greet(connect({"host_key": key}))


def test_a_server_that_is_down_is_a_transient_error(connect: Connect, tmp_path: Path) -> None:
    """It may come back."""
    with SshServer(tmp_path / "other") as other:
        port = other.port
    with pytest.raises(SourceUnreachableError, match=f"127.0.0.1:{port} .*can't be reached"):
        greet(connect(port=port))


def test_an_unresolvable_name_is_a_transient_error(connect: Connect) -> None:
    """Name servers may fail for a while."""
    with pytest.raises(SourceUnreachableError, match=r"The name of .*@cluster\.invalid:.* can't be resolved"):
        greet(connect(host="cluster.invalid"))


def test_a_lost_session_is_a_transient_error(server: SshServer, connect: Connect) -> None:
    """The server stopped between two requests."""
    session = connect().open("cat", b"")
    assert session.ask(b"there") == b"there\n"
    server.stop()
    try:
        with pytest.raises(SourceUnreachableError):
            session.ask(b"still there?")
    finally:
        server.start()


# It may end before it's asked, or after.
@pytest.mark.parametrize("pause_s", [0, 0.3])
@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("echo 'no such year' >&2; exit 3", "ended with status 3: no such year"),
        ("exec no-such-python3", r"no python3 on its PATH: .*no-such-python3"),
    ],
)
def test_a_program_that_ends_early_is_reported_with_its_stderr(
    connect: Connect, command: str, message: str, pause_s: float
) -> None:
    """It isn't reported as a lost connection: a retry wouldn't help."""
    session = connect().open(command, b"")
    time.sleep(pause_s)
    with pytest.raises(BackupError, match=message):
        session.ask(b"2026")


def test_answers_of_any_length_are_read_one_by_one(connect: Connect) -> None:
    """Two that arrive together, and one of many packets; a last one without its line end counts, too."""
    session = connect().open("read a; printf 'one\\n\\ntwo\\n'; head -c 5000000 /dev/zero | tr '\\0' x", b"")
    assert [session.ask(b"go"), session.ask(b""), session.ask(b"")] == [b"one\n", b"two\n", b"x" * 5_000_000]


def test_a_command_returns_its_status_and_both_streams(connect: Connect) -> None:
    """However much it reads and prints."""
    command = "cat; printf 'it rains\\377\\n' >&2; exit 7"
    ran = connect().run(command, b"said\0\xff" * 100_000)
    assert ran == (7, b"said\0\xff" * 100_000, "it rains\\xff")


@pytest.mark.parametrize("size", [0, 10, 10_000_000])
@pytest.mark.parametrize("pause", ["", "sleep 0.3;"])
@pytest.mark.parametrize(("command", "status"), [("exec no-such-python3", 127), ("exit 3", 3), ("exit 0", 0)])
def test_a_command_that_doesnt_read_its_input_returns_its_status(
    connect: Connect, command: str, status: int, pause: str, size: int
) -> None:
    """It isn't reported as a lost connection, however much input it had."""
    assert connect().run(f"{pause} {command}", bytes(size)).status == status


def test_a_program_that_is_killed_below_its_shell_is_a_transient_error(connect: Connect) -> None:
    """The shell reports the signal as its exit status."""
    session = connect().open("sh -c 'kill -9 $$'; exit $?", b"")
    with pytest.raises(TransientError, match="ended with status 137"):
        session.ask(b"2026")


def test_a_killed_command_is_a_transient_error(connect: Connect) -> None:
    """The host may have been out of memory."""
    with pytest.raises(SourceUnreachableError, match="the connection was lost"):
        connect().run("kill -9 $$")


def test_a_command_whose_connection_is_lost_is_a_transient_error(server: SshServer, connect: Connect) -> None:
    """It may still be running on the host."""
    with (
        Wire(server, when=lambda wire: wire.carried > 1_000_000, then=Wire.cut) as wire,
        pytest.raises(SourceUnreachableError, match="the connection was lost"),
    ):
        connect(port=wire.connection["port"]).run("cat /dev/zero")


def test_a_silent_command_is_given_up(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that prints blank lines isn't."""
    monkeypatch.setattr(ssh_transport, "SILENCE_S", 1)
    alive = "for i in 1 2 3 4; do sleep 0.5; echo; done; echo said"
    assert connect().run(alive).output.strip() == b"said"
    with pytest.raises(SourceUnreachableError, match="the connection was lost: TimeoutError"):
        connect().run("exec sleep 4")


def test_a_file_is_written_atomically(connect: Connect, tmp_path: Path) -> None:
    """Nothing else is left in the folder; a second write replaces the file."""
    path = tmp_path / "it's a b.pyz"
    for content in (b"first" * 100_000, b""):
        connect().put(str(path), content)
        assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [(path.name, content)]


def test_an_interrupted_file_isnt_written(server: SshServer, connect: Connect, tmp_path: Path) -> None:
    """Half a program would be run."""
    (tmp_path / "x").write_bytes(b"before")
    with Wire(server, when=lambda wire: wire.carried > 20_000, then=Wire.cut) as wire:
        transport = connect(port=wire.connection["port"])
        with pytest.raises(SourceUnreachableError):
            transport.put(str(tmp_path / "x"), bytes(50_000_000))
    assert (tmp_path / "x").read_bytes() == b"before"


@pytest.mark.parametrize("folder", ["/no/such/folder", "/dev/null"])
def test_a_file_that_cant_be_written_is_an_error(connect: Connect, folder: str) -> None:
    """It isn't transient."""
    with pytest.raises(HostError, match=rf"^the_cluster: {folder}/x can't be written: .*No such file"):
        connect().put(f"{folder}/x", b"content")


def test_a_folder_without_write_permission_is_an_error(connect: Connect, tmp_path: Path) -> None:
    """Even for root; nothing is left there."""
    needs.root()
    subprocess.run([program("chattr"), "+i", tmp_path], check=True)
    try:
        with pytest.raises(HostError, match="Permission denied"):
            connect().put(str(tmp_path / "x"), b"content")
    finally:
        subprocess.run(["chattr", "-i", tmp_path], check=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("late_s", [0, 0.5])
def test_a_host_without_sftp_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late_s: float
) -> None:
    """It runs commands but takes no files; it may close the channel before our first message, or after."""
    with SshServer(tmp_path / "host") as own:
        force(own, "exec")
        transport = Connect(own, monkeypatch)()
        assert transport.run("echo there").output == b"there\n"
        client = paramiko.SFTPClient

        def late(channel: paramiko.Channel) -> paramiko.SFTPClient:
            time.sleep(late_s)
            return client(channel)

        monkeypatch.setattr(paramiko, "SFTPClient", late)
        with pytest.raises(HostError, match="the_cluster refuses SFTP"):
            transport.put(str(tmp_path / "x"), b"content")


def test_a_full_disk_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SFTP only reports "Failure"; the part that was written is removed."""
    needs.root()
    small = tmp_path / "small"
    small.mkdir()
    mounted = ["sh", "-c", 'mount -t tmpfs -o size=64k tmpfs "$0" && exec "$@"', str(small)]
    with SshServer(tmp_path / "host", enter=lambda: [*own_mounts(), *mounted]) as own:
        transport = Connect(own, monkeypatch)()
        with pytest.raises(HostError, match="can't be written: Failure"):
            transport.put(str(small / "x"), bytes(1_000_000))
        assert transport.run(f"ls -A {small}") == (0, b"", "")
        transport.put(str(small / "x"), b"less")
        assert transport.run(f"cat {small / 'x'}").output == b"less"
