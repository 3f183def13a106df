"""``protect`` and ``unprotect``: a person keeps a generation from removal, and sees it in ``list``."""

import json
from pathlib import Path

import pytest

from include.cli.__main__ import main
from include.vault.vault import Vault
from tests.include.vms.sample_vms import lay

NAME = "2026-11-22T05-00-03Z"


@pytest.fixture
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Vault:
    """A vault with one image of a VM; ana is at the terminal."""
    monkeypatch.setenv("SUDO_USER", "ana")
    vault = Vault.create(tmp_path / "vault")
    lay(vault)
    return vault


def typed(vault: Vault, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Run a command, and return its exit status, its output and its errors."""
    status = main([*arguments, "--vault", str(vault.root)])
    output = capsys.readouterr()
    return status, output.out, output.err


def test_list_shows_who_protects_an_image_and_why(vault: Vault, capsys: pytest.CaptureFixture[str]) -> None:
    """Until the protection is lifted; the JSON has it, too."""
    done = typed(vault, capsys, "protect", "maq1", NAME, "--reason", "before the patch")
    assert done == (0, f"maq1 {NAME} is protected by ana: before the patch.\n", "")
    assert typed(vault, capsys, "list")[1].endswith("  intact; protected by ana: before the patch\n")
    [listed] = json.loads(typed(vault, capsys, "list", "--json")[1])["backups"]
    assert (listed["protection"]["who"], listed["protection"]["why"]) == ("ana", "before the patch")

    done = typed(vault, capsys, "unprotect", "maq1", NAME)
    assert done == (0, f"maq1 {NAME} is no longer protected by ana: before the patch.\n", "")
    assert typed(vault, capsys, "list")[1].endswith("  intact\n")


def test_what_cant_be_protected_is_status_2(vault: Vault, capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown generation, one that isn't protected, no reason at all."""
    status, out, err = typed(vault, capsys, "protect", "maq1", "2026-11-23T05-00-03Z", "--reason", "so")
    assert (status, out) == (2, "")
    assert err == f"The vault has no generation '2026-11-23T05-00-03Z' of 'maq1', only '{NAME}'.\n"
    assert typed(vault, capsys, "unprotect", "maq1", NAME)[0] == 2
    with pytest.raises(SystemExit) as usage:
        typed(vault, capsys, "protect", "maq1", NAME)
    assert usage.value.code == 2


def test_without_sudo_the_account_is_who(
    vault: Vault, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if it has no name, as in a container."""
    monkeypatch.delenv("SUDO_USER")
    monkeypatch.setattr("os.getuid", lambda: 54321)
    assert (
        "is protected by user 54321: so."
        in typed(vault, capsys, "protect", "maq1", NAME, "--reason", "so")[1]
    )
