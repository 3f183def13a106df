"""An unreachable cluster is transient; one that refuses the key or has another host key needs a person."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from include.errors import BackupError, ConfigError, SourceRefusedError, SourceUnreachableError
from tests.include.days.day_tasks import Rehearsal
from tests.include.tcp_proxy import Wire
from tests.site.sshd import SshServer


@pytest.fixture
def rehearsal(rehearsal: Rehearsal, own_cluster: SshServer) -> Rehearsal:
    """A day at this test's own cluster."""
    rehearsal = rehearsal.but(connection=own_cluster.connection)
    rehearsal.write_day()
    return rehearsal


def refused(rehearsal: Rehearsal, error: type[BackupError]) -> str:
    """Return the message with which a copy is refused, before anything is staged."""
    with pytest.raises(error) as refusal:
        rehearsal.but(waits=True).do("copy")
    assert type(refusal.value) is error
    staging = rehearsal.vault.root / ".staging" / "supim"
    assert not staging.exists() or list(staging.iterdir()) == []
    return str(refusal.value)


def extra(connection: dict[str, Any], **changes: object) -> dict[str, Any]:
    """Return a connection with some keys of its extra changed, or left out if None."""
    merged = {key: value for key, value in (connection["extra"] | changes).items() if value is not None}
    return connection | {"extra": merged}


def test_a_stopped_server_is_unreachable_until_it_runs_again(
    rehearsal: Rehearsal, own_cluster: SshServer
) -> None:
    """The message names the server and the connection."""
    own_cluster.stop()
    server = f"{own_cluster.login}@127.0.0.1:{own_cluster.port} (connection supim_cluster)"
    assert refused(rehearsal, SourceUnreachableError).startswith(
        f"{server} can't be reached, or the connection was lost: "
    )
    own_cluster.start()
    rehearsal.do()
    assert rehearsal.is_published()


def test_a_server_that_hangs_up_is_unreachable(rehearsal: Rehearsal, own_cluster: SshServer) -> None:
    """During the key exchange, and during the log-in."""
    for carried in (10, 1000):
        with Wire(own_cluster, lambda wire, least=carried: wire.carried > least, Wire.cut) as wire:  # type: ignore[misc]
            refused(rehearsal.but(connection=wire.connection), SourceUnreachableError)


def test_an_unknown_host_name_is_unreachable(rehearsal: Rehearsal) -> None:
    """The name service may come back."""
    elsewhere = rehearsal.connection | {"host": "cluster.invalid"}
    message = refused(rehearsal.but(connection=elsewhere), SourceUnreachableError)
    assert "cluster.invalid" in message


def test_a_refused_key_needs_a_person(rehearsal: Rehearsal, own_cluster: SshServer) -> None:
    """Retries don't help, and might get the account blocked."""
    own_cluster.refuse_key()
    message = refused(rehearsal, SourceRefusedError)
    assert "(connection supim_cluster) refuses the connection's key" in message
    own_cluster.accept_key()
    rehearsal.do()
    assert rehearsal.is_published()


def test_another_host_key_is_refused_until_the_connection_is_changed(
    rehearsal: Rehearsal, own_cluster: SshServer
) -> None:
    """Nothing is sent to an unknown server; a person compares the keys and changes the connection."""
    own_cluster.change_host_key()
    message = refused(rehearsal, SourceRefusedError)
    assert "shows another host key than the connection's host_key. Find out why before" in message
    rehearsal.but(connection=own_cluster.connection).do()
    assert rehearsal.is_published()


@pytest.mark.parametrize(
    "changes",
    [
        {"host_key": None},
        {"host_key": None, "no_host_key_check": True},
        {"allow_host_key_change": True},
    ],
)
def test_a_connection_that_doesnt_pin_the_host_key_is_refused(
    rehearsal: Rehearsal, changes: dict[str, object]
) -> None:
    """Before it connects; the message says what to do."""
    unpinned = rehearsal.but(connection=extra(rehearsal.connection, **changes))
    message = refused(unpinned, ConfigError)
    assert message.startswith("The Airflow connection supim_cluster must pin the server's host key: ")
    assert "ssh-keyscan -t ed25519 127.0.0.1" in message


def test_a_connection_without_a_key_is_refused(rehearsal: Rehearsal) -> None:
    """Rsync can't type a password."""
    message = refused(rehearsal.but(connection=extra(rehearsal.connection, key_file=None)), ConfigError)
    assert message.startswith(
        "The Airflow connection supim_cluster needs a key_file or private_key in its extra"
    )


def test_the_private_key_may_be_in_the_connection_itself(
    rehearsal: Rehearsal, own_cluster: SshServer
) -> None:
    """As secrets backends do; then no file has the key, not even during the copy."""
    key = own_cluster.key_file.read_text()
    own_cluster.key_file.unlink()
    connection = extra(rehearsal.connection, key_file=None, private_key=key)
    left: list[Path] = []

    def find_keys(_: Wire) -> None:
        files = (path for path in Path("/tmp").glob("inpe-backup-*/*") if path.is_file())
        for path in files:
            with suppress(FileNotFoundError):  # another test's, which ended just now
                left.extend([path] if "PRIVATE KEY" in path.read_text() else [])

    with Wire(own_cluster, lambda wire: wire.connections > 1, find_keys) as wire:
        rehearsal.but(connection=connection | {"port": wire.connection["port"]}).do()
    assert rehearsal.is_published()
    assert left == []


@pytest.mark.parametrize(
    "changes",
    [
        {"host_key": "garbage"},
        {"host_key": "ssh-ed25519 AAAA"},
        {"host_key": "ssh-ed25519 @@@"},
        {"host_key": "ssh-unknown AAAA"},
        {"key_file": "/nowhere/key"},
        {"key_file": "/etc/hostname"},
        {"key_file": None, "private_key": "no key"},
    ],
)
def test_a_connection_with_invalid_keys_is_refused(rehearsal: Rehearsal, changes: dict[str, object]) -> None:
    """A retry would fail the same way."""
    message = refused(rehearsal.but(connection=extra(rehearsal.connection, **changes)), ConfigError)
    assert "supim_cluster" in message


def test_each_task_reads_the_connection_again(rehearsal: Rehearsal) -> None:
    """A person fixes the connection, and clears the task."""
    refused(rehearsal.but(connection=extra(rehearsal.connection, key_file="/nowhere/key")), ConfigError)
    rehearsal.do()
    assert rehearsal.is_published()
