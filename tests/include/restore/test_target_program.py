"""The program at the target never follows, replaces or reuses what other users put there."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from include.errors import TargetError, TargetOccupiedError, TransientError
from include.restore import target_program
from include.restore.plan import decide
from include.restore.selection import verify
from tests.include.days.sample_days import DAY
from tests.include.restore.day_restores import PLAIN, Work, publish


@contextmanager
def sent(work: Work, *, overwrite: bool = False) -> Iterator[Callable[[], None]]:
    """Send a day to the staging folder; return the function that publishes it."""
    published = publish(work.vault, PLAIN)
    with work.of() as restore:
        selected = verify(published, "*")
        at_target = restore.target.survey(DAY, selected)
        steps = decide(selected, at_target.manifest, overwrite=overwrite)
        restore.target.receive(at_target, published.folder, steps, lambda _: None)
        yield lambda: restore.target.publish(steps)


def test_a_file_that_appears_at_the_last_moment_isnt_replaced(work: Work) -> None:
    """After the survey and the transfer; a retry refuses it by name."""
    with sent(work) as publish_day:
        (work.day / "sub").mkdir(parents=True)
        (work.day / "sub" / "c").write_bytes(b"theirs")
        with pytest.raises(TargetOccupiedError, match=r"has something else of that name now: .*sub/c"):
            publish_day()
    assert (work.day / "sub" / "c").read_bytes() == b"theirs"
    with pytest.raises(TargetOccupiedError, match=r"'sub/c' differs there"):
        work.restore()


def test_a_folder_that_becomes_a_link_at_the_last_moment_isnt_followed(work: Work) -> None:
    """Who may write there could redirect a restore."""
    elsewhere = Path(work.folder, "elsewhere")
    elsewhere.mkdir()
    with sent(work, overwrite=True) as publish_day:
        work.day.mkdir()
        (work.day / "sub").symlink_to(elsewhere)
        with pytest.raises(TargetOccupiedError):
            publish_day()
    assert list(elsewhere.iterdir()) == []


def test_a_staging_folder_that_is_a_link_isnt_followed(work: Work) -> None:
    """Another user may have put it there on purpose."""
    publish(work.vault, PLAIN)
    elsewhere = Path(work.folder, "elsewhere")
    elsewhere.mkdir()
    work.day.parent.mkdir()
    work.day.with_name(".268.restoring").symlink_to(elsewhere)
    with pytest.raises((TargetError, TargetOccupiedError)):
        work.restore()
    assert list(elsewhere.iterdir()) == []
    assert not work.day.exists()


def test_leftovers_of_another_restore_are_removed_from_staging(work: Work) -> None:
    """Those of another revision, or of another kind."""
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


def test_a_staged_file_with_the_right_size_and_time_but_other_content_is_sent_again(work: Work) -> None:
    """Rsync skips it, but its hash is wrong."""
    published = publish(work.vault, PLAIN)
    staging = work.day.with_name(".268.restoring")
    staging.mkdir(parents=True)
    (staging / "b").write_bytes(b"SECOND")
    os.utime(staging / "b", ns=(0, (published.folder / "b").stat().st_mtime_ns))
    with pytest.raises(
        TransientError, match=r"checksum mismatch of 'b' at .* The day's folder wasn't changed"
    ):
        work.restore()
    assert not work.day.exists()
    work.restore()
    assert (work.day / "b").read_bytes() == PLAIN["b"]


def test_a_file_that_is_published_already_is_never_written_to_again(work: Work) -> None:
    """A restore that is killed between link and unlink leaves a file with both names."""
    publish(work.vault, PLAIN)
    work.restore()
    publish(work.vault, {name: b"later " + content for name, content in PLAIN.items()})
    linked = Path(work.folder, "linked")
    os.link(work.day / "b", linked)
    staging = work.day.with_name(".268.restoring")
    staging.mkdir()
    os.link(work.day / "b", staging / "b")
    work.restore(overwrite=True)
    assert (work.day / "b").read_bytes() == b"later " + PLAIN["b"]
    assert linked.read_bytes() == PLAIN["b"]
    assert work.left_over() == []


def test_without_hard_links_a_file_is_moved_to_a_free_name_only(tmp_path: Path) -> None:
    """As on a FAT file system: the name is checked first."""
    staged, folder = tmp_path / "staged", os.open(tmp_path, os.O_RDONLY)
    staged.write_bytes(b"new")
    (tmp_path / "taken").symlink_to("nowhere")
    with pytest.raises(FileExistsError):
        target_program._rename_if_free(os.fsencode(staged), folder, b"taken")  # noqa: SLF001 - no such file system here
    target_program._rename_if_free(os.fsencode(staged), folder, b"free")  # noqa: SLF001 - no such file system here
    os.close(folder)
    assert (tmp_path / "free").read_bytes() == b"new"
    assert (tmp_path / "taken").is_symlink()


@pytest.mark.parametrize("path", ["../x", "/x", "a/../b", "", "a//b"])
def test_no_path_leads_out_of_the_day(tmp_path: Path, path: str) -> None:
    """The sender checks paths as well."""
    target = target_program.TargetFolder()
    list(target.answer({"do": "begin", "day": str(tmp_path / "268"), "selected": {}}))
    with pytest.raises(ValueError, match=r"outside of the day"):
        list(target.answer({"do": "publish", "steps": [[path, "file", True]]}))
