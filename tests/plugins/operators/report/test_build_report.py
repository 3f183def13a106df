"""A report names what a run had no space for, and what it refused, each with the reason."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.sdk import Context

from include.config import site_file
from include.days.plan import DayAction, DayWindow
from include.errors import VaultError
from include.ordinal_day import OrdinalDay
from include.report import Report, headline, render_html, render_text, summary
from include.report.build import build_report
from include.report.delivery import is_problem
from include.results.failure import Failure
from include.results.states import Kind, Outcome
from include.results.tasks import RunFacts
from include.vault.vault import Vault
from include.vms.plan import VmAction
from inpe_backup.operators.report.build_report import BuildReportOperator
from inpe_backup.xcom import TaskResults
from tests.include.days.sample_days import DAY, record
from tests.include.report.daily_runs import plan
from tests.include.report.weekly_runs import ended, made, planned
from tests.include.vms.sample_vms import UUID
from tests.plugins.operators import FakeTask

ANOTHER = "6ad32f6c-2b2e-4f1e-9a84-0c5d1a1f0007"
NEEDS = "The vault needs 1 GB more."


def reported(
    kind: Kind, results: dict[str, Any], day: OrdinalDay | None = DAY, requested: tuple[str, ...] = ()
) -> Report:
    """Return the report of a run whose tasks left these results."""
    site = site_file.load(site_file.DEFAULT_PATH)
    run = RunFacts(
        run_id="a run", started=datetime.now(UTC), dry_run=False, url=None, day=day, requested=requested
    )
    return build_report(kind, site, run, TaskResults(FakeTask(results).context()), None)


def outcomes(report: Report) -> dict[str, tuple[Outcome, str]]:
    """Return each item's outcome and reason."""
    return {item.name: (item.outcome, item.reason) for item in report.items}


def test_a_day_without_space_failed_for_that_reason() -> None:
    """Its tasks never started, which isn't the reason."""
    window = DayWindow(own=DAY, responsible_for=(DAY,), missing=(DAY - 9,))
    plans = [plan(DayAction.COPY), plan(DayAction.COPY, day=DAY - 9)]
    results = {
        "choose_days": window.model_dump(mode="json"),
        "plan_days": [one.model_dump(mode="json") for one in plans],
        "check_free_space": [str(DAY)],
        "check_free_space.refused": {str(DAY - 9): NEEDS},
    }
    assert outcomes(reported(Kind.DAYS, results))[str(DAY - 9)] == (Outcome.FAILED, NEEDS)


def test_a_vm_isnt_reported_with_the_image_of_another() -> None:
    """Clearing check_free_space alone gives the VMs another order than their tasks have."""
    vms = [{"vm": {"name": name, "uuid": uuid}} for name, uuid in (("maq2", ANOTHER), ("maq1", UUID))]
    results = {
        "list_vms_0": [
            planned(vm["vm"]["name"], uuid=vm["vm"]["uuid"]).model_dump(mode="json") for vm in vms
        ],
        "check_free_space": vms,
        "publish_image_0": made(vm="maq1").model_dump(mode="json"),
        "publish_image_1": made(vm="maq1").model_dump(mode="json"),
        "apply_retention": [],
    }
    found = {name: outcome for name, (outcome, _) in outcomes(reported(Kind.VMS, results)).items()}
    assert found == {"maq1": Outcome.IMAGED, "maq2": Outcome.NOT_IMAGED}


def test_a_day_isnt_reported_with_the_copy_of_another() -> None:
    """As above."""
    window = DayWindow(own=DAY, responsible_for=(DAY,))
    results = {
        "choose_days": window.model_dump(mode="json"),
        "plan_days": [plan(DayAction.COPY).model_dump(mode="json")],
        "check_free_space": [str(DAY)],
        "publish_day_0": record(day=DAY - 1).model_dump(mode="json"),
    }
    assert outcomes(reported(Kind.DAYS, results))[str(DAY)][0] is Outcome.FAILED


def test_a_vm_without_space_is_refused_for_that_reason() -> None:
    """It was never stopped: nothing says that its backup may be open."""
    results = {
        "list_vms_0": [planned("maq1").model_dump(mode="json")],
        "check_free_space": [],
        "check_free_space.refused": {"maq1": NEEDS},
        "apply_retention": [],
    }
    report = reported(Kind.VMS, results)
    assert outcomes(report)["maq1"] == (Outcome.NOT_POSSIBLE, NEEDS)
    assert [sentence for sentence in report.needs_action if "may still be open" in sentence] == []


