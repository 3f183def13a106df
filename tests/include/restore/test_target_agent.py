"""What runs at the target: nothing that others put there is followed, replaced, or taken for ours."""

import ast
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from include.errors import PassingError, TargetError, TargetOccupiedError
from include.restore import target, target_agent
from include.restore.decision import decide
from include.restore.wanted import prove
from tests.include.days import DAY
from tests.include.restore.work import PLAIN, Work, publish


def test_it_runs_under_an_old_python_with_nothing_installed() -> None:
    """As the source's, which comes with it: Python 3.8's grammar, and the standard library alone."""
    tree = ast.parse(Path(target_agent.__file__).read_bytes(), feature_version=(3, 8))
    imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in imported} - {"include"} <= sys.stdlib_module_names
    assert target._PROGRAM  # noqa: SLF001 - what is sent


@contextmanager
def sent(work: Work, *, overwrite: bool = False) -> Iterator[Callable[[], None]]:
    """Have a day sent, up to the moment before files get their names; gives what gives them."""
    published = publish(work.vault, PLAIN)
    with work.of() as restore:
        wanted = prove(published, "*")
        seen = restore.target.survey(DAY, wanted)
        steps = decide(wanted, seen.listing, overwrite=overwrite)
        restore.target.receive(seen, published.folder, steps, lambda _: None)
        yield lambda: restore.target.publish(steps)


def test_a_name_that_somebody_takes_at_the_last_moment_stays_his(work: Work) -> None:
    """After all was looked at and sent; the next try sees his file, and says so."""
    with sent(work) as name:
        (work.day / "sub").mkdir(parents=True)
        (work.day / "sub" / "c").write_bytes(b"his")
        with pytest.raises(TargetOccupiedError, match=r"has something else of that name by now: .*sub/c"):
            name()
    assert (work.day / "sub" / "c").read_bytes() == b"his"
    with pytest.raises(TargetOccupiedError, match=r"'sub/c' is another there"):
        work.restore()


def test_a_folder_that_becomes_a_link_at_the_last_moment_isnt_followed(work: Work) -> None:
    """Whoever may write there could lead a restore elsewhere."""
    elsewhere = Path(work.folder, "elsewhere")
    elsewhere.mkdir()
    with sent(work, overwrite=True) as name:
        work.day.mkdir()
        (work.day / "sub").symlink_to(elsewhere)
        with pytest.raises(TargetOccupiedError):
            name()
    assert list(elsewhere.iterdir()) == []


def test_a_folder_for_what_arrives_that_is_a_link_isnt_written_through(work: Work) -> None:
    """Somebody may have put it there on purpose."""
    publish(work.vault, PLAIN)
    elsewhere = Path(work.folder, "elsewhere")
    elsewhere.mkdir()
    work.day.parent.mkdir()
    work.day.with_name(".268.restoring").symlink_to(elsewhere)
    with pytest.raises((TargetError, TargetOccupiedError)):
        work.restore()
    assert list(elsewhere.iterdir()) == []
    assert not work.day.exists()


def test_what_another_try_left_and_isnt_wanted_any_more_goes(work: Work) -> None:
    """Of another revision, or of another kind: only our own folder is touched."""
    publish(work.vault, PLAIN)
    staging = work.day.with_name(".268.restoring")
    (staging / "a" / "deep").mkdir(parents=True)
    (staging / "old" / "deeper").mkdir(parents=True)
    (staging / "old" / "file").write_bytes(b"x")
    (staging / "b").write_bytes(b"SECOND")
    work.restore()
    assert (work.day / "a").read_bytes() == PLAIN["a"]
    assert (work.day / "b").read_bytes() == PLAIN["b"]
    assert work.left_over() == []


def test_a_staged_file_that_only_looks_the_same_is_found_and_sent_again(work: Work) -> None:
    """Its length and time are right, so that rsync leaves it: the hash isn't."""
    published = publish(work.vault, PLAIN)
    staging = work.day.with_name(".268.restoring")
    staging.mkdir(parents=True)
    (staging / "b").write_bytes(b"SECOND")
    os.utime(staging / "b", ns=(0, (published.folder / "b").stat().st_mtime_ns))
    with pytest.raises(PassingError, match=r"'b' arrived at .* other than it was sent. Nothing of it"):
        work.restore()
    assert not work.day.exists()
    work.restore()
    assert (work.day / "b").read_bytes() == PLAIN["b"]


def test_a_file_that_has_its_name_already_is_never_written_to_again(work: Work) -> None:
    """A try that was killed between giving a name and dropping the old one leaves a file with both."""
    publish(work.vault, PLAIN)
    work.restore()
    publish(work.vault, {name: b"later " + content for name, content in PLAIN.items()})
    held = Path(work.folder, "held")
    os.link(work.day / "b", held)
    staging = work.day.with_name(".268.restoring")
    staging.mkdir()
    os.link(work.day / "b", staging / "b")
    work.restore(overwrite=True)
    assert (work.day / "b").read_bytes() == b"later " + PLAIN["b"]
    assert held.read_bytes() == PLAIN["b"]
    assert work.left_over() == []


def test_where_there_are_no_hard_links_a_file_is_moved_to_a_free_name_only(tmp_path: Path) -> None:
    """As on a FAT disk: the name is looked at first."""
    staged, folder = tmp_path / "staged", os.open(tmp_path, os.O_RDONLY)
    staged.write_bytes(b"new")
    (tmp_path / "taken").symlink_to("nowhere")
    with pytest.raises(FileExistsError):
        target_agent._rename_if_free(os.fsencode(staged), folder, b"taken")  # noqa: SLF001 - no such disk here
    target_agent._rename_if_free(os.fsencode(staged), folder, b"free")  # noqa: SLF001 - no such disk here
    os.close(folder)
    assert (tmp_path / "free").read_bytes() == b"new"
    assert (tmp_path / "taken").is_symlink()


@pytest.mark.parametrize("path", ["../x", "/x", "a/../b", "", "a//b"])
def test_no_path_leads_out_of_the_day(tmp_path: Path, path: str) -> None:
    """The worker checks as well; here is where it would do harm."""
    place = target_agent.Place()
    place.answer({"do": "begin", "day": str(tmp_path / "268"), "wanted": {}})
    with pytest.raises(ValueError, match=r"leads out of the day"):
        place.answer({"do": "publish", "steps": [[path, "file", True]]})
