"""A cluster that can't be reached is worth another try; one that refuses, or is another, needs a person."""

from pathlib import Path
from typing import Any

import pytest

from include.errors import BackupError, ConfigError, SourceRefusedError, SourceUnreachableError
from tests.include.rehearsal import Rehearsal
from tests.include.wire import Wire
from tests.site.sshd import SshServer


@pytest.fixture
def rehearsal(rehearsal: Rehearsal, own_cluster: SshServer) -> Rehearsal:
    """A day at a cluster of its own."""
    rehearsal = rehearsal.but(connection=own_cluster.connection)
    rehearsal.write_day()
    return rehearsal


def refused(rehearsal: Rehearsal, error: type[BackupError]) -> str:
    """Give the sentence with which a copy is refused, before anything is staged."""
    with pytest.raises(error) as told:
        rehearsal.but(waits=True).do("copy")
    assert type(told.value) is error
    staging = rehearsal.vault.root / ".staging" / "supim"
    assert not staging.exists() or list(staging.iterdir()) == []
    return str(told.value)


def extra(connection: dict[str, Any], **changes: object) -> dict[str, Any]:
    """Give a connection with another extra; what is None is left out."""
    merged = {key: value for key, value in (connection["extra"] | changes).items() if value is not None}
    return connection | {"extra": merged}


def test_a_stopped_server_is_unreachable_until_it_runs_again(
    rehearsal: Rehearsal, own_cluster: SshServer
) -> None:
    """The message says who was asked, by which connection."""
    own_cluster.stop()
    there = f"{own_cluster.login}@127.0.0.1:{own_cluster.port} (connection supim_cluster)"
    assert refused(rehearsal, SourceUnreachableError).startswith(f"{there} can't be reached, or went away: ")
    own_cluster.start()
    rehearsal.do()
    assert rehearsal.is_published()


def test_a_server_that_hangs_up_is_unreachable(rehearsal: Rehearsal, own_cluster: SshServer) -> None:
    """In the middle of the key exchange, and while log-in is asked for."""
    for carried in (10, 1000):
        with Wire(own_cluster, lambda wire, least=carried: wire.carried > least, Wire.cut) as wire:  # type: ignore[misc]
            refused(rehearsal.but(connection=wire.connection), SourceUnreachableError)


def test_a_name_that_isnt_known_is_unreachable(rehearsal: Rehearsal) -> None:
    """The name service may come back."""
    elsewhere = rehearsal.connection | {"host": "cluster.invalid"}
    told = refused(rehearsal.but(connection=elsewhere), SourceUnreachableError)
    assert "cluster.invalid" in told


def test_a_refused_key_needs_a_person(rehearsal: Rehearsal, own_cluster: SshServer) -> None:
    """Trying again doesn't help, and might shut us out."""
    own_cluster.refuse_key()
    told = refused(rehearsal, SourceRefusedError)
    assert "(connection supim_cluster) refuses the connection's key" in told
    own_cluster.accept_key()
    rehearsal.do()
    assert rehearsal.is_published()


def test_another_host_key_is_refused_for_good(rehearsal: Rehearsal, own_cluster: SshServer) -> None:
    """Nothing is sent to a stranger; a person compares the keys and changes the connection."""
    own_cluster.change_host_key()
    told = refused(rehearsal, SourceRefusedError)
    assert "shows another host key than the connection's host_key. Find out why before" in told
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
    """With what to do; nobody is asked."""
    loose = rehearsal.but(connection=extra(rehearsal.connection, **changes))
    told = refused(loose, ConfigError)
    assert told.startswith("The Airflow connection supim_cluster must pin the server's host key: ")
    assert "ssh-keyscan -t ed25519 127.0.0.1" in told


def test_a_connection_without_a_key_is_refused(rehearsal: Rehearsal) -> None:
    """Rsync has no way to type a password."""
    told = refused(rehearsal.but(connection=extra(rehearsal.connection, key_file=None)), ConfigError)
    assert told.startswith(
        "The Airflow connection supim_cluster needs a key_file or private_key in its extra"
    )


def test_a_key_can_be_kept_in_the_connection_itself(rehearsal: Rehearsal, own_cluster: SshServer) -> None:
    """As secrets backends do; then no file has it, in the middle of the copy either."""
    key = own_cluster.key_file.read_text()
    own_cluster.key_file.unlink()
    connection = extra(rehearsal.connection, key_file=None, private_key=key)
    left: list[Path] = []

    def look_for_keys(_: Wire) -> None:
        files = (path for path in Path("/tmp").glob("inpe-backup-*/*") if path.is_file())
        left.extend(path for path in files if "PRIVATE KEY" in path.read_text())

    with Wire(own_cluster, lambda wire: wire.connections > 1, look_for_keys) as wire:
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
def test_a_connection_whose_keys_are_none_is_refused(
    rehearsal: Rehearsal, changes: dict[str, object]
) -> None:
    """Another try would fail the same way."""
    told = refused(rehearsal.but(connection=extra(rehearsal.connection, **changes)), ConfigError)
    assert "supim_cluster" in told


def test_each_task_reads_the_connection_anew(rehearsal: Rehearsal) -> None:
    """A person mends it, and clears the task."""
    refused(rehearsal.but(connection=extra(rehearsal.connection, key_file="/nowhere/key")), ConfigError)
    rehearsal.do()
    assert rehearsal.is_published()
