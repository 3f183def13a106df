"""A vault read into parts: everything in it, its damage, and VMs of any name."""

import base64
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from PIL import Image

from include.boot_test.boot_test import picture_of
from include.config import site_file
from include.config.site_file import Site
from include.errors import VaultError
from include.ordinal_day import OrdinalDay
from include.results.states import State
from include.status.parts import DayStatus, VmPart
from include.status.snapshot import VaultSnapshot
from include.vault.vault import MARKER, Vault
from include.vault.verification_log import LogEntry, VerificationLog
from include.vms.archive import PublishedVm
from tests.include.days.sample_days import DAY, WHEN, lay, tree
from tests.include.scrub.sample_backups import lose, writable
from tests.include.vms import sample_vms
from tests.include.vms.sample_vms import INSTANT

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
WEEK = timedelta(weeks=1)
HOSTILE = ("<b>&", "a b", "100%", "ação", "two\nlines")


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """A new vault."""
    return Vault.create(tmp_path / "vault")


def snapshot(vault: Vault, **keep: int) -> VaultSnapshot:
    """Return a snapshot of a vault, with some retention rules changed."""
    site: Site = site_file.load(site_file.DEFAULT_PATH)
    rules = site.vms.keep.model_copy(update=keep)
    section = site.vms.model_copy(update={"keep": rules})
    return VaultSnapshot(vault, site.model_copy(update={"vms": section}), NOW)


def day(vault: Vault, which: OrdinalDay = DAY) -> DayStatus:
    """Return a day's status."""
    [status] = [each for each in snapshot(vault).days(which.year).days if each.day == which]
    return status


def vm(vault: Vault, **keep: int) -> VmPart:
    """Return the only VM."""
    [part] = snapshot(vault, **keep).vms.vms
    return part


def record_check(log: VerificationLog, what: str, result: str, when: datetime = NOW) -> None:
    """Record the result of a scrub or boot test of a backup."""
    entry = {"what": what, "result": result, "when": when, "how": "So it was.", "seconds": 3, "run": "r"}
    log.append(LogEntry.model_validate(entry))


def spoil(path: Path) -> None:
    """Truncate a record."""
    with writable(path):
        path.write_text("{")


def save_screen(generation: PublishedVm, *, noisy: bool = False) -> None:
    """Save a screenshot of a generation's boot test: a line on black, or noise."""
    screen = Image.effect_noise((480, 480), 100) if noisy else Image.new("RGB", (640, 400), "black")
    if not noisy:
        screen.paste("white", (20, 20, 300, 34))
    screen.convert("RGB").save(picture_of(generation), "PNG")


def screens(vault: Vault) -> dict[str, str]:
    """Return the published screenshots, by their keys."""
    return {key: part.png for key, part in snapshot(vault).parts(["screens"]) if part.kind == "screen"}


def test_a_vault_is_read_into_parts_and_not_changed(vault: Vault) -> None:
    """The days year by year, oldest first."""
    for which in (DAY, DAY + 1, OrdinalDay(2024, 366)):
        lay(vault, which)
    sample_vms.lay(vault)
    before = tree(vault.root)
    parts = dict(snapshot(vault).parts(["vault", "days", "vms", "screens"]))
    assert list(parts) == ["vault", "days/2024", "days/2026", "vms"]
    assert [str(each.day) for each in snapshot(vault).days(2026).days] == ["2026-268", "2026-269"]
    assert tree(vault.root) == before


def test_only_the_requested_years_are_read(vault: Vault) -> None:
    """Even one of which the vault has no day."""
    lay(vault)
    assert [key for key, _ in snapshot(vault).parts(["days"], {2025, 2026})] == ["days/2025", "days/2026"]
    assert snapshot(vault).days(2025).days == ()


def test_a_day_copied_in_the_future_is_no_growth(vault: Vault) -> None:
    """A clock was wrong: the vault would seem to fill within days."""
    lay(vault, copied=datetime.now(UTC) + timedelta(days=4000))
    assert snapshot(vault).vault_part.space.growth_bytes_per_day is None
    lay(vault, DAY + 1, copied=datetime.now(UTC) - timedelta(days=10), bytes=1000)
    assert snapshot(vault).vault_part.space.growth_bytes_per_day == 100


def test_a_boot_test_in_the_future_hides_no_later_one(vault: Vault) -> None:
    """A clock was wrong when it was recorded."""
    log = sample_vms.lay(vault).verification_log
    record_check(log, "boot_test", "passed", NOW + 600 * WEEK)
    record_check(log, "boot_test", "failed", NOW - WEEK)
    found = vm(vault).boot_test
    assert found is not None
    assert found.when == NOW - WEEK


