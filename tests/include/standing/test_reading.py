"""A vault read into parts: all that it holds, and what is wrong with it, whatever it's called."""

import base64
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from PIL import Image

from include import site_file
from include.errors import VaultError
from include.machines.drill import picture_of
from include.machines.generation import PublishedGeneration
from include.ordinal_day import OrdinalDay
from include.proofs import Found, ProofLog
from include.report import State
from include.site_file import Site
from include.standing.facts import DayFacts, MachinePart
from include.standing.reading import Reading
from include.vault import MARKER, Vault
from tests.include.audit.kept import lose, writable
from tests.include.days import DAY, WHEN, lay, tree
from tests.include.machines import machines
from tests.include.machines.machines import INSTANT

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
WEEK = timedelta(weeks=1)
HOSTILE = ("<b>&", "a b", "100%", "ação", "two\nlines")


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A new vault."""
    return Vault.create(tmp_path / "vault")


def reading(vault: Vault, **keep: int) -> Reading:
    """Look at a vault, with some numbers of what is kept."""
    site: Site = site_file.load(site_file.DEFAULT_PATH)
    kept = site.machines.keep.model_copy(update=keep)
    section = site.machines.model_copy(update={"keep": kept})
    return Reading(vault, site.model_copy(update={"machines": section}), NOW)


def day(vault: Vault, which: OrdinalDay = DAY) -> DayFacts:
    """Give a day's facts."""
    [found] = [one for one in reading(vault).days(which.year).days if one.day == which]
    return found


def machine(vault: Vault, **keep: int) -> MachinePart:
    """Give the facts of the only machine."""
    [found] = reading(vault, **keep).machines.machines
    return found


def found(log: ProofLog, what: str, result: str, when: datetime = NOW) -> None:
    """Have something found of a backup."""
    facts = {"what": what, "result": result, "when": when, "how": "So it was.", "seconds": 3, "run": "r"}
    log.append(Found.model_validate(facts))


def spoil(path: Path) -> None:
    """Leave half a record."""
    with writable(path):
        path.write_text("{")


def keep_screen(generation: PublishedGeneration, *, noisy: bool = False) -> None:
    """Have a picture of a screen beside a generation: a line on black, or noise."""
    screen = Image.effect_noise((480, 480), 100) if noisy else Image.new("RGB", (640, 400), "black")
    if not noisy:
        screen.paste("white", (20, 20, 300, 34))
    screen.convert("RGB").save(picture_of(generation), "PNG")


def screens(vault: Vault) -> dict[str, str]:
    """Give the screens that are told, by their keys."""
    return {key: part.png for key, part in reading(vault).parts(["screens"]) if part.kind == "screen"}


def test_all_of_a_vault_is_told_by_part_and_nothing_of_it_is_touched(vault: Vault) -> None:
    """The days year by year, oldest first."""
    for which in (DAY, DAY + 1, OrdinalDay(2024, 366)):
        lay(vault, which)
    machines.lay(vault)
    before = tree(vault.root)
    parts = dict(reading(vault).parts(["vault", "days", "machines", "screens"]))
    assert list(parts) == ["vault", "days/2024", "days/2026", "machines"]
    assert [str(one.day) for one in reading(vault).days(2026).days] == ["2026-268", "2026-269"]
    assert tree(vault.root) == before


def test_only_the_years_that_are_asked_for_are_read(vault: Vault) -> None:
    """Of which the vault may hold no day."""
    lay(vault)
    assert [key for key, _ in reading(vault).parts(["days"], {2025, 2026})] == ["days/2025", "days/2026"]
    assert reading(vault).days(2025).days == ()


def test_the_vault_is_told_with_the_rules_and_its_room(vault: Vault) -> None:
    """By the site file."""
    whole = reading(vault).whole
    assert (whole.zone, whole.lag_days, whole.proof_age_days) == ("America/Sao_Paulo", 2, 30)
    assert whole.machines_schedule == "0 2 * * 0"
    assert 0 < whole.space.free_bytes <= whole.space.total_bytes
    assert whole.space.path == str(vault.root)


