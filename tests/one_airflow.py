"""One institute and one Airflow for all end-to-end tests of a worker: starting them is slow.

Each test module has a part of the institute, with a source and a vault of its own, and takes Airflow over
when it begins: tasks then read its site file, and only its DAGs are switched on.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.session import needs
from tests.site import ZONE, Institute
from tests.site.airflow import LocalAirflow
from tests.site.kvm_host import STATE

OTHERS = Path(__file__).parent / "dags" / "others"
"""Other people's DAGs."""

# How soon Airflow notices a dead task.
SOON = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "15",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
}


class OneAirflow:
    """An institute and its Airflow.

    Args:
        institute: the institute whose servers all parts share.
        airflow: the Airflow of all tests.
    """

    def __init__(self, institute: Institute, airflow: LocalAirflow) -> None:
        self.institute = institute
        self.airflow = airflow
        self._hosts = ExitStack()

    def institute_for(self, name: str, *, vms: bool = False) -> Institute:
        """Return a part: the shared servers and site file, with a source and vault of its own.

        Args:
            name: its name; the same name is the same folder.
            vms: whether it has the KVM host, which is then started.
        """
        if vms and not self.institute.vms:
            needs.kvm_host()
            self._hosts.enter_context(self.institute.kvm_host)
            self.institute.vms = True
        return self.institute.beside(name, vms=vms)

    def take_over(self, *dags: str) -> None:
        """Wait until the previous module's runs are over, then switch on only these DAGs."""
        self.airflow.wait_until_idle()
        self.airflow.switch_on_only(dags)

    def repair(self, test: pytest.Item | None = None) -> None:
        """Restart services that a test left dead, and note that in the next test's report."""
        dead = self.airflow.repair()
        if dead and test is not None:
            test.add_report_section("setup", "renewed", f"An earlier test left dead: {', '.join(dead)}")

    def end(self) -> None:
        """Stop the KVM host, if there is one."""
        self._hosts.close()


def never_due() -> tuple[str, str]:
    """Return a daily and a weekly schedule of which no run comes due while the tests run."""
    due = datetime.now(ZONE) + timedelta(hours=12)
    return f"{due:%-M %-H} * * *", f"{due:%-M %-H} * * {due:%w}"


def _common_settings() -> dict[str, dict[str, Any]]:
    """Return the keys that count when DAG files are loaded, the same in each part's site file."""
    hosts = [] if needs.lacks_kvm_host() else [{"vms": ["maq*"], "state": STATE}]
    daily, weekly = never_due()
    return {
        "datasets": {"supim": {"schedule": daily, "poke_interval_s": 5, "retry_delay_s": 1}},
        "vms": {"schedule": weekly, "hosts": hosts},
        "scrub": {"schedule": weekly},
    }


@contextmanager
def one_airflow(root: Path) -> Iterator[OneAirflow]:
    """Start both in a folder."""
    with Institute(root / "institute", usual=_common_settings()) as institute:
        kvm = {"AIRFLOW_CONN_KVM_HOST": json.dumps(institute.kvm_host.connection)}
        env = institute.airflow_env() | kvm | SOON
        with LocalAirflow(root / "airflow", env=env, dags_folder=OTHERS) as airflow:
            one = OneAirflow(institute, airflow)
            try:
                yield one
            finally:
                one.end()
