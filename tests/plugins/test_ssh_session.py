"""Sessions whose network is cut off: no end of a connection ever comes, and both ends notice all the same."""

import socket
import subprocess
import time

import pytest

from include.days.source import source_program
from include.errors import SourceUnreachableError
from include.remote.program import RemoteProgram
from inpe_backup import ssh_transport
from tests.include.agent.agent_on_host import wait_until
from tests.include.quick_signs import EVERY_S, SILENCE_S, quick_program
from tests.include.tcp_proxy import Wire
from tests.plugins.transports import Connect, greet
from tests.site.sshd import SshServer


def test_a_command_whose_status_never_comes_is_given_up(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The network was cut off between the end of its output and its own."""
    monkeypatch.setattr(ssh_transport, "SILENCE_S", 1)
    with pytest.raises(SourceUnreachableError, match="no exit status within 1 s"):
        connect().run("exec >&- 2>&-; exec sleep 4")


def test_the_kernel_gives_up_a_host_that_acknowledges_nothing(connect: Connect) -> None:
    """Within a minute, whoever waits, and for whatever: something is sent four times a minute."""
    transport = connect()
    greet(transport)
    connection = transport.hook.get_conn().get_transport()
    assert connection is not None
    assert isinstance(connection.sock, socket.socket)
    unacknowledged_s = connection.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) / 1000
    assert unacknowledged_s
    assert transport.hook.keepalive_interval + unacknowledged_s <= 60


def test_a_program_ends_when_the_network_is_cut_off(
    server: SshServer, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have locked a day. Signs of life keep it while nothing is asked."""
    monkeypatch.setattr("include.agent.heartbeat.EVERY_S", EVERY_S)
    program = quick_program(source_program())
    marked = f"memfd_create.*{len(program.content)}"
    with Wire(server) as wire, RemoteProgram(connect(port=wire.connection["port"]), program, "it") as there:
        assert there.ask({}) == there.ask({})
        time.sleep(1.5 * SILENCE_S)
        assert pids(marked)
        wire.hold()
        wait_until(lambda: not pids(marked), "the program's end", 3 * SILENCE_S)


def pids(text: str) -> bytes:
    """Return the PIDs of the processes with a text in their command line."""
    return subprocess.run(["pgrep", "-f", text], capture_output=True, check=False).stdout
