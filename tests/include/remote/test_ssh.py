"""OpenSSH's programs use the connection's key, whoever runs the task, though Airflow hides its memory."""

import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from include.remote.ssh import configured
from include.remote.stream import opened
from tests.include.tcp_proxy import Wire
from tests.include.vms.exported_disks import endpoint
from tests.session import needs
from tests.site.sshd import SshServer

# What Airflow 3.3's supervisor does before a task runs, and a shell on the host afterwards.
UNDUMPABLE = """
import ctypes, subprocess, sys
ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)
from include.remote import private_key
from include.remote.ssh import Endpoint, connected, ssh_command
port, user, host_key, key = sys.argv[1:]
assert not (problem := private_key.problem(key)), problem
with connected(Endpoint("127.0.0.1", int(port), user, host_key, private_key.normalized(key))) as config:
    print(subprocess.run(ssh_command(config, "echo there"), capture_output=True, text=True))
"""

KEPT_OPEN = """
import sys
from include.remote.ssh import Endpoint, connected
with connected(Endpoint("127.0.0.1", 9, "nobody", "ssh-ed25519 AAAA", sys.argv[1])) as config:
    print(config.parent, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def without_rights() -> list[str]:
    """Return the prefix of a command that can't look into other processes, as root could."""
    return [needs.program("setpriv"), "--bounding-set=-all", "--inh-caps=-all", "--"]


def test_an_undumpable_process_without_roots_rights_connects(
    tmp_path: Path, without_rights: list[str]
) -> None:
    """As in every task of an Airflow that doesn't run as root."""
    with SshServer(tmp_path / "host") as server:
        key = server.key_file.read_text(encoding="ascii").replace("\n", "\r\n")
        arguments = [str(server.port), server.login, server.host_key, key]
        done = subprocess.run(
            [*without_rights, sys.executable, "-c", UNDUMPABLE, *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
    assert "stdout='there\\n'" in done.stdout, done.stdout + done.stderr


def test_a_stream_needs_one_connection(cluster: SshServer) -> None:
    """A master connection that nobody waits for would only keep both ends busy."""
    with Wire(cluster) as wire, configured(endpoint(wire.connection)) as config:
        with opened(config, "echo '{}'; cat >/dev/null") as stream:
            stream.read_line()
        assert not (config.parent / "master").exists()
    assert wire.connections == 1


def test_the_agent_with_the_key_ends_with_a_killed_task(tmp_path: Path) -> None:
    """Though Debian's ssh-agent is set-group-ID; else each killed task would leave one with its key."""
    key = tmp_path / "key"
    subprocess.run([needs.program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
    task = [sys.executable, "-c", KEPT_OPEN, key.read_text(encoding="ascii")]
    with subprocess.Popen(task, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        private = Path(running.stdout.readline().strip())
        assert _answers(private / "agent")
        running.kill()
    deadline = time.monotonic() + 10
    while (left := _answers(private / "agent")) and time.monotonic() < deadline:
        time.sleep(0.02)
    shutil.rmtree(private)
    assert not left


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0