def test_the_vaults_own_part_has_its_rules_and_its_space(vault: Vault) -> None:
    """The rules come from the site file."""
    part = snapshot(vault).vault_part
    assert (part.zone, part.lag_days, part.max_age_days) == ("America/Sao_Paulo", 2, 30)
    assert part.vms_schedule == "0 2 * * 0"
    assert 0 < part.space.free_bytes <= part.space.total_bytes
    assert part.space.path == str(vault.root)


def test_a_day_is_its_newest_revision(vault: Vault) -> None:
    """As its record says."""
    lay(vault)
    lay(vault, revision=2, files=47, warnings=["odd\nname"])
    status = day(vault)
    assert (status.revision, status.files, status.copied) == (2, 47, WHEN)
    assert (status.verified, status.scrubbed) == (WHEN, False)
    assert (status.run, status.damage, status.warnings) == ("an earlier run", None, (r"odd\nname",))


def test_a_day_was_last_verified_by_its_last_passed_scrub(vault: Vault) -> None:
    """A later, failed scrub does not change that."""
    published = lay(vault)
    record_check(published.verification_log, "scrub", "passed", NOW - WEEK)
    assert (day(vault).verified, day(vault).scrubbed, day(vault).damage) == (NOW - WEEK, True, None)
    record_check(published.verification_log, "scrub", "failed")
    assert (day(vault).verified, day(vault).damage) == (NOW - WEEK, "A scrub found it damaged: So it was.")


def test_an_unreadable_day_is_damaged_and_affects_no_other(vault: Vault) -> None:
    """A truncated record, none, no folder, or a log that is a folder."""
    half, none, bare, log = (lay(vault, DAY + after) for after in range(4))
    lay(vault, DAY + 4)
    spoil(half.record_file)
    lose(none.record_file)
    bare.folder.rmdir()
    log.verification_log.path.mkdir()
    damage = {each.day: each.damage or "" for each in snapshot(vault).days(2026).days}
    assert len(damage) == 5
    assert f"The record {half.record_file} can't be read" in damage[half.day]
    assert damage[none.day] == f"{none.record_file} is missing."
    assert damage[bare.day] == f"The folder {bare.folder} is missing."
    assert "It is no regular file" in damage[log.day]
    assert damage[DAY + 4] == ""


def test_a_lost_revision_does_not_hide_an_intact_one(vault: Vault) -> None:
    """The day is published; the scrub reports the lost one."""
    lay(vault)
    lose(lay(vault, revision=2).record_file)
    assert (day(vault).revision, day(vault).damage) == (1, None)


def test_a_vm_has_its_generations(vault: Vault) -> None:
    """Oldest first, with downtimes, sizes, verifications and boot tests."""
    older = sample_vms.lay(vault, instant=INSTANT - WEEK, downtime_s=9.5)
    sample_vms.lay(vault, method="live", stopped="not stopped", downtime_s=0)
    record_check(older.verification_log, "boot_test", "passed")
    record_check(older.verification_log, "scrub", "passed")
    part = vm(vault)
    first, second = part.generations
    assert (part.name, part.host, part.budget_s) == ("maq1", "kvm_host", 60)
    assert (first.instant, first.downtime_s, first.booted, first.verified) == (older.instant, 9.5, True, NOW)
    assert (second.method, second.downtime_s, second.booted, second.sent_bytes) == ("live", None, False, 18)


def test_a_vm_says_how_its_newest_image_was_made_and_read(vault: Vault) -> None:
    """Nothing if its record is unreadable."""
    [disk, *_] = sample_vms.record().model_dump()["disks"]
    sample_vms.lay(vault, instant=INSTANT - WEEK)
    newest = sample_vms.lay(vault, cloned=True, disks=[{**disk, "read_bytes": 3_000_000}])
    assert vm(vault).how_imaged == (
        "Stopped for 4.2 s while its disks were cloned, imaged from the clones. Read: 3.0 MB."
    )
    spoil(newest.record_file)
    assert vm(vault).how_imaged == ""


