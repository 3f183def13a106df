"""The OpenSSH configuration of one host, with its pinned host key and an agent; rsync and streams use it."""

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from include.errors import BackupError, ConfigError

# The kernel sends SIGTERM when the task's process dies, even by SIGKILL: no orphan keeps copying.
DIE_WITH_PARENT = ("setpriv", "--pdeathsig", "TERM", "--")
# Debian's ssh-agent is set-group-ID: the kernel drops the signal for such a program, unless it gains nothing.
_AGENT_DIES_WITH_PARENT = (DIE_WITH_PARENT[0], "--no-new-privs", *DIE_WITH_PARENT[1:])
HOST = "host"
"""The name of the host in its configuration."""
STDERR_BYTES = 4000
"""How much of a program's standard error is kept, in bytes."""
_AGENT_PATIENCE_S = 30.0


@dataclass(frozen=True)
class Endpoint:
    """How OpenSSH reaches a host, from an Airflow SSH connection.

    Args:
        host: name or address.
        port: TCP port.
        user: login name.
        host_key: the pinned host key, as its type and base64.
        private_key: the private key, as ``private_key.normalized`` returns it.
    """

    host: str
    port: int
    user: str
    host_key: str
    private_key: str

    def __post_init__(self) -> None:
        for value in (self.host, self.user, self.host_key):
            if any(char in '"\n\r\0' for char in value):
                raise BackupError(f"{value!r} isn't allowed in an SSH configuration.")


@contextmanager
def configured(endpoint: Endpoint) -> Iterator[Path]:
    """Write an OpenSSH configuration in which ``HOST`` is the endpoint, and remove it after the block."""
    # In /tmp whatever TMPDIR is: a socket's path must be short, and ssh allows no spaces and no % in it.
    private_folder = tempfile.TemporaryDirectory(prefix="inpe-backup-", dir="/tmp")
    with private_folder as private, _agent(endpoint.private_key, Path(private, "agent")) as agent:
        yield _write_config(endpoint, agent, Path(private))


@contextmanager
def connected(endpoint: Endpoint) -> Iterator[Path]:
    """Do the same as :func:`configured`, and open a master connection in the background (ssh_config(5)).

    Connections share it once it is up, and open by themselves before: it helps where there are several, or
    where something else is done first.
    """
    with configured(endpoint) as config:
        master = subprocess.Popen(
            [*DIE_WITH_PARENT, "ssh", "-F", str(config), "-M", "-N", HOST],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield config
        finally:
            master.terminate()
            master.wait()


def ssh_command(config: Path, command: str, *options: str) -> list[str]:
    """Return the command line that runs a command at the host.

    Args:
        config: from :func:`configured`.
        command: quoted for the host's shell.
        options: more options of ssh.
    """
    return [*DIE_WITH_PARENT, "ssh", "-F", str(config), *options, HOST, command]


@contextmanager
def _agent(key: str, path: Path) -> Iterator[Path]:
    """Keep a private key in an ssh-agent at a socket: no kill can leave it on a disk.

    A file in this process's memory wouldn't do: Airflow makes its tasks undumpable (prctl(2)), which closes
    their /proc/PID/fd to all other processes.

    Raises:
        ConfigError: the agent doesn't take the key, or didn't start.
    """
    agent = subprocess.Popen(
        [*_AGENT_DIES_WITH_PARENT, "ssh-agent", "-D", "-a", str(path)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(path, agent)
        add = subprocess.run(
            ["ssh-add", "-q", "-"],
            input=key,
            env={**os.environ, "SSH_AUTH_SOCK": str(path), "SSH_ASKPASS_REQUIRE": "never"},
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if add.returncode:
            raise ConfigError(f"ssh-add can't use the connection's private key: {add.stderr.strip()}")
        yield path
    finally:
        agent.terminate()
        agent.wait()


def _wait_for(path: Path, agent: "subprocess.Popen[bytes]") -> None:
    """Wait until the agent answers at its socket."""
    deadline = time.monotonic() + _AGENT_PATIENCE_S
    while agent.poll() is None and time.monotonic() < deadline:
        with suppress(OSError), socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            return
        time.sleep(0.005)
    raise ConfigError(
        "ssh-agent didn't start on this machine. Install it: sudo apt-get install openssh-client"
    )


def _write_config(endpoint: Endpoint, agent: Path, private: Path) -> Path:
    known, config = private / "known_hosts", private / "config"
    known.write_text(f"{HOST} {endpoint.host_key}\n", encoding="utf-8")
    lines = {
        "HostName": f'"{_literal(endpoint.host)}"',
        "Port": str(endpoint.port),
        "User": f'"{endpoint.user}"',
        "IdentityAgent": str(agent),
        "IdentityFile": "none",
        "UserKnownHostsFile": str(known),
        "GlobalKnownHostsFile": "none",
        "HostKeyAlias": HOST,
        "StrictHostKeyChecking": "yes",
        "BatchMode": "yes",
        "ConnectTimeout": "20",
        "ServerAliveInterval": "15",
        "ServerAliveCountMax": "3",  # a vanished host is noticed within a minute
        "ControlPath": str(private / "master"),
        "Ciphers": "^aes128-gcm@openssh.com",  # the fastest on CPUs with AES instructions
    }
    text = f"Host {HOST}\n" + "".join(f"  {word} {value}\n" for word, value in lines.items())
    config.write_text(text, encoding="utf-8")
    return config


def _literal(value: str) -> str:
    return value.replace("%", "%%")  # ssh_config(5), TOKENS
