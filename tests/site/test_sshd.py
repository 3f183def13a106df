"""The SSH server is a real one: it checks keys, and clients can check its key."""

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.site import processes
from tests.site.sshd import SshServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SshServer]:
    """Start a server for each test."""
    with SshServer(tmp_path / "cluster") as running:
        yield running


def ssh(server: SshServer, known_hosts: str, *command: str) -> list[str]:
    """Write a ``known_hosts`` file; return the command of a client that trusts only it."""
    hosts = server.folder / "known_hosts"
    hosts.write_text(known_hosts, encoding="ascii")
    options = ["BatchMode=yes", "StrictHostKeyChecking=yes", f"UserKnownHostsFile={hosts}"]
    options += ["IdentitiesOnly=yes", f"IdentityFile={server.key_file}"]
    target = ["-p", str(server.port), f"{server.login}@127.0.0.1"]
    return ["ssh", "-F", "none", *(part for option in options for part in ("-o", option)), *target, *command]


def call(server: SshServer, known_hosts: str, *command: str) -> "subprocess.CompletedProcess[str]":
    """Run a command over the server."""
    return subprocess.run(
        ssh(server, known_hosts, *command), capture_output=True, text=True, timeout=20, check=False
    )


def test_the_key_logs_in(server: SshServer) -> None:
    """Commands run as the same account."""
    answer = call(server, server.known_hosts, "id", "-un")

    assert answer.stdout == f"{server.login}\n", answer.stderr
    assert server.connection["extra"]["host_key"].startswith("ssh-ed25519 AAAA")


def test_another_host_key_on_the_same_port_is_noticed(server: SshServer) -> None:
    """As if another server answered."""
    trusted, port = server.known_hosts, server.port
    server.change_host_key()
    answer = call(server, trusted, "true")

    assert server.port == port
    assert answer.returncode == 255
    assert "Host key verification failed" in answer.stderr
    assert call(server, server.known_hosts, "true").returncode == 0


def test_a_refused_key_cant_log_in(server: SshServer) -> None:
    """Until it's accepted again."""
    server.refuse_key()
    answer = call(server, server.known_hosts, "true")
    server.accept_key()

    assert answer.returncode == 255
    assert "Permission denied (publickey)" in answer.stderr
    assert call(server, server.known_hosts, "true").returncode == 0


def test_stopping_ends_all_sessions(server: SshServer) -> None:
    """No process is left, and the port is free for the next start."""
    client = subprocess.Popen(ssh(server, server.known_hosts, "echo there; exec sleep 600"), stdout=-1)
    assert client.stdout is not None
    assert client.stdout.readline() == b"there\n"
    family = processes.family([int((server.folder / "sshd.pid").read_text())])
    server.stop()

    assert client.wait(timeout=10) == 255
    client.stdout.close()
    assert len(family) >= 3
    assert not processes.family(family)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), timeout=1)


def test_a_start_replaces_a_server_whose_starter_was_killed(server: SshServer) -> None:
    """Same port, same keys, one server: as in a second ``make demo`` after a crash."""
    before = server.known_hosts
    with SshServer(server.folder) as second:
        assert second.known_hosts == before
        assert call(second, before, "true").returncode == 0


def test_a_server_that_cant_start_says_why(tmp_path: Path) -> None:
    """The error has the end of its log."""
    server = SshServer(tmp_path / "cluster")
    with server:
        pass
    (server.folder / "host_key").chmod(0o644)  # sshd refuses a private key that others can read

    with pytest.raises(RuntimeError, match=r"(?s)host_key.*bad permissions|no hostkeys available"):
        server.start()