def test_a_day_is_its_newest_revision(vault: Vault) -> None:
    """As its record says."""
    lay(vault)
    lay(vault, revision=2, files=47, warnings=["odd\nname"])
    told = day(vault)
    assert (told.revision, told.files, told.copied, told.proven, told.audited) == (2, 47, WHEN, WHEN, False)
    assert (told.run, told.damage, told.warnings) == ("an earlier run", None, (r"odd\nname",))


def test_a_day_is_proven_by_the_last_audit_that_found_it_good(vault: Vault) -> None:
    """Damage that a later one found takes nothing from that."""
    published = lay(vault)
    found(published.proofs, "audit", "passed", NOW - WEEK)
    assert (day(vault).proven, day(vault).audited, day(vault).damage) == (NOW - WEEK, True, None)
    found(published.proofs, "audit", "failed")
    assert (day(vault).proven, day(vault).damage) == (NOW - WEEK, "An audit found it damaged: So it was.")


def test_what_cant_be_read_of_a_day_is_its_damage_and_spoils_no_other(vault: Vault) -> None:
    """Half a record, none, no folder, or a log that is a folder."""
    half, none, bare, log = (lay(vault, DAY + after) for after in range(4))
    lay(vault, DAY + 4)
    spoil(half.record_file)
    lose(none.record_file)
    bare.folder.rmdir()
    log.proofs.path.mkdir()
    told = {one.day: one.damage or "" for one in reading(vault).days(2026).days}
    assert len(told) == 5
    assert f"The record {half.record_file} can't be read" in told[half.day]
    assert told[none.day] == f"{none.record_file} is missing."
    assert told[bare.day] == f"The folder {bare.folder} is missing."
    assert "Is a directory" in told[log.day]
    assert told[DAY + 4] == ""


def test_what_is_left_of_a_revision_hides_no_whole_one(vault: Vault) -> None:
    """The day is published; the audit tells of the rest."""
    lay(vault)
    lose(lay(vault, revision=2).record_file)
    assert (day(vault).revision, day(vault).damage) == (1, None)


def test_a_machine_is_told_with_its_generations(vault: Vault) -> None:
    """Oldest first; downtimes, sizes, proofs, and from which it has booted."""
    older = machines.lay(vault, instant=INSTANT - WEEK, downtime_s=9.5)
    machines.lay(vault, method="live", stopped="not stopped", downtime_s=0)
    found(older.proofs, "drill", "passed")
    found(older.proofs, "audit", "passed")
    told = machine(vault)
    one, other = told.generations
    assert (told.name, told.host, told.budget_s) == ("maq1", "kvm_host", 60)
    assert (one.instant, one.downtime_s, one.booted, one.proven) == (older.instant, 9.5, True, NOW)
    assert (other.method, other.downtime_s, other.booted, other.sent_bytes) == ("live", None, False, 18)


def test_what_cant_be_read_of_a_machine_is_its_damage_and_spoils_no_other(vault: Vault) -> None:
    """Nor does what isn't a machine at all."""
    half, none = machines.lay(vault, "half"), machines.lay(vault, "none")
    machines.lay(vault, "half", INSTANT + WEEK)
    spoil(half.record_file)
    lose(none.record_file)
    (vault.root / "vm" / "stray file").write_text("")
    (vault.root / "vm" / "nothing in it").mkdir()
    told = {
        one.name: [kept.damage or "" for kept in one.generations] for one in reading(vault).machines.machines
    }
    assert sorted(told) == ["half", "none"]
    assert f"The record {half.record_file} can't be read" in told["half"][0]
    assert told["half"][1] == ""
    assert told["none"] == [f"{none.record_file} is missing."]


def test_of_what_cant_be_read_nobody_says_how_it_was_made(vault: Vault) -> None:
    """A method would be a guess; what can be read says its own."""
    machines.lay(vault, instant=INSTANT - WEEK)
    spoil(machines.lay(vault).record_file)
    assert [(one.method, one.downtime_s is None) for one in machine(vault).generations] == [
        ("cold", False),
        ("unknown", True),
    ]


