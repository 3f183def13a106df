"""What the audit does for people: proofs that don't grow old, damage that is told, days made whole again."""

import shutil
from collections.abc import Iterator

import pytest

from include.report import MADE_BY
from include.standing.facts import DaysPart, RunPart
from include.vault import Vault
from tests.dags import GREEN, RED, contents, snapshot
from tests.dags.audit import DAG, Audits
from tests.dags.facts import days_of, told
from tests.include.audit.kept import flip
from tests.include.days import proven
from tests.site import Institute
from tests.site.airflow import LocalAirflow

pytestmark = pytest.mark.xdist_group("audit")


@pytest.fixture(scope="module")
def audits(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Audits]:
    """Give the audit, switched on, with an empty vault."""
    root = tmp_path_factory.mktemp("audit")
    with Institute(root / "institute") as institute:
        Vault.create(institute.vault)
        work = Audits(institute, LocalAirflow(root / "airflow", env=institute.airflow_env()))
        institute.write_site_file(supim={"retry_delay_s": 1}, audit={"schedule": "59 23 * * 0"})
        with work.airflow as airflow:
            airflow.unpause(DAG)
            yield work


def test_an_empty_vault_is_no_good_news(audits: Audits) -> None:
    """It may be another one than it should."""
    run = audits.run()
    assert run.facts["state"] == RED
    assert "NOT CHECKED" in run.mail["Subject"]


def test_what_is_due_is_proven_again(audits: Audits) -> None:
    """The day and the image, whose proofs grew old; the run after that has nothing to read, and says so."""
    day, image = audits.day("2026-101"), audits.generation("maq1")
    before = snapshot(audits.institute.vault)
    rehearsed = audits.run(dry_run=True)
    assert rehearsed.facts["state"] == GREEN, rehearsed.states()
    assert snapshot(audits.institute.vault) == before
    assert "2 would be read" in rehearsed.mail["Subject"]

    run = audits.run()

    assert run.facts["state"] == GREEN, run.states()
    assert run.mail["Subject"].startswith(f"[{MADE_BY}] AUDIT OK \N{MIDDLE DOT} 2 proven again")
    for backup in (day, image):
        [found] = backup.proofs.read()
        assert (found.what, found.result, found.run) == ("audit", "passed", run.run_id)
    assert run.states()["survey"] == "skipped"
    after = snapshot(audits.institute.vault)
    assert {path: after[path] for path in before if path.count("/") > 2} == {
        path: what for path, what in before.items() if path.count("/") > 2
    }

    again = audits.run()
    assert again.facts["state"] == GREEN
    assert "1 already safe" in again.mail["Subject"]
    assert "2 backups proven within the time set" in again.told
    assert len(day.proofs.read()) == 1


def test_a_damaged_day_is_fetched_again_and_the_mail_leads_with_it(audits: Audits) -> None:
    """As a revision beside it, which shares nothing with it; what is damaged stays as it is."""
    day = audits.day("2026-102")
    damaged = min(day.folder.iterdir())
    flip(damaged)
    before = contents(day.folder)

    run = audits.run()

    assert run.facts["state"] == GREEN, run.states()
    revisions = audits.vault.revisions(day.day)
    assert [one.name for one in revisions] == ["102", "102.r2"]
    assert proven(revisions[1])
    assert contents(revisions[0].folder) == before
    assert (revisions[1].folder / damaged.name).stat().st_nlink == 1
    assert "AUDIT OK, needs a person \N{MIDDLE DOT} 1 fetched again" in run.mail["Subject"]
    lead, _, _ = run.told.partition("Backups")
    assert "'2026-102' isn't what was published" in lead
    assert f"1 file is not as published: '{damaged.name}'" in run.told
    assert "as revision 2" in run.told
    [event] = days_of(run)
    assert (event["partition_key"], event["extra"]["revision"]) == ("2026-102", 2)


def test_damage_that_the_run_cant_mend_makes_it_red(audits: Audits) -> None:
    """An image, and a day that the source has no more; each is named, with the place of the damage."""
    day, image = audits.day("2026-103"), audits.generation("maq2")
    flip(min(day.folder.iterdir()))
    flip(image.image("vda"), (1 << 20) + 5)
    shutil.rmtree(audits.institute.source / "2026" / "103")

    run = audits.run()

    assert run.facts["state"] == RED, run.states()
    assert "AUDIT FAILED \N{MIDDLE DOT} 2 damaged" in run.mail["Subject"]
    assert "1 chunk of 2 of vda.img isn't as published: bytes 1048576-1799999." in run.told
    assert "It can't be fetched again." in run.told
    assert [found.result for found in image.proofs.read()] == ["failed"]
    assert len(audits.vault.revisions(day.day)) == 1
    year, did = (told(run)[key].part for key in ("days/2026", "runs"))
    assert isinstance(year, DaysPart)
    assert isinstance(did, RunPart)
    [known] = [one for one in year.days if one.day == day.day]
    assert str(known.damage).startswith("An audit found it damaged: 1 file is not as published")
    assert (did.good, len(did.troubled)) == (False, 2)