def test_a_run_without_a_valid_day_is_reported_about_no_day() -> None:
    """Another day, safe or not, has nothing to do with it."""
    wrong = Failure(task="choose_days", error="InvalidDayError", message="There is no day 366 in 2026.")
    results = {"choose_days.failure": wrong.model_dump(mode="json")}
    report = reported(Kind.DAYS, results, day=None)

    assert (report.day, report.items, report.coverage) == (None, (), ())
    assert report.needs_action == (wrong.message,)
    assert summary(report) == "SUPIM FAILED · no such day"
    assert headline(report) == "No day was checked."
    assert wrong.message in render_text(report)
    assert not re.search("[0-9]{4}-[0-9]{3}[^0-9]", render_text(report) + render_html(report))


@pytest.mark.parametrize(
    ("kind", "typed", "day"),
    [
        (Kind.DAYS, "2024-366", "2024-366"),
        (Kind.DAYS, "2024-12-31", "2024-366"),
        (Kind.DAYS, "2026-366", None),
        (Kind.DAYS, "2999-001", None),
        (Kind.RESTORE, "2024-366", None),
    ],
)
def test_a_run_is_about_its_own_day_or_none(kind: Kind, typed: str, day: str | None) -> None:
    """A wrong day isn't replaced by the day that is due."""
    operator = BuildReportOperator(task_id="build_report", kind=kind, tasks={})
    found = operator.day(FakeTask(day=typed).context())
    assert found == (OrdinalDay.parse(day) if day else None)


def test_a_run_of_some_vms_reports_only_those() -> None:
    """The others are neither missing nor in the subject, which names what was asked for."""
    plans = [planned("maq1"), planned("maq2", VmAction.SKIP), planned("maq3", VmAction.SKIP)]
    results = {
        "list_vms_0": [plan.model_dump(mode="json") for plan in plans],
        "check_free_space": [{"vm": {"name": "maq1", "uuid": UUID}}],
        "publish_image_0": made(vm="maq1").model_dump(mode="json"),
        "end_backup_0": ended().model_dump(mode="json"),
        "apply_retention": [],
    }
    report = reported(Kind.VMS, results, requested=("maq1",))
    assert list(outcomes(report)) == ["maq1"]
    assert summary(report).startswith("VM maq1 OK · 1 imaged")
    assert headline(report) == "Only maq1 was asked for. maq1 was imaged and verified."
    assert "maq2" not in render_text(report)


def test_a_subject_names_few_of_many_vms() -> None:
    """It stays one short line."""
    names = ("maq1", "maq2", "web*", "db", "tape")
    report = reported(Kind.VMS, {"list_vms_0": [], "check_free_space": []}, requested=names)
    assert report.name == "VM maq1, maq2, web* and 2 more"


def failing(kind: Kind, results: dict[str, Any], error: Exception, tries: int) -> Report:
    """Return the report of a run whose vault can't be read, at one of two tries."""

    class FailingOperator(BuildReportOperator):
        def _vault(self) -> Vault | None:
            raise error

        def _run(self, context: Context) -> RunFacts:  # noqa: ARG002 - the base's signature
            return RunFacts(run_id="r", started=datetime.now(UTC), dry_run=False, url=None, day=DAY)

    context = FakeTask(results).context()
    context["ti"].try_number, context["ti"].max_tries = tries, 1
    return Report.model_validate(FailingOperator(task_id="build_report", kind=kind, tasks={}).work(context))


def test_a_report_is_built_without_a_vault_that_cant_be_read() -> None:
    """At the last try: else nobody would get a mail when the vault's disk begins to fail."""
    results = {"list_vms_0": [planned("maq1").model_dump(mode="json")], "check_free_space": []}
    with pytest.raises(OSError, match="Input/output"):
        failing(Kind.VMS, results, OSError(5, "Input/output error"), 1)
    report = failing(Kind.VMS, results, OSError(5, "Input/output error"), 2)
    assert list(outcomes(report)) == ["maq1"]
    assert report.needs_action[0].startswith("The report is incomplete: [Errno 5] Input/output error. See")
    assert failing(Kind.VMS, results, VaultError("No."), 1).needs_action  # which isn't tried again


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.BACKFILL])
def test_a_report_that_cant_be_built_says_so(kind: Kind) -> None:
    """It is a problem, so it is mailed."""
    names = ("choose_days", "list_vms_0", "plan_scrub", "plan")
    report = failing(kind, dict.fromkeys(names, "nonsense"), OSError(5, "Input/output error"), 2)
    assert " FAILED · " in summary(report)
    assert is_problem(report)
    assert "The report is incomplete" in render_text(report)
    assert "The report is incomplete" in render_html(report)