def test_the_last_drill_is_that_of_any_generation(vault: Vault) -> None:
    """A try that came to nothing counts only where nothing else is known."""
    older, newer = machines.lay(vault, instant=INSTANT - WEEK), machines.lay(vault)
    assert machine(vault).drill is None
    found(newer.proofs, "drill", "not checked", NOW - WEEK)
    drill = machine(vault).drill
    assert drill
    assert drill.result is State.NOT_CHECKED
    found(older.proofs, "drill", "failed", NOW - 2 * WEEK)
    drill = machine(vault).drill
    assert drill
    assert (drill.result, drill.when, drill.image) == (State.FAILED, NOW - 2 * WEEK, older.instant)


def test_what_goes_next_is_what_retention_gives_up_after_the_next_weekly_run(vault: Vault) -> None:
    """With its reason; nothing while there is room for one more, or nothing newer is whole."""
    oldest = machines.lay(vault, instant=INSTANT - WEEK)
    machines.lay(vault)
    assert machine(vault, weekly=3, monthly=1, yearly=1).leaving is None
    leaving = machine(vault, weekly=2, monthly=1, yearly=1).leaving
    assert leaving
    assert leaving.instant == oldest.instant
    assert leaving.reason.startswith(
        "It goes: week 46 of 2026 isn't one of the newest that are kept (2 weeks)"
    )


def test_a_machine_may_have_any_name(vault: Vault) -> None:
    """Its text is one visible line, and its key plain ASCII, told apart from every other."""
    for name in HOSTILE:
        generation = machines.lay(vault, name)
        found(generation.proofs, "drill", "passed")
        keep_screen(generation)
    told = {one.name for one in reading(vault).machines.machines}
    assert told == {"<b>&", "a b", "100%", "ação", r"two\nlines"}
    keys = ("%3Cb%3E%26", "a%20b", "100%25", "a%C3%A7%C3%A3o", "two%0Alines")
    assert set(screens(vault)) == {f"screens/{key}" for key in keys}


@pytest.mark.parametrize(("noisy", "size"), [(False, (480, 300)), (True, (200, 200))])
def test_a_screen_is_small(vault: Vault, size: tuple[int, int], *, noisy: bool) -> None:
    """A palette PNG; the harder it is to pack, the smaller."""
    generation = machines.lay(vault)
    found(generation.proofs, "drill", "passed")
    keep_screen(generation, noisy=noisy)
    png = base64.b64decode(screens(vault)["screens/maq1"])
    with Image.open(io.BytesIO(png)) as screen:
        assert (screen.format, screen.mode, screen.size) == ("PNG", "P", size)
    assert len(png) < 12 * 1024


@pytest.mark.parametrize("content", [b"GIF89a", b"", None])
def test_a_screen_that_cant_be_read_is_left_out(vault: Vault, content: bytes | None) -> None:
    """The rest of the machine is told all the same."""
    generation = machines.lay(vault)
    found(generation.proofs, "drill", "passed")
    if content is not None:
        picture_of(generation).write_bytes(content)
    assert screens(vault) == {}
    assert machine(vault).drill


def test_of_many_screens_those_of_the_last_drills_are_told(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are as they were when they were drilled."""
    monkeypatch.setattr("include.standing.reading.MOST_SCREENS", 1)
    for back, name in ((2, "maq1"), (1, "maq3"), (3, "maq2")):
        generation = machines.lay(vault, name)
        found(generation.proofs, "drill", "passed", NOW - back * WEEK)
        keep_screen(generation)
    assert set(screens(vault)) == {"screens/maq3"}


def test_a_vault_is_known_by_its_marker(vault: Vault, tmp_path: Path) -> None:
    """Wherever it's mounted; a marker that can't be read is an error that names it."""
    known, moved = vault.id, vault.root.rename(tmp_path / "elsewhere")
    assert Vault.open(moved).id == known
    (moved / MARKER).write_text("{}")
    with pytest.raises(VaultError, match=r"The vault's marker .* can't be read"):
        _ = Vault.open(moved).id
