"""Each day that a run copied gets a map beside it in the vault, and no run fails because of a map."""

import json
import os
from pathlib import Path

import pytest

from include.days.archive import DayArchive
from include.days.published import PublishedDay
from include.report.pictures import day_maps
from include.results.item import Item
from include.results.states import Outcome
from include.vault.vault import Vault
from tests.include.days.sample_days import DAY, lay, tree
from tests.include.report.pictures import opened
from tests.include.report.sample_items import backup, bad, copied, of_backups, report, safe
from tests.site import supim


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A new vault."""
    return Vault.create(tmp_path / "vault")


def publish(vault: Vault, revision: int = 1, **fields: object) -> PublishedDay:
    """Put a day with its files into the vault."""
    published = lay(vault, DAY, revision, **fields)
    supim.write_day(published.year_folder, DAY, folder=published.folder, seed=revision)
    return published


def mapped(vault: Vault | None, *items: Item) -> list[Item]:
    """Return the items of a daily report, with their maps."""
    return list(day_maps.with_maps(report(*items), vault).items)


def test_a_map_is_drawn_from_the_published_copy(vault: Vault) -> None:
    """It is stored beside the day, which isn't changed."""
    published = publish(vault)
    before = tree(published.folder)
    own, other = mapped(vault, copied(), safe("2026-267"))

    assert own.picture == str(published.folder) + ".png"
    assert opened(Path(own.picture).read_bytes()).width == 956
    assert own.picture_caption
    assert own.picture_caption.startswith(
        "TEC of 2026-268 at 15:00 UTC (12:00 in America/Sao_Paulo), drawn from"
    )
    assert (other.picture, own.warnings) == (None, ())
    assert tree(published.folder) == before
    assert sorted(os.listdir(published.year_folder)) == ["268", "268.json", "268.png", "268.sha256"]  # noqa: PTH208 - names


def test_a_picture_isnt_taken_for_a_day(vault: Vault) -> None:
    """Neither for a day without a record, nor for a revision."""
    published = publish(vault)
    mapped(vault, copied())

    assert (DayArchive(vault).published(), DayArchive(vault).lost()) == ([published], [])
    assert DayArchive(vault).next_revision(DAY).name == "268.r2"


def test_a_revision_gets_its_own_map(vault: Vault) -> None:
    """It isn't that of the earlier revision."""
    first, second = publish(vault), publish(vault, 2)
    mapped(vault, copied())
    (item,) = mapped(vault, copied(outcome="new revision", revision=2))

    assert item.picture == str(second.picture)
    assert first.picture.read_bytes() != second.picture.read_bytes()


def test_a_day_that_was_fetched_again_gets_a_map(vault: Vault) -> None:
    """Of the revision that replaces the damaged one."""
    publish(vault)
    fetched = publish(vault, 2)
    given = of_backups("scrub", backup("2026-268", "fetched again", revision=2))
    (item,) = day_maps.with_maps(given, vault).items

    assert item.picture == str(fetched.picture)


@pytest.mark.parametrize("outcome", [Outcome.MISSING, Outcome.FAILED, Outcome.WOULD_COPY])
def test_a_day_that_wasnt_copied_gets_no_map(vault: Vault, outcome: Outcome) -> None:
    """Even if the vault has an older revision."""
    publish(vault)
    state = "not checked" if outcome is Outcome.WOULD_COPY else "failed"
    (item,) = mapped(vault, bad(outcome, state=state))

    assert item.picture is None
    assert not list(vault.root.rglob("*.png"))


@pytest.mark.parametrize(
    ("trouble", "warning"),
    [
        ("no descriptor", "The TEC map couldn't be drawn: The folder holds no descriptor."),
        ("not writable", "The TEC map couldn't be drawn: [Errno 21] Is a directory"),
    ],
)
def test_a_map_that_cant_be_drawn_is_a_warning(vault: Vault, trouble: str, warning: str) -> None:
    """An older map is removed."""
    published = publish(vault)
    if trouble == "not writable":
        published.picture.with_name(f".{published.picture.name}.{os.getpid()}").mkdir()
    else:
        published.picture.write_bytes(b"an older map")
        for path in published.folder.glob("descriptor*"):
            path.unlink()
    (item,) = mapped(vault, copied(warnings=("Odd.",)))

    assert item.picture is None
    assert item.warnings[0] == "Odd."
    assert item.warnings[1].startswith(warning)
    assert not published.picture.exists()


def test_the_same_map_isnt_written_again(vault: Vault) -> None:
    """When the task is cleared, for instance."""
    published = publish(vault)
    mapped(vault, copied())
    before = tree(published.year_folder)

    assert mapped(vault, copied())[0].picture == str(published.picture)
    assert tree(published.year_folder) == before


def test_a_day_whose_descriptors_arent_checked_needs_no_map(vault: Vault) -> None:
    """As configured in the site file; then there is no warning."""
    published = lay(vault, steps=None)
    (item,) = mapped(vault, copied())

    assert (item.picture, item.warnings) == (None, ())
    assert json.loads(published.record_file.read_text())["steps"] is None


def test_without_a_vault_nothing_is_drawn() -> None:
    """The report says elsewhere that the vault is missing."""
    assert mapped(None, copied()) == [copied()]
