"""Each day that a run secured gets its map beside it in the vault, and no run fails for want of one."""

import json
import os
from pathlib import Path

import pytest

from include.pictures import day_maps
from include.report import Item, Outcome
from include.vault import PublishedDay, Vault
from tests.include.days import DAY, lay, tree
from tests.include.pictures import opened
from tests.include.report.facts import backup, bad, copied, of_backups, report, safe
from tests.site import supim


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A new vault."""
    return Vault.create(tmp_path / "vault")


def publish(vault: Vault, revision: int = 1, **facts: object) -> PublishedDay:
    """Put a day with its files into the vault."""
    published = lay(vault, DAY, revision, **facts)
    supim.write_day(published.year_folder, DAY, folder=published.folder, seed=revision)
    return published


def mapped(vault: Vault | None, *items: Item) -> list[Item]:
    """Give the items of a daily report, with their maps."""
    return list(day_maps.with_maps(report(*items), vault).items)


def test_a_copied_day_is_drawn_from_what_was_published(vault: Vault) -> None:
    """The picture lies beside the day, which itself isn't touched."""
    published = publish(vault)
    before = tree(published.folder)
    own, other = mapped(vault, copied(), safe("2026-267"))

    assert own.picture == str(published.folder) + ".png"
    assert opened(Path(own.picture).read_bytes()).width == 956
    assert own.picture_says
    assert own.picture_says.startswith(
        "TEC of 2026-268 at 15:00 UTC (12:00 in America/Sao_Paulo), drawn from"
    )
    assert (other.picture, own.warnings) == (None, ())
    assert tree(published.folder) == before
    assert sorted(os.listdir(published.year_folder)) == ["268", "268.json", "268.png", "268.sha256"]  # noqa: PTH208 - names


def test_the_vault_counts_no_picture_as_a_day(vault: Vault) -> None:
    """Neither as one that lost its record, nor as one whose name is taken."""
    published = publish(vault)
    mapped(vault, copied())

    assert (vault.published(), vault.lost()) == ([published], [])
    assert vault.next_revision(DAY).name == "268.r2"


def test_a_revision_is_drawn_itself(vault: Vault) -> None:
    """Not the version before it."""
    first, second = publish(vault), publish(vault, 2)
    mapped(vault, copied())
    (item,) = mapped(vault, copied(outcome="new revision", revision=2))

    assert item.picture == str(second.picture)
    assert first.picture.read_bytes() != second.picture.read_bytes()


def test_a_damaged_day_that_was_fetched_again_is_drawn(vault: Vault) -> None:
    """An audit's report names the damaged version, and the revision that replaces it."""
    publish(vault)
    fetched = publish(vault, 2)
    given = of_backups("audit", backup("2026-268", "fetched again", revision=2))
    (item,) = day_maps.with_maps(given, vault).items

    assert item.picture == str(fetched.picture)


@pytest.mark.parametrize("outcome", [Outcome.MISSING, Outcome.FAILED, Outcome.WOULD_COPY])
def test_what_wasnt_secured_isnt_drawn(vault: Vault, outcome: Outcome) -> None:
    """Even where the vault has an older version."""
    publish(vault)
    state = "not checked" if outcome is Outcome.WOULD_COPY else "failed"
    (item,) = mapped(vault, bad(outcome, state=state))

    assert item.picture is None
    assert not list(vault.root.rglob("*.png"))


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        ("no descriptor", "The TEC map couldn't be drawn: The folder holds no descriptor."),
        ("no room", "The TEC map couldn't be drawn: [Errno 21] Is a directory"),
    ],
)
def test_what_cant_be_drawn_is_said_and_nothing_fails(vault: Vault, trouble: str, told: str) -> None:
    """A map of another time doesn't stand for it."""
    published = publish(vault)
    if trouble == "no room":
        published.picture.with_name(f".{published.picture.name}.part").mkdir()
    else:
        published.picture.write_bytes(b"of another time")
        for path in published.folder.glob("descriptor*"):
            path.unlink()
    (item,) = mapped(vault, copied(warnings=("Odd.",)))

    assert item.picture is None
    assert item.warnings[0] == "Odd."
    assert item.warnings[1].startswith(told)
    assert not published.picture.exists()


def test_a_map_that_is_there_already_is_left_alone(vault: Vault) -> None:
    """A task that is cleared draws the same again."""
    published = publish(vault)
    mapped(vault, copied())
    before = tree(published.year_folder)

    assert mapped(vault, copied())[0].picture == str(published.picture)
    assert tree(published.year_folder) == before


def test_a_folder_that_isnt_checked_as_supim_needs_no_map(vault: Vault) -> None:
    """The site file may say so; then nobody is warned each day."""
    published = lay(vault, steps=None)
    (item,) = mapped(vault, copied())

    assert (item.picture, item.warnings) == (None, ())
    assert json.loads(published.record_file.read_text())["steps"] is None


def test_without_a_vault_nothing_is_drawn() -> None:
    """The report says that elsewhere."""
    assert mapped(None, copied()) == [copied()]
