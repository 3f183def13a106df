"""Which file system a file lies on, with real ones."""

from pathlib import Path

import pytest

from tests.include.agent.disks.test_clones import on

MAPPED = """
from include.agent.disks.file_systems import mapped_file_system
command = ["blkid", "-o", "value", "-s", "UUID", elsewhere / "image"]
uuid = subprocess.run(command, capture_output=True, text=True)
with (there / "it").open("wb") as file:
    try:
        print(json.dumps([mapped_file_system(file.fileno()), uuid.stdout.strip()]))
    except OSError as error:
        print(json.dumps([str(error), ""]))
"""


@pytest.mark.parametrize("kind", ["xfs", "btrfs"])
def test_a_file_system_is_known_by_its_uuid(tmp_path: Path, kind: str) -> None:
    """As blkid prints it."""
    found, uuid = on(tmp_path, kind, MAPPED)
    assert uuid
    assert found == f"{kind} {uuid}"


def test_another_one_is_refused(tmp_path: Path) -> None:
    """Its extents aren't known to show what was written."""
    assert on(tmp_path, "ext4", MAPPED)[0] == "on ext4, not on XFS or Btrfs"
