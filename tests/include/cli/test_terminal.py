"""Usage errors, Ctrl-C and closed pipes give a message and an exit status, and no traceback."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from include.cli.__main__ import main
from include.vault.vault import Vault
from tests.include.project_process import environment
from tests.include.restore.day_restores import publish
from tests.include.scrub.sample_backups import day
from tests.include.vms.sample_vms import lay


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """An empty vault."""
    return Vault.create(tmp_path / "vault")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "required: COMMAND"),
        (["remove"], "invalid choice: 'remove'"),
        (["list", "--vault", ""], "the path is empty; name a folder"),
        (["list", "2026-268"], "unrecognized arguments: 2026-268"),
        (["verify", "--rate", "fast"], "'fast' isn't a number of MB above 0"),
        (["verify", "--rate", "nan"], "'nan' isn't a number of MB above 0"),
        (["verify", "--rate", "-1"], "'-1' isn't a number of MB above 0"),
        (["restore-day", "2026-268"], "required: --to"),
        (["restore-day", "2026-268", "--to", ""], "the path is empty; name a folder"),
        (["restore-vm", "--to", "/tmp"], "required: VM"),
        (["restore-vm", "maq1", "--to", "/tmp", "--format", "vmdk"], "invalid choice: 'vmdk'"),
    ],
)
def test_a_usage_error_is_status_2_with_the_usage(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    """An empty path is an error, and not the current folder."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    output = capsys.readouterr().err
    assert output.startswith("usage: inpe-backup")
    assert message in output


def test_listing_an_empty_vault_prints_a_warning(vault: Vault, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty table could be mistaken for a healthy vault."""
    assert main(["list", "--vault", str(vault.root)]) == 0
    assert "The vault has no backups. Is it the right vault?" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["restore-day", "2026-268"], ["restore-vm", "maq1"]])
def test_a_folder_that_is_a_file_is_status_2(
    vault: Vault, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    """The message names it; it stays unchanged."""
    publish(vault, {"a": b"first"})
    lay(vault)
    file = tmp_path / "file"
    file.write_text("mine")
    assert main([*command, "--to", str(file), "--vault", str(vault.root)]) == 2
    output = capsys.readouterr().err
    assert str(file) in output
    assert "folder" in output
    assert file.read_text() == "mine"


def started(*arguments: str) -> subprocess.Popen[str]:
    """Start a command in a session of its own."""
    # A background job of a script ignores SIGINT, and its children inherit that.
    with_sigint = ["env", "--default-signal=INT"]
    return subprocess.Popen(
        [*with_sigint, sys.executable, "-m", "include.cli", *arguments],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def interrupt(command: subprocess.Popen[str]) -> None:
    """Send SIGINT to all processes of the command, as Ctrl-C does, and check how it ends."""
    os.killpg(command.pid, signal.SIGINT)
    _, errors = command.communicate(timeout=30)
    assert command.returncode == 130
    assert "Traceback" not in errors
    assert errors.splitlines()[-1].startswith("Interrupted. ")


def test_ctrl_c_ends_verify_at_once(vault: Vault) -> None:
    """Nothing is recorded of a backup that wasn't read completely."""
    day(vault, {"a": b"x"})
    published = day(vault, {"a": b"x" * 30_000_000})
    command = started("verify", "--record", "--rate", "0.5", "--vault", str(vault.root))
    assert command.stdout
    assert command.stdout.readline() == f"Vault: {vault.root}\n"
    assert command.stdout.readline().startswith("intact    2026-268 ")
    began = time.monotonic()
    interrupt(command)
    assert time.monotonic() - began < 10
    assert published.verification_log.read() == []


def test_ctrl_c_leaves_no_partial_day_and_the_next_restore_completes_it(vault: Vault, tmp_path: Path) -> None:
    """Its child processes get the same signal, and print nothing."""
    (tmp_path / "target").mkdir()
    publish(vault, {"a": os.urandom(1 << 26)})
    arguments = ["restore-day", "2026-268", "--to", str(tmp_path / "target"), "--vault", str(vault.root)]
    command = started(*arguments)
    staging = tmp_path / "target" / "2026" / ".268.restoring"
    deadline = time.monotonic() + 30
    while not staging.exists():
        assert time.monotonic() < deadline
        time.sleep(0.005)
    interrupt(command)
    assert not (tmp_path / "target" / "2026" / "268").exists()
    assert main(arguments) == 0
    assert not staging.exists()


def test_a_closed_pipe_ends_the_command_quietly(vault: Vault) -> None:
    """Such as that of ``head``."""
    day(vault)
    command = started("verify", "--vault", str(vault.root))
    assert command.stdout
    command.stdout.close()
    assert command.stderr
    errors = command.stderr.read()
    assert command.wait(timeout=30) == 141
    assert errors == ""
