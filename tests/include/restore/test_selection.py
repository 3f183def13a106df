"""Choosing the revision and the files to restore, and verifying them in the vault."""

from pathlib import Path

import pytest

from include.days.archive import DayArchive
from include.days.published import PublishedDay
from include.errors import DayNotVerifiedError, NotInVaultError, VaultError
from include.restore.selection import choose, matching, verify
from include.vault.vault import Vault
from include.vault.verification_log import LogEntry
from tests.include.days.sample_days import DAY, WHEN, contents_of, hashed
from tests.include.project_process import python
from tests.include.restore.day_restores import HARD, PLAIN, damage, publish
from tests.session.needs import plain_user


@pytest.fixture
def two(vault: Vault) -> list[PublishedDay]:
    """A day with two revisions that share no file."""
    publish(vault, PLAIN)
    publish(vault, {name: b"later " + content for name, content in PLAIN.items()})
    return DayArchive(vault).revisions(DAY)


def known_damaged(published: PublishedDay) -> None:
    """Record that a scrub found it damaged."""
    how = "1 file differs: 'a'."
    published.verification_log.append(
        LogEntry(what="scrub", when=WHEN, result="failed", how=how, seconds=1, run="a scrub")
    )


def test_the_newest_revision_is_chosen_unless_it_is_known_to_be_damaged(two: list[PublishedDay]) -> None:
    """Then the one before, with a warning; if all are, the newest, which is verified anyway."""
    first, second = two
    assert (choose(DAY, two, None).published, choose(DAY, two, None).warnings) == (second, ())
    known_damaged(second)
    chosen = choose(DAY, two, None)
    assert chosen.published == first
    assert chosen.warnings == (
        "Revision 2 is newer, but damaged. Revision 1 was used instead. To restore another, name its number.",
    )
    assert choose(DAY, two, 2).published == second
    known_damaged(first)
    assert choose(DAY, two, None).published == second


def test_a_missing_day_or_revision_is_an_error(two: list[PublishedDay]) -> None:
    """The message has the revisions that exist."""
    with pytest.raises(NotInVaultError, match="holds no revision 3 of 2026-268, only 1, 2"):
        choose(DAY, two, 3)
    with pytest.raises(NotInVaultError, match="The vault doesn't hold 2026-268") as missing:
        choose(DAY, [], None)
    assert missing.value.about == "2026-268"  # the mail's subject names it


def test_an_intact_revision_is_verified_with_all_its_names(vault: Vault) -> None:
    """With hashes, links and folders."""
    published = publish(vault, HARD)
    assert contents_of(verify(published, "*")) == contents_of(hashed(published.folder))


def test_a_changed_file_is_reported_with_the_intact_revision(two: list[PublishedDay]) -> None:
    """The other revision is verified as well."""
    first, second = two
    damage(second, "a")
    damage(second, "sub/c")
    with pytest.raises(DayNotVerifiedError, match=r"268\.r2 is damaged: 'a', 'sub/c' isn't as published"):
        verify(second, "*", two)
    with pytest.raises(
        DayNotVerifiedError, match=r"Revision 1 of the day was verified and is intact\. Name it"
    ):
        verify(second, "*", two)
    damage(first, "a")
    with pytest.raises(DayNotVerifiedError, match=r"The vault holds no other intact revision of the day"):
        verify(second, "*", two)
    assert verify(second, "b").totals.files == 1  # an intact file of it can be restored


def unseal(published: PublishedDay) -> None:
    """Make a published day writable."""
    for path in (published.folder, published.folder / "sub", published.sums):
        path.chmod(0o755)


def remove(published: PublishedDay) -> None:
    """Remove a file."""
    (published.folder / "a").unlink()


def add(published: PublishedDay) -> None:
    """Add a file."""
    (published.folder / "sub" / "new").write_bytes(b"x")


