"""Which revision is taken, which of its files, and what is said of a copy that isn't whole any more."""

from pathlib import Path

import pytest

from include.errors import DayNotProvenError, NotInVaultError, VaultError
from include.proofs import Found
from include.restore.wanted import choose, picked, prove
from include.vault import PublishedDay, Vault
from tests.include.days import DAY, WHEN, hashed
from tests.include.machine import plain_user, python
from tests.include.restore.work import HARD, PLAIN, damage, publish


@pytest.fixture
def two(vault: Vault) -> list[PublishedDay]:
    """A day with two revisions that share no file."""
    publish(vault, PLAIN)
    publish(vault, {name: b"later " + content for name, content in PLAIN.items()})
    return vault.revisions(DAY)


def known_damaged(published: PublishedDay) -> None:
    """Let an audit have found it damaged."""
    how = "1 file differs: 'a'."
    published.proofs.append(
        Found(what="audit", when=WHEN, result="failed", how=how, seconds=1, run="an audit")
    )


def test_the_newest_revision_is_taken_unless_it_is_known_to_be_damaged(two: list[PublishedDay]) -> None:
    """Then the one before, with a warning; where all are damaged the newest, and its proof decides."""
    first, second = two
    assert (choose(DAY, two, None).published, choose(DAY, two, None).warnings) == (second, ())
    known_damaged(second)
    chosen = choose(DAY, two, None)
    assert chosen.published == first
    assert chosen.warnings == (
        "Revision 2 is newer and known to be damaged: revision 1 was taken. Name a revision to have another.",
    )
    assert choose(DAY, two, 2).published == second
    known_damaged(first)
    assert choose(DAY, two, None).published == second


def test_what_the_vault_doesnt_hold_is_said(two: list[PublishedDay]) -> None:
    """With the revisions that there are."""
    with pytest.raises(NotInVaultError, match="holds no revision 3 of 2026-268; it holds 1, 2"):
        choose(DAY, two, 3)
    with pytest.raises(NotInVaultError, match="The vault doesn't hold 2026-268: there is nothing"):
        choose(DAY, [], None)


def test_a_whole_revision_is_proven_with_all_its_names(vault: Vault) -> None:
    """Hashes as published, links and folders too."""
    published = publish(vault, HARD)
    assert prove(published, "*").content == hashed(published.folder).content


def test_a_changed_file_is_named_with_the_revision_that_is_whole(two: list[PublishedDay]) -> None:
    """Every byte of the other one was read for that, too."""
    first, second = two
    damage(second, "a")
    damage(second, "sub/c")
    with pytest.raises(DayNotProvenError, match=r"268\.r2 is damaged: 'a', 'sub/c' isn't as published"):
        prove(second, "*", two)
    with pytest.raises(DayNotProvenError, match=r"Proven whole just now: revision 1 of the day\. Name it"):
        prove(second, "*", two)
    damage(first, "a")
    with pytest.raises(
        DayNotProvenError, match=r"The vault holds no other revision of the day that is whole"
    ):
        prove(second, "*", two)
    assert len(prove(second, "b").files) == 1  # what is whole of it can be had


def unseal(published: PublishedDay) -> None:
    """Let a test change what is published."""
    for path in (published.folder, published.folder / "sub", published.sums):
        path.chmod(0o755)


def remove(published: PublishedDay) -> None:
    """Lose a file."""
    (published.folder / "a").unlink()


def add(published: PublishedDay) -> None:
    """Have one that nobody proved."""
    (published.folder / "sub" / "new").write_bytes(b"x")


def swap(published: PublishedDay) -> None:
    """Have a link in the place of a file, to another that has its content."""
    (published.folder / "sub" / "c").rename(published.folder.parent / "c")
    (published.folder / "sub" / "c").symlink_to(published.folder.parent / "c")


def garble(published: PublishedDay) -> None:
    """Have a list of sums that is none."""
    published.sums.write_bytes(published.sums.read_bytes()[:-5])


def lose(published: PublishedDay) -> None:
    """Have none."""
    published.sums.unlink()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (remove, "'a' isn't as published"),
        (add, "'sub/new' isn't as published"),
        (swap, "'sub/c' isn't as published"),
        (garble, r"its list 268\.sha256 can't be read"),
        (lose, r"its list 268\.sha256 can't be read"),
    ],
    ids=lambda value: getattr(value, "__name__", "told"),
)
def test_whatever_isnt_as_published_is_found(vault: Vault, change: object, told: str) -> None:
    """Not only changed bytes."""
    published = publish(vault, PLAIN)
    unseal(published)
    change(published)  # type: ignore[operator] # one of the above
    with pytest.raises(DayNotProvenError, match=told):
        prove(published, "*")


def test_a_pattern_picks_by_bare_name_or_path_and_brings_the_folders_above(vault: Vault) -> None:
    """Upper and lower case differ, as on the cluster."""
    listing = hashed(publish(vault, {"a/b/x.ctl": b"1", "X.CTL": b"2", "a/y": b"3"}).folder)

    def paths(pattern: str) -> list[str]:
        return [entry.path for entry in picked(listing, pattern).entries]

    assert paths("*") == [entry.path for entry in listing.entries]
    assert paths("*.ctl") == ["a", "a/b", "a/b/x.ctl"]
    assert paths("a/y") == ["a", "a/y"]
    assert paths("lin?") == ["link"]
    assert paths("empty") == []  # folders come with what is in them


LOOK = """
import sys
from include.ordinal_day import OrdinalDay
from include.restore.wanted import prove
from include.vault import Vault
from pathlib import Path
try:
    prove(Vault.open(Path(sys.argv[1])).revisions(OrdinalDay.parse("2026-268"))[0], "*")
except Exception as error:
    print(type(error).__name__, error)
"""


def test_a_user_who_may_not_read_the_vault_is_told_so_and_not_that_it_is_damaged(vault: Vault) -> None:
    """He'd name another revision in vain."""
    published = publish(vault, PLAIN)
    (published.folder / "a").chmod(0)
    said = python(LOOK, str(vault.root), prefix=plain_user())
    assert said.startswith(f"{VaultError.__name__} The vault's copy {Path(published.folder)} can't be read: ")
