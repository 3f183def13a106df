"""A machine's images brought into a folder, by the command line: proven, and nothing written over."""

import subprocess
from pathlib import Path

import pytest

from include.__main__ import main
from tests.include.machine import own_mounts, python
from tests.include.restore.bringing_back import Rehearsal

pytestmark = pytest.mark.xdist_group("kvm")


def restore(bringing: Rehearsal, to: Path, *options: str) -> int:
    """Run the command."""
    return main(["restore-machine", "maq1", *options, "--to", str(to), "--vault", str(bringing.vault.root)])


@pytest.mark.parametrize(
    ("options", "files"),
    [
        ((), ["domain.xml", "vda.raw", "vdb.qcow2"]),
        (("--format", "qcow2"), ["domain.xml", "vda.qcow2", "vdb.qcow2"]),
    ],
)
def test_the_images_are_there_and_proven(
    bringing: Rehearsal,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    files: list[str],
) -> None:
    """In the formats that they had, or in the one that is asked for."""
    assert restore(bringing, tmp_path / "maq1", *options) == 0

    generation = bringing.generations("maq1")[-1]
    assert sorted(path.name for path in (tmp_path / "maq1").iterdir()) == files
    for path in (tmp_path / "maq1").glob("vd*"):
        content = bringing.content(path, path.suffix[1:])
        assert content == generation.image(path.stem).read_bytes()
        assert path.stat().st_mode & 0o777 == 0o600
    said = capsys.readouterr()
    assert sorted(said.out.split()) == [str(tmp_path / "maq1" / name) for name in files]
    assert "64 chunks proven" in said.err


def test_nothing_is_written_over(
    bringing: Rehearsal, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that is there stays, and is named."""
    (tmp_path / "domain.xml").write_text("mine")
    assert restore(bringing, tmp_path) == 2
    assert f"{tmp_path}/domain.xml is there already" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["domain.xml"]


def test_damage_is_found_by_reading_back(
    bringing: Rehearsal, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is written is held against what the machine's host hashed, not against the vault's image."""
    generation = bringing.generations("maq1")[-1]
    image = generation.image("vda")
    before = image.read_bytes()
    subprocess.run(["chmod", "u+w", str(image)], check=True)
    with image.open("r+b") as file:
        file.seek(5 << 20)
        file.write(b"rotten")
    try:
        assert restore(bringing, tmp_path) == 2
        assert "is damaged: 1 chunk of vda, the first 5" in capsys.readouterr().err
        assert not (tmp_path / "vda.raw").exists()
        [found] = generation.proofs.read()
        assert (found.result, found.run[:8]) == ("failed", "by hand ")
    finally:
        image.write_bytes(before)
        generation.proofs.path.unlink(missing_ok=True)


def test_a_vault_that_is_mounted_read_only_gives_its_machines_back(
    bringing: Rehearsal, tmp_path: Path
) -> None:
    """As a broken disk is, when they are needed most."""
    root = str(bringing.vault.root)
    read_only = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"'
    prefix = [*own_mounts(), "sh", "-ec", read_only, "sh", root]
    typed = ["restore-machine", "maq1", "--to", str(tmp_path), "--vault", root]
    said = python("import sys; from include.__main__ import main; sys.exit(main())", *typed, prefix=prefix)
    assert said.split() == [str(tmp_path / name) for name in ("vda.raw", "vdb.qcow2", "domain.xml")]


def test_an_unknown_machine_or_generation_is_an_error(
    bringing: Rehearsal, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says what there is."""
    assert restore(bringing, tmp_path, "2020-01-01T00-00-00Z") == 2
    assert bringing.generations("maq1")[0].name in capsys.readouterr().err
    assert main(["restore-machine", "../x", "--to", str(tmp_path), "--vault", str(bringing.vault.root)]) == 2
