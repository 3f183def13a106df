"""``restore-vm``: a VM's images are written to a folder and verified, and nothing is overwritten."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from include.cli.__main__ import main
from include.errors import VmNotRestoredError
from include.restore.vm_folder import FolderRestore
from include.vault.vault import Vault
from include.vms.archive import PublishedVm
from include.vms.models import Qcow2Options
from tests.include.project_process import python
from tests.include.restore.vm_restores import Rehearsal
from tests.include.vms.sample_vms import INSTANT, chunks_of, lay, record
from tests.session.needs import own_mounts


def restore(rehearsal: Rehearsal, to: Path, *options: str) -> int:
    """Run the command."""
    return main(["restore-vm", "maq1", *options, "--to", str(to), "--vault", str(rehearsal.vault.root)])


@pytest.mark.parametrize(
    ("options", "files"),
    [
        ((), ["domain.xml", "vda.raw", "vdb.qcow2"]),
        (("--format", "qcow2"), ["domain.xml", "vda.qcow2", "vdb.qcow2"]),
    ],
)
def test_the_images_are_written_and_verified(
    rehearsal: Rehearsal,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    files: list[str],
) -> None:
    """In the formats of the host, or in the requested one."""
    assert restore(rehearsal, tmp_path / "maq1", *options) == 0

    generation = rehearsal.generations("maq1")[-1]
    assert sorted(path.name for path in (tmp_path / "maq1").iterdir()) == files
    for path in (tmp_path / "maq1").glob("vd*"):
        content = rehearsal.content(path, path.suffix[1:])
        assert content == generation.image(path.stem).read_bytes()
        assert path.stat().st_mode & 0o777 == 0o600
    output = capsys.readouterr()
    assert sorted(output.out.split()) == [str(tmp_path / "maq1" / name) for name in files]
    assert "64 chunks verified" in output.err
    assert "Not in the image" not in output.err


def test_what_the_image_lacks_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On standard error, and with --json by kind, name and place."""
    monkeypatch.setattr(FolderRestore, "run", lambda _: [])  # its images are too small for qemu-img
    vault = Vault.create(tmp_path / "vault")
    cdrom = {"kind": "cdrom", "name": "hda", "where": "/isos/a.iso", "reason": ""}
    lay(vault, left_out=[cdrom])
    command = ["restore-vm", "maq1", "--to", str(tmp_path / "maq1"), "--vault", str(vault.root), "--json"]
    assert main(command) == 0
    output = capsys.readouterr()
    assert "Not in the image, so not restored: CD-ROM hda (/isos/a.iso)." in output.err
    assert json.loads(output.out)["left_out"] == [cdrom]


@pytest.mark.parametrize("form", [None, "qcow2", "raw"])
def test_a_qcow2_image_is_made_with_the_options_that_the_disk_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str | None
) -> None:
    """As far as this qemu-img can; a raw one has none."""
    size = 1 << 20
    (tmp_path / "vda.img").write_bytes(bytes(size))
    options = Qcow2Options(cluster_size=1 << 17, compat="0.10", lazy_refcounts=True)
    fields = {"bytes": size, "source_format": "qcow2", "qcow2": options}
    disk, logged = record().disks[0].model_copy(update=fields), list[str]()
    monkeypatch.setattr(PublishedVm, "image", lambda *_: tmp_path / "vda.img")
    monkeypatch.setattr(PublishedVm, "chunks", lambda *_: tmp_path / "vda.chunks")
    chunks_of(bytes(size)).write(tmp_path / "vda.chunks")
    generation = PublishedVm("maq1", INSTANT, tmp_path)
    folder = FolderRestore(Vault(tmp_path), generation, tmp_path, form, "a run", logged.append)
    folder._image(disk, tmp_path / "new")  # noqa: SLF001 - the images of sample generations are too small
    command = ["qemu-img", "info", "--output=json", str(tmp_path / "new")]
    info = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    assert info["format"] == (form or "qcow2")
    if form != "raw":
        assert (info["cluster-size"], info["format-specific"]["data"]["compat"]) == (1 << 17, "0.10")
        assert logged[0] == "vda is made without lazy_refcounts=on: this machine's qemu-img can't make that."


def test_nobody_else_can_read_an_image_while_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It holds all secrets of a VM, and may take hours."""
    program, mode = tmp_path / "qemu-img", tmp_path / "mode"
    steps = f'for path; do :; done\nstat -c %a "$path" >{mode}\nexit 1\n'
    program.write_text(f'#!/bin/sh\n{shutil.which("qemu-img")} "$@"\n{steps}', encoding="utf-8")
    program.chmod(0o755)
    (tmp_path / "vda.img").write_bytes(bytes(1 << 20))
    monkeypatch.setattr(PublishedVm, "image", lambda *_: tmp_path / "vda.img")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    generation = PublishedVm("maq1", INSTANT, tmp_path)
    folder = FolderRestore(Vault(tmp_path), generation, tmp_path, None, "a run", print)
    with pytest.raises(VmNotRestoredError):
        folder._image(record().disks[0], tmp_path / "new")  # noqa: SLF001 - as above
    assert mode.read_text(encoding="utf-8") == "600\n"


def test_an_existing_file_is_never_overwritten(
    rehearsal: Rehearsal, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message names it."""
    (tmp_path / "domain.xml").write_text("mine")
    assert restore(rehearsal, tmp_path) == 2
    assert f"{tmp_path}/domain.xml is there already" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["domain.xml"]


def test_damage_is_found_by_reading_the_image_back(
    rehearsal: Rehearsal, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The image is compared with the hashes of the VM's host, not with the vault's image."""
    generation = rehearsal.generations("maq1")[-1]
    image = generation.image("vda")
    before = image.read_bytes()
    subprocess.run(["chmod", "u+w", str(image)], check=True)
    with image.open("r+b") as file:
        file.seek(5 << 20)
        file.write(b"rotten")
    try:
        assert restore(rehearsal, tmp_path) == 2
        assert (
            "is damaged: checksum mismatch of 1 chunk of vda, the first of which is 5."
            in capsys.readouterr().err
        )
        assert not (tmp_path / "vda.raw").exists()
        [found] = generation.verification_log.read()
        assert (found.result, found.run[:8]) == ("failed", "by hand ")
    finally:
        image.write_bytes(before)
        generation.verification_log.path.unlink(missing_ok=True)


def test_vms_are_restored_from_a_read_only_vault(rehearsal: Rehearsal, tmp_path: Path) -> None:
    """The kernel remounts a failing disk read-only."""
    root = str(rehearsal.vault.root)
    read_only = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"'
    prefix = [*own_mounts(), "sh", "-ec", read_only, "sh", root]
    arguments = ["restore-vm", "maq1", "--to", str(tmp_path), "--vault", root]
    output = python(
        "import sys; from include.cli.__main__ import main; sys.exit(main())", *arguments, prefix=prefix
    )
    assert output.split() == [str(tmp_path / name) for name in ("vda.raw", "vdb.qcow2", "domain.xml")]


def test_an_unknown_vm_or_generation_is_an_error(
    rehearsal: Rehearsal, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message has the generations that exist."""
    assert restore(rehearsal, tmp_path, "2020-01-01T00-00-00Z") == 2
    assert rehearsal.generations("maq1")[0].name in capsys.readouterr().err
    assert main(["restore-vm", "../x", "--to", str(tmp_path), "--vault", str(rehearsal.vault.root)]) == 2
