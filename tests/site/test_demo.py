"""The demo chooses sensible days on any date, and what it prints for a terminal works there."""

import subprocess
from datetime import date, timedelta
from pathlib import Path

import pytest

from include.ordinal_day import OrdinalDay, window
from tests.session import needs
from tests.site import Institute, KvmHost, demo_celery, demo_terminal
from tests.site.demo_days import DemoDays
from tests.site.demo_tour import Tour

TODAY = date(2026, 11, 23)


def consecutive(days: list[OrdinalDay]) -> bool:
    """Return whether no day is left out between the first and the last."""
    return days == window(days[-1], len(days))


@pytest.mark.parametrize("today", [TODAY, date(2025, 3, 1), date(2024, 3, 1), date(2026, 1, 1)])
def test_the_source_has_every_day_that_the_page_could_ask_for(today: date) -> None:
    """No gap from the first day in the vault to the newest that is due; the oldest days nobody knows yet."""
    days = DemoDays.on(today)

    assert consecutive([*days.earlier, *days.past, *days.recent])
    assert days.target.date == today - timedelta(days=2)
    assert [len(part) for part in (days.earlier, days.past, days.recent)] == [4, 4, 7]


@pytest.mark.parametrize("days_later", [0, 1, 7, 11, 100])
def test_a_second_demo_leaves_no_gap_after_the_first(days_later: int) -> None:
    """Its backfill begins where the first demo ended, however long ago that was."""
    first = DemoDays.on(TODAY)
    vault = [*first.past, *first.recent]

    second = DemoDays.on(TODAY + timedelta(days=days_later), vault)

    assert consecutive(sorted({*vault, *second.past, *second.recent}))
    assert second.earlier == first.earlier


def test_on_celery_only_the_worker_of_the_vaults_queue_has_the_vault(tmp_path: Path) -> None:
    """The queue that the demo's site file names."""
    assert [(worker.queue, list(worker.lacks)) for worker in demo_celery.workers(tmp_path)] == [
        ("default", [tmp_path]),
        (demo_celery.QUEUE, []),
    ]


def test_a_terminal_with_the_environment_finds_the_programs(tmp_path: Path) -> None:
    """Values come through as they are, and nobody else may read the secrets."""
    file = demo_terminal.write(tmp_path, {"AIRFLOW_CONN_X": """{"a": "it's $HOME"}"""}, None)

    typed = f". {file}; echo $AIRFLOW_CONN_X; command -v airflow; command -v inpe-backup"
    done = subprocess.run(["sh", "-ec", typed], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[0] == """{"a": "it's $HOME"}"""
    assert [Path(line).name for line in done.stdout.splitlines()[1:]] == ["airflow", "inpe-backup"]
    assert file.stat().st_mode & 0o077 == 0


class Here(KvmHost):
    """A host without namespaces."""

    def enter(self) -> list[str]:
        """Return a prefix that changes nothing."""
        return ["env"]


def test_the_terminals_virsh_doesnt_start_itself(tmp_path: Path) -> None:
    """Though it comes first on the PATH, and the host has the same PATH."""
    needs.kvm_host()
    file = demo_terminal.write(tmp_path, {}, Here(tmp_path / "kvm"))

    typed = f". {file}; virsh --version"
    done = subprocess.run(["sh", "-ec", typed], capture_output=True, text=True, check=True, timeout=20)

    assert done.stdout[:1].isdigit()


@pytest.mark.parametrize(("vms", "stops"), [(True, 5), (False, 4)])
def test_the_tour_has_five_stops_and_fits_a_terminal(tmp_path: Path, *, vms: bool, stops: int) -> None:
    """Four without a KVM host."""
    days = DemoDays.on(TODAY)
    text = Tour(
        Institute(tmp_path, vms=vms), "http://127.0.0.1:1/plugin/backups", days.earlier, days.target
    ).text()

    assert f" {stops}. " in text
    assert f" {stops + 1}. " not in text
    assert "2026-311 to 2026-314" in text
