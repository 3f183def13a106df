"""Walking a folder: in the order of the published lists, whatever the names."""

import os
import tempfile
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from include.days import folder_scan
from include.days.manifest_builder import manifest_of
from include.days.manifest_totals import structure_of
from include.scrub.folder_walk import FolderWalk

NAMES = st.binary(min_size=1, max_size=4).filter(lambda name: not {0, 47} & {*name} and name.strip(b"."))


@given(st.sets(st.lists(NAMES, min_size=1, max_size=3).map(tuple), max_size=8))
@example({(b"a",), (b"a-b",), (b"a0", b"c"), (b"a.b", b"c"), (b"b", b"c"), (b"b-c",), (b"b\xff",)})
@settings(max_examples=40)
def test_files_come_in_the_order_of_the_published_lists(paths: set[tuple[bytes, ...]]) -> None:
    """A folder's files come where their paths belong, as in ``folder_scan``."""
    with tempfile.TemporaryDirectory() as private:
        folder = Path(private)
        for parts in sorted(paths):
            path = folder / os.fsdecode(b"/".join(parts))
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(b"x")
            except OSError:
                continue  # a file is in the way
        manifest = manifest_of(folder_scan.walk(os.fsencode(folder)))
        walk = FolderWalk(os.fsencode(folder))
        assert [(one.path, one.size) for one in walk] == [(one.path, one.size) for one in manifest.files]
        assert structure_of(walk.structure) == manifest.totals.structure


def test_kinds_are_told_apart_and_links_arent_followed(tmp_path: Path) -> None:
    """Folders and links are the structure."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").write_bytes(b"1234")
    walk = FolderWalk(os.fsencode(tmp_path))
    kinds = [(found.path, found.kind, found.size) for found in walk]
    assert kinds == [("file", "file", 4), ("link", "link", 0), ("pipe", "special", 0)]
    assert sorted(walk.structure) == [("folder", "folder", None), ("link", "link", "folder")]
