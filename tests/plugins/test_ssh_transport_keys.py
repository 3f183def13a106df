"""Private keys: both SSH clients take them, or both refuse them with what to do."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from include.errors import ConfigError
from include.remote.ssh import connected, ssh_command
from tests.plugins.transports import Connect, greet
from tests.site.sshd import SshServer


def as_file(key: str, folder: Path, name: str = "key") -> dict[str, Any]:
    """Return the extra of a connection whose key is in a file."""
    path = folder / name
    path.write_bytes(key.encode())
    path.chmod(0o644)
    return {"key_file": str(path)}


def inline(key: str, _folder: Path) -> dict[str, Any]:
    """Return the extra of a connection that has the key itself."""
    return {"key_file": None, "private_key": key}


@pytest.mark.parametrize("given", [as_file, inline])
@pytest.mark.parametrize("form", ["Windows line ends", "no last line end"])
def test_both_ssh_clients_take_a_key_in_either_form(
    connect: Connect,
    server: SshServer,
    tmp_path: Path,
    given: Callable[[str, Path], dict[str, Any]],
    form: str,
) -> None:
    """And a file of any mode: what one of the two alone would refuse."""
    key = server.key_file.read_text(encoding="ascii")
    key = key.replace("\n", "\r\n") if form == "Windows line ends" else key.rstrip("\n")
    transport = connect(given(key, tmp_path))
    assert greet(transport) == b"there\n"
    with connected(transport.endpoint) as config:
        done = subprocess.run(ssh_command(config, "echo there"), capture_output=True, check=False)
    assert done.stdout == b"there\n"


@pytest.mark.parametrize("name", ["key with space", "key%h%%", "k'e$y", "key#"])
def test_a_key_files_name_is_taken_literally(
    connect: Connect, server: SshServer, tmp_path: Path, name: str
) -> None:
    """Nothing expands it."""
    key = server.key_file.read_text(encoding="ascii")
    assert greet(connect(as_file(key, tmp_path, name))) == b"there\n"


@pytest.mark.parametrize("given", [as_file, inline])
@pytest.mark.parametrize(
    ("key", "reason"),
    [
        (
            "PuTTY-User-Key-File-3: ssh-ed25519\r\nEncryption: none\r\n",
            "is in PuTTY's form. Convert it: puttygen",
        ),
        ("ssh-ed25519 AAAAC3Nz me@here\n", "doesn't begin with -----BEGIN"),
        (
            "-----BEGIN OPENSSH PRIVATE KEY-----\nbm90\n-----END OPENSSH PRIVATE KEY-----\n",
            "OpenSSH can't use the key",
        ),
    ],
)
def test_a_key_that_neither_takes_is_refused_with_what_to_do(
    connect: Connect, tmp_path: Path, given: Callable[[str, Path], dict[str, Any]], key: str, reason: str
) -> None:
    """At once, not in the first copy."""
    with pytest.raises(ConfigError, match=f"The Airflow connection the_cluster: .*{reason}"):
        connect(given(key, tmp_path))


@pytest.mark.parametrize("given", [as_file, inline])
def test_a_key_with_a_passphrase_is_refused_with_what_to_do(
    connect: Connect, tmp_path: Path, given: Callable[[str, Path], dict[str, Any]]
) -> None:
    """Nobody is there to type it."""
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", str(tmp_path / "locked")]
    subprocess.run(command, check=True)
    with pytest.raises(ConfigError, match="If it has a passphrase, remove it: ssh-keygen -p -N '' -f KEY"):
        connect(given((tmp_path / "locked").read_text(encoding="ascii"), tmp_path))
