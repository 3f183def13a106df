"""The two main DAGs have a deadline, and its mail goes out only for a run that goes on."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization

from include.config import site_file
from inpe_backup.deadline import LateRunNotifier, deadline_alerts
from tests.dags import text_of
from tests.site.smtp import MailServer

SITE = site_file.load(site_file.DEFAULT_PATH)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MailServer]:
    """A mail server."""
    with MailServer(tmp_path / "mail") as running:
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(running.connection))
        yield running


def miss(state: str, run_type: str = "scheduled") -> None:
    """Let a run of ``vm_weekly`` miss its deadline, as Airflow's triggerer is called then."""
    [alert] = deadline_alerts("vm_weekly", SITE) or []
    run = {"dag_id": "vm_weekly", "dag_run_id": "x <y>", "state": state, "run_type": run_type}

    async def called() -> None:
        await LateRunNotifier(**alert.callback.kwargs, context={"dag_run": run})

    asyncio.run(called())


def test_a_run_that_goes_on_is_mailed(server: MailServer) -> None:
    """With the run's link; nothing is stopped."""
    miss("running")
    [mail] = server.mails()
    assert mail["Subject"] == "[INPE backup] LATE · vm_weekly is still running after 24 h 0 min"
    assert mail["To"] == SITE.mail.to[0]
    assert "The run x &lt;y&gt; of vm_weekly is still running" in text_of(mail, "html")
    assert "/dags/vm_weekly/runs/x%20%3Cy%3E" in text_of(mail, "html")


@pytest.mark.parametrize(("state", "run_type"), [("failed", "scheduled"), ("queued", "backfill")])
def test_what_isnt_late_is_not_mailed(server: MailServer, state: str, run_type: str) -> None:
    """Airflow keeps the deadline of a run that failed; runs of a backfill are queued all at once."""
    miss(state, run_type)
    assert server.mails() == []


def test_the_deadline_is_stored_with_the_dag() -> None:
    """The scheduler knows only what can be serialized."""
    with DAG("vm_weekly", schedule=None) as dag:
        dag.deadline = deadline_alerts("vm_weekly", SITE)
    stored: Any = DagSerialization.to_dict(dag)
    assert "inpe_backup.deadline.LateRunNotifier" in json.dumps(stored)


def test_a_deadline_can_be_left_out() -> None:
    """By null in the site file; other DAGs have none."""
    vms = SITE.vms.model_copy(update={"run_deadline_s": None})
    assert deadline_alerts("vm_weekly", SITE.model_copy(update={"vms": vms})) is None
    assert deadline_alerts("vault_scrub", SITE) is None