def swap(published: PublishedDay) -> None:
    """Replace a file by a link to a copy."""
    (published.folder / "sub" / "c").rename(published.folder.parent / "c")
    (published.folder / "sub" / "c").symlink_to(published.folder.parent / "c")


def drop_link(published: PublishedDay) -> None:
    """Remove a link."""
    (published.folder / "link").unlink()


def turn_link(published: PublishedDay) -> None:
    """Make a link lead to another file."""
    drop_link(published)
    (published.folder / "link").symlink_to("b")


def drop_folder(published: PublishedDay) -> None:
    """Remove an empty folder."""
    (published.folder / "empty").rmdir()


def forget(published: PublishedDay) -> None:
    """Remove a file together with its line of the list."""
    lines = published.sums.read_bytes().splitlines(keepends=True)
    published.sums.write_bytes(b"".join(line for line in lines if not line.endswith(b"  a\n")))
    remove(published)


def garble(published: PublishedDay) -> None:
    """Truncate the list of sums."""
    published.sums.write_bytes(published.sums.read_bytes()[:-5])


def lose(published: PublishedDay) -> None:
    """Remove the list of sums."""
    published.sums.unlink()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (remove, "'a' isn't as published"),
        (add, "'sub/new' isn't as published"),
        (swap, "'sub/c' isn't as published"),
        (drop_link, "its folders and links aren't as published"),
        (turn_link, "its folders and links aren't as published"),
        (drop_folder, "its folders and links aren't as published"),
        (forget, "it has 2 files, but its record says 3"),
        (garble, r"its list 268\.sha256 can't be read"),
        (lose, r"its list 268\.sha256 can't be read"),
    ],
    ids=lambda value: getattr(value, "__name__", "message"),
)
def test_every_difference_from_what_was_published_is_found(
    vault: Vault, change: object, message: str
) -> None:
    """Not only changed bytes."""
    published = publish(vault, PLAIN)
    unseal(published)
    change(published)  # type: ignore[operator] # one of the above
    with pytest.raises(DayNotVerifiedError, match=message):
        verify(published, "*")


def test_what_is_left_of_lost_links_can_be_restored(vault: Vault) -> None:
    """As the message has it."""
    published = publish(vault, PLAIN)
    unseal(published)
    drop_link(published)
    with pytest.raises(DayNotVerifiedError, match=r"\(the pattern \?\* restores what is left\)"):
        verify(published, "*")
    left = {*PLAIN, "link out", "sub"}
    assert {entry.path for entry in verify(published, "?*")} == left


def test_a_pattern_matches_names_or_paths_and_includes_the_folders_above(vault: Vault) -> None:
    """It is case-sensitive."""
    manifest = hashed(publish(vault, {"a/b/x.ctl": b"1", "X.CTL": b"2", "a/y": b"3"}).folder)

    def paths(pattern: str) -> list[str]:
        return [entry.path for entry in matching(manifest, pattern)]

    assert paths("*") == [entry.path for entry in manifest]
    assert paths("*.ctl") == ["a", "a/b", "a/b/x.ctl"]
    assert paths("a/y") == ["a", "a/y"]
    assert paths("lin?") == ["link"]
    assert paths("empty") == []  # folders are included for their content only


VERIFY = """
import sys
from include.days.archive import DayArchive
from include.ordinal_day import OrdinalDay
from include.restore.selection import verify
from include.vault.vault import Vault
from pathlib import Path
try:
    verify(DayArchive(Vault.open(Path(sys.argv[1]))).revisions(OrdinalDay.parse("2026-268"))[0], "*")
except Exception as error:
    print(type(error).__name__, error)
"""


def test_a_file_that_this_user_may_not_read_isnt_reported_as_damage(vault: Vault) -> None:
    """Another revision wouldn't help."""
    published = publish(vault, PLAIN)
    (published.folder / "a").chmod(0)
    output = python(VERIFY, str(vault.root), prefix=plain_user())
    assert output.startswith(
        f"{VaultError.__name__} The vault's copy {Path(published.folder)} can't be read: "
    )
