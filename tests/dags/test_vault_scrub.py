"""``vault_scrub``: backups verified again, damage reported, damaged days fetched again."""

import shutil

import pytest

from include.days.archive import DayArchive
from include.report import MADE_BY
from include.status.parts import DaysPart, RunPart
from include.vault.vault import Vault
from tests.dags import GREEN, RED, contents, snapshot
from tests.dags.scrubs import DAG, Scrubs
from tests.dags.status_events import day_events, published_parts
from tests.include.days.sample_days import verified
from tests.include.scrub.sample_backups import flip, lose, remove
from tests.include.vault.test_verification_log import found
from tests.one_airflow import OneAirflow
from tests.site import Institute

pytestmark = pytest.mark.worker_group("days")


@pytest.fixture(scope="module")
def scrubs(one: OneAirflow) -> Scrubs:
    """Switch ``vault_scrub`` on, with an empty vault."""
    work = Scrubs(one.institute_for("scrub"), one.airflow)
    Vault.create(work.institute.vault)
    one.take_over(DAG)
    write_site_file(work.institute)
    return work


def write_site_file(institute: Institute, **scrub: object) -> None:
    """Write the site file with some keys of ``scrub`` changed."""
    institute.write_site_file(institute.site_file, scrub=scrub)


@pytest.mark.slow
def test_a_scrub_of_an_empty_vault_fails(scrubs: Scrubs) -> None:
    """It may be the wrong vault."""
    run = scrubs.run()
    assert run.info["state"] == RED
    assert "NOT CHECKED" in run.mail["Subject"]


@pytest.mark.slow
def test_backups_that_are_due_are_verified_again(scrubs: Scrubs) -> None:
    """A day and an image, last verified long ago; the next run has nothing to read, and says so."""
    day, image = scrubs.day("2026-101"), scrubs.generation("maq1")
    before = snapshot(scrubs.institute.vault)
    write_site_file(scrubs.institute, max_read_mb_s=1e-9)
    dry_run = scrubs.run(dry_run=True)
    write_site_file(scrubs.institute)
    assert dry_run.info["state"] == GREEN, dry_run.states()
    assert snapshot(scrubs.institute.vault) == before
    assert "2 would be read" in dry_run.mail["Subject"]
    assert dry_run.note == dry_run.subject
    assert "The scrub reads too slowly: the vault holds " in dry_run.mail_text

    run = scrubs.run()

    assert run.info["state"] == GREEN, run.states()
    assert run.mail["Subject"].startswith(f"[{MADE_BY}] SCRUB OK \N{MIDDLE DOT} 2 verified again")
    assert run.note == run.subject
    for backup in (day, image):
        [found] = backup.verification_log.read()
        assert (found.what, found.result, found.run) == ("scrub", "passed", run.run_id)
    assert run.states()["survey_source"] == "skipped"
    after = snapshot(scrubs.institute.vault)
    assert {path: after[path] for path in before if path.count("/") > 2} == {
        path: what for path, what in before.items() if path.count("/") > 2
    }

    again = scrubs.run()
    assert again.info["state"] == GREEN
    assert "OK \N{MIDDLE DOT} nothing due, nothing read \N{MIDDLE DOT} 2 backups, oldest" in again.subject
    assert "Names, kinds and sizes of all files of 2 backups are as published" in again.mail_text
    assert len(day.verification_log.read()) == 1

    lose(min(day.folder.iterdir()))
    missing = scrubs.run(dry_run=True)
    assert (
        "DRY RUN, action needed \N{MIDDLE DOT} 1 would be read \N{MIDDLE DOT} 1 not read" in missing.subject
    )
    assert "2026-101: 1 file is missing: " in missing.mail_text
    asked = scrubs.run(backup=image.vm)
    assert asked.info["state"] == GREEN
    assert "1 fetched again \N{MIDDLE DOT} 1 verified again" in asked.subject
    assert [found.result for found in image.verification_log.read()] == ["passed", "passed"]


def test_a_damaged_day_is_fetched_again_and_leads_the_mail(scrubs: Scrubs) -> None:
    """As a revision beside it that shares no file with it; the damaged one stays as it is.

    The damage is mailed at once, and that it's repaired when the run ends.
    """
    day = scrubs.day("2026-102")
    damaged = min(day.folder.iterdir())
    flip(damaged)
    before = contents(day.folder)

    run = scrubs.run()

    assert run.info["state"] == GREEN, run.states()
    revisions = DayArchive(scrubs.vault).revisions(day.day)
    assert [revision.name for revision in revisions] == ["102", "102.r2"]
    assert verified(revisions[1])
    assert contents(revisions[0].folder) == before
    assert (revisions[1].folder / damaged.name).stat().st_nlink == 1
    assert (
        "SCRUB \N{MIDDLE DOT} damage found, repaired, action needed \N{MIDDLE DOT} 1 fetched again"
        in run.mail["Subject"]
    )
    lead, _, _ = run.mail_text.partition("Backups")
    assert "'2026-102' no longer matches its checksums" in lead
    assert f"1 file is not as published: '{damaged.name}'" in run.mail_text
    assert "as revision 2" in run.mail_text
    assert "revision 2: the published copy was damaged" in run.mail_text
    assert (
        "TEC of 2026-102 at 15:00 UTC (12:00 in America/Sao_Paulo), drawn from the published" in run.mail_text
    )
    assert revisions[1].picture.is_file()
    [event] = day_events(run)
    assert (event["partition_key"], event["extra"]["revision"]) == ("2026-102", 2)
    assert event["extra"]["cause"] == "the published copy was damaged"
    assert "DAMAGE · 2026-102 no longer matches its checksums" in run.mails()[0]["Subject"]
    ends = [str(mail["Subject"]) for mail in scrubs.institute.mail.mails()]
    assert any("RESOLVED · 2026-102 is intact, replaced" in subject for subject in ends)


@pytest.mark.slow
def test_damage_that_cant_be_repaired_fails_the_run(scrubs: Scrubs) -> None:
    """A damaged image, a missing one, and a damaged day that the source no longer has: the mail lists all."""
    day, image, gone = scrubs.day("2026-103"), scrubs.generation("maq2"), scrubs.generation("maq3")
    gone.verification_log.append(found("boot_test"))
    remove(gone.folder)
    flip(min(day.folder.iterdir()))
    flip(image.image("vda"), (1 << 20) + 5)
    shutil.rmtree(scrubs.institute.source / "2026" / "103")

    run = scrubs.run()

    assert run.info["state"] == RED, run.states()
    assert "SCRUB FAILED \N{MIDDLE DOT} 3 damaged" in run.mail["Subject"]
    assert run.note == run.subject
    assert "1 chunk of 2 of vda.img isn't as published: bytes 1048576-1799999." in run.mail_text
    assert f"The folder {gone.folder} is missing." in run.mail_text
    assert "It can't be fetched again." in run.mail_text
    assert [found.result for found in image.verification_log.read()] == ["failed"]
    assert len(DayArchive(scrubs.vault).revisions(day.day)) == 1
    days, ran = (published_parts(run)[key].part for key in ("days/2026", "runs"))
    assert isinstance(days, DaysPart)
    assert isinstance(ran, RunPart)
    [status] = [found for found in days.days if found.day == day.day]
    assert str(status.damage).startswith("A scrub found it damaged: 1 file is not as published")
    assert (ran.good, len(ran.troubled)) == (False, 3)