def test_an_unreadable_generation_is_damaged_and_affects_no_other(vault: Vault) -> None:
    """Nor do other files and folders."""
    half, none = sample_vms.lay(vault, "half"), sample_vms.lay(vault, "none")
    sample_vms.lay(vault, "half", INSTANT + timedelta(days=1))
    spoil(half.record_file)
    lose(none.record_file)
    (vault.root / "vm" / "stray file").write_text("")
    (vault.root / "vm" / "nothing in it").mkdir()
    vms = snapshot(vault).vms.vms
    damage = {part.name: [each.damage or "" for each in part.generations] for part in vms}
    assert sorted(damage) == ["half", "none"]
    assert f"The record {half.record_file} can't be read" in damage["half"][0]
    assert damage["half"][1] == ""
    assert damage["none"] == [f"{none.record_file} is missing."]


def test_the_method_and_downtime_of_an_unreadable_generation_are_unknown(vault: Vault) -> None:
    """Those of a readable one come from its record."""
    sample_vms.lay(vault, instant=INSTANT - WEEK)
    spoil(sample_vms.lay(vault).record_file)
    assert [(each.method, each.downtime_s is None) for each in vm(vault).generations] == [
        ("cold", False),
        ("unknown", True),
    ]


def test_the_last_boot_test_is_that_of_any_generation(vault: Vault) -> None:
    """One without a result only counts if there is no other."""
    older, newer = sample_vms.lay(vault, instant=INSTANT - WEEK), sample_vms.lay(vault)
    assert vm(vault).boot_test is None
    record_check(newer.verification_log, "boot_test", "not checked", NOW - WEEK)
    boot_test = vm(vault).boot_test
    assert boot_test
    assert boot_test.result is State.NOT_CHECKED
    record_check(older.verification_log, "boot_test", "failed", NOW - 2 * WEEK)
    boot_test = vm(vault).boot_test
    assert boot_test
    assert (boot_test.result, boot_test.when, boot_test.image) == (
        State.FAILED,
        NOW - 2 * WEEK,
        older.instant,
    )


def test_a_vm_may_have_any_name(vault: Vault) -> None:
    """Its text is one visible line, and its key unique plain ASCII."""
    for name in HOSTILE:
        generation = sample_vms.lay(vault, name)
        record_check(generation.verification_log, "boot_test", "passed")
        save_screen(generation)
    names = {part.name for part in snapshot(vault).vms.vms}
    assert names == {"<b>&", "a b", "100%", "ação", r"two\nlines"}
    keys = ("%3Cb%3E%26", "a%20b", "100%25", "a%C3%A7%C3%A3o", "two%0Alines")
    assert set(screens(vault)) == {f"screens/{key}" for key in keys}


@pytest.mark.parametrize(("noisy", "size"), [(False, (480, 300)), (True, (200, 200))])
def test_a_screenshot_is_small(vault: Vault, size: tuple[int, int], *, noisy: bool) -> None:
    """A palette PNG; the worse it compresses, the smaller its size."""
    generation = sample_vms.lay(vault)
    record_check(generation.verification_log, "boot_test", "passed")
    save_screen(generation, noisy=noisy)
    png = base64.b64decode(screens(vault)["screens/maq1"])
    with Image.open(io.BytesIO(png)) as screen:
        assert (screen.format, screen.mode, screen.size) == ("PNG", "P", size)
    assert len(png) < 12 * 1024


@pytest.mark.parametrize("content", [b"GIF89a", b"", None])
def test_an_unreadable_screenshot_is_left_out(vault: Vault, content: bytes | None) -> None:
    """The rest of the VM is published anyway."""
    generation = sample_vms.lay(vault)
    record_check(generation.verification_log, "boot_test", "passed")
    if content is not None:
        picture_of(generation).write_bytes(content)
    assert screens(vault) == {}
    assert vm(vault).boot_test


def test_of_many_screenshots_only_the_most_recent_are_published(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others were published after their boot tests."""
    monkeypatch.setattr("include.status.snapshot.MAX_SCREENS", 1)
    for back, name in ((2, "maq1"), (1, "maq3"), (3, "maq2")):
        generation = sample_vms.lay(vault, name)
        record_check(generation.verification_log, "boot_test", "passed", NOW - back * WEEK)
        save_screen(generation)
    assert set(screens(vault)) == {"screens/maq3"}


def test_a_vaults_id_comes_from_its_marker(vault: Vault, tmp_path: Path) -> None:
    """Wherever it's mounted; an unreadable marker is an error that names it."""
    before, moved = vault.id, vault.root.rename(tmp_path / "elsewhere")
    assert Vault.open(moved).id == before
    (moved / MARKER).write_text("{}")
    with pytest.raises(VaultError, match=r"The vault's marker .* can't be read"):
        _ = Vault.open(moved).id
