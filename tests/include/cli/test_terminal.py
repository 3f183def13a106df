"""The command line under the hands of a new user: no traceback, and a status that a script can use."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from include.__main__ import main
from include.vault import Vault
from tests.include.audit.kept import day
from tests.include.machine import environment
from tests.include.machines.machines import lay
from tests.include.restore.work import publish


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """An empty vault."""
    return Vault.create(tmp_path / "vault")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "required: COMMAND"),
        (["remove"], "invalid choice: 'remove'"),
        (["list", "--vault", ""], "it's empty. Name a folder."),
        (["list", "2026-268"], "unrecognized arguments: 2026-268"),
        (["verify", "--rate", "fast"], "'fast' is no number of MB above 0."),
        (["verify", "--rate", "nan"], "'nan' is no number of MB above 0."),
        (["verify", "--rate", "-1"], "'-1' is no number of MB above 0."),
        (["restore-day", "2026-268"], "required: --to"),
        (["restore-day", "2026-268", "--to", ""], "it's empty. Name a folder."),
        (["restore-machine", "--to", "/tmp"], "required: MACHINE"),
        (["restore-machine", "maq1", "--to", "/tmp", "--format", "vmdk"], "invalid choice: 'vmdk'"),
    ],
)
def test_what_isnt_understood_is_status_2_with_the_usage(
    capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    """Nothing is guessed: an empty name isn't the folder one is in."""
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("usage: python -m include")
    assert told in said


def test_an_empty_vault_says_so_when_it_is_listed(vault: Vault, capsys: pytest.CaptureFixture[str]) -> None:
    """A table without rows would be taken for good news."""
    assert main(["list", "--vault", str(vault.root)]) == 0
    assert "The vault holds no backup. Is it the right one?" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["restore-day", "2026-268"], ["restore-machine", "maq1"]])
def test_a_folder_that_is_a_file_is_status_2(
    vault: Vault, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    """It's named, and stays as it is."""
    publish(vault, {"a": b"first"})
    lay(vault)
    file = tmp_path / "file"
    file.write_text("mine")
    assert main([*command, "--to", str(file), "--vault", str(vault.root)]) == 2
    said = capsys.readouterr().err
    assert str(file) in said
    assert "folder" in said
    assert file.read_text() == "mine"


def typed(*words: str) -> subprocess.Popen[str]:
    """Type a command into a terminal of its own."""
    # What runs in the background of a script ignores Ctrl-C, and so would all that it starts.
    terminal = ["env", "--default-signal=INT"]
    return subprocess.Popen(
        [*terminal, sys.executable, "-m", "include", *words],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def interrupted(command: subprocess.Popen[str]) -> None:
    """Press Ctrl-C, which all processes of a terminal get; it ends with a sentence."""
    os.killpg(command.pid, signal.SIGINT)
    _, said = command.communicate(timeout=30)
    assert command.returncode == 130
    assert "Traceback" not in said
    assert said.splitlines()[-1].startswith("Interrupted. ")


def test_ctrl_c_ends_a_reading_at_once(vault: Vault) -> None:
    """With a sentence; nothing was recorded of what wasn't read to its end."""
    day(vault, {"a": b"x"})
    published = day(vault, {"a": b"x" * 30_000_000})
    command = typed("verify", "--record", "--rate", "0.5", "--vault", str(vault.root))
    assert command.stdout
    assert command.stdout.readline().startswith("whole     2026-268 ")
    began = time.monotonic()
    interrupted(command)
    assert time.monotonic() - began < 10
    assert published.proofs.read() == []


def test_ctrl_c_leaves_no_half_day_and_the_next_try_ends_it(vault: Vault, tmp_path: Path) -> None:
    """Its helpers get the same key, and say nothing of it."""
    (tmp_path / "target").mkdir()
    publish(vault, {"a": os.urandom(1 << 26)})
    words = ["restore-day", "2026-268", "--to", str(tmp_path / "target"), "--vault", str(vault.root)]
    command = typed(*words)
    staging = tmp_path / "target" / "2026" / ".268.restoring"
    deadline = time.monotonic() + 30
    while not staging.exists():
        assert time.monotonic() < deadline
        time.sleep(0.005)
    interrupted(command)
    assert not (tmp_path / "target" / "2026" / "268").exists()
    assert main(words) == 0
    assert not staging.exists()


def test_whoever_reads_only_the_first_line_is_no_error(vault: Vault) -> None:
    """As ``head`` does; the command ends quietly."""
    day(vault)
    command = typed("verify", "--vault", str(vault.root))
    assert command.stdout
    command.stdout.close()
    assert command.stderr
    said = command.stderr.read()
    assert command.wait(timeout=30) == 141
    assert said == ""
