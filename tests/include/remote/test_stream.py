"""A stream's lines, from a local program; its tests over SSH are those of its users."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from include.errors import VaultError
from include.remote.ssh import connected
from include.remote.stream import Stream, opened
from tests.include.tcp_proxy import Wire
from tests.include.vms.exported_disks import endpoint
from tests.site.sshd import SshServer

_PRINT = "import json, sys; print(); print(json.dumps({'file': 'A' * int(sys.argv[1])})); sys.stdin.read()"
ARM_BYTES = 64 << 20  # of the UEFI variables of a VM on ARM


def test_a_line_has_room_for_the_largest_uefi_variables_and_takes_seconds() -> None:
    """In Base64, after a blank line."""
    count, began = ARM_BYTES // 3 * 4, time.monotonic()
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            [sys.executable, "-c", _PRINT, str(count)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process,
    ):
        stream = Stream(process, errors)
        assert len(stream.read_line()["file"]) == count
        assert stream.end() == 0
    assert time.monotonic() - began < 30


def test_what_cant_be_read_here_ends_the_stream(cluster: SshServer) -> None:
    """The host waits for it, and would wait for ever."""

    def parts() -> Iterator[bytes]:
        yield bytes(1 << 20)
        raise VaultError("the vault's disk is broken")

    with connected(endpoint(cluster.connection)) as config:

        def send() -> None:
            with opened(config, "cat >/dev/null") as stream:
                stream.send_line_meanwhile({}, parts())
                stream.read_line()

        with pytest.raises(VaultError, match="the vault's disk is broken"):
            send()


@pytest.mark.slow
def test_a_worker_that_only_sends_notices_a_network_that_is_cut_off(cluster: SshServer) -> None:
    """Ssh asks the server for a sign of life, here each second: three missing ones end it."""
    with Wire(cluster) as wire, connected(endpoint(wire.connection)) as config:
        _every_second(config)

        def send() -> None:
            with opened(config, "echo '{}'; cat >/dev/null") as stream:
                stream.read_line()
                wire.hold()
                for _ in range(99):
                    stream.send(bytes(1 << 20))

        began = time.monotonic()
        with pytest.raises(BrokenPipeError):
            send()
        assert time.monotonic() - began < 15


def test_ssh_notices_within_a_minute(cluster: SshServer) -> None:
    """By its own configuration: the machine's isn't read."""
    with connected(endpoint(cluster.connection)) as config:
        words = dict(line.split(maxsplit=1) for line in config.read_text().splitlines())
    assert int(words["ServerAliveInterval"]) * (int(words["ServerAliveCountMax"]) + 1) <= 60


def _every_second(config: Path) -> None:
    text = config.read_text()
    assert "ServerAliveInterval 15" in text
    config.write_text(text.replace("ServerAliveInterval 15", "ServerAliveInterval 1"))
