"""The whole backup on this machine, with real servers: ``make demo``, or ``make demo ONCE=1``.

Starts the stand-in institute and an Airflow, backs up today's day and five days around the last new year,
restores a day, backs up the VMs, boots one from its image, and reports what happened. Everything is in
``.demo/``; a second demo continues there: it finds the days already safe, and transfers only what changed of
the VMs.
"""

import argparse
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from types import FrameType
from typing import Self
from zoneinfo import ZoneInfo

from include.ordinal_day import OrdinalDay, window
from include.text import counted
from include.vault.vault import MARKER
from tests.site import Institute, supim
from tests.site.airflow import LocalAirflow
from tests.site.airflow_api import FINISHED, JsonObject
from tests.site.airflow_home import PROJECT
from tests.site.demo_boot_test import CHECKS, BootTestDemo
from tests.site.demo_restore import RestoreDemo
from tests.site.demo_vms import IGNORES_SHUTDOWN, WeeklyDemo

DAG = "supim_daily"
ZONE = ZoneInfo("America/Sao_Paulo")
LAG_DAYS = 2
_AT_THE_SOURCE = 6
_APART = 10  # the fewest days between the new year that the demo goes back to and today
_PATIENCE_S = 600.0
_POLL_S = 1.0
_INTERRUPTED = 130
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class DemoDays:
    """The days of the demo.

    Args:
        target: the day of today's run.
        recent: the newest days at the source, the target last.
        past: five consecutive days across a new year.
    """

    target: OrdinalDay
    recent: list[OrdinalDay]
    past: list[OrdinalDay]

    @classmethod
    def on(cls, today: date) -> Self:
        """Choose the days for a date in the institute's time zone."""
        target = OrdinalDay.of(today) - LAG_DAYS
        year = today.year if OrdinalDay(today.year, 2) < target - _APART else today.year - 1
        return cls(target, window(target, _AT_THE_SOURCE), window(OrdinalDay(year, 2), 5))


class Demo:
    """A demo, from the first file to its result.

    Args:
        folder: the folder of everything.
        days: its days.
    """

    def __init__(self, folder: Path, days: DemoDays) -> None:
        self.days = days
        self.institute = Institute(folder, vms=os.geteuid() == 0)  # a KVM host needs root
        self.weekly = WeeklyDemo(self.institute, self._log)
        self.boot_test = BootTestDemo(self.institute, self._log)
        self.restore = RestoreDemo(self.institute, self._log)
        self.folder = self.institute.root
        self._began, self._started = time.monotonic(), datetime.now(ZONE)

    def run(self, *, once: bool) -> int:
        """Run the demo, and then stay up until Ctrl-C, unless ``once``; return the exit status."""
        with _locked(self.folder / "lock"), self.institute:
            self._set_up()
            self._log("Starting Airflow ...")
            airflow = LocalAirflow(self.folder / "airflow", env=self.institute.airflow_env())
            with ThreadPoolExecutor(1) as beside:  # Airflow and the guests start side by side
                guests = beside.submit(self.weekly.set_up)
                with airflow:
                    self._log(f"Airflow is up: {airflow.url}")
                    guests.result()
                    problems = self._all_dags(airflow)
                    result = "\n".join(["Problems:", *problems]) if problems else "Every run succeeded."
                    _print(f"\n{time.monotonic() - self._began:.0f} s. {result}\n")
                    if not once:
                        self._stay_up()
                    self._log("Stopping ...")
        return 1 if problems else 0

    def _all_dags(self, airflow: LocalAirflow) -> list[str]:
        """Run each DAG and report it; return the problems."""
        self.weekly.start(airflow)
        problems = self._back_up_days(airflow)
        problems += self.restore.restore_day(airflow, self.days.target)
        problems += self.weekly.report(airflow) + self.boot_test.boot_vm(airflow)
        self._log(f"The status page: {airflow.url}/plugin/backups")
        return problems

    def _set_up(self) -> None:
        for day in [*self.days.past, *self.days.recent]:
            supim.write_day(self.institute.source, day, grid=supim.DEMO)
        self.institute.write_site_file(vms={"overrides": [IGNORES_SHUTDOWN]}, boot_test=CHECKS)
        self._log(
            f"The stand-in cluster is up on port {self.institute.cluster.port}; it has "
            f"{self.days.past[0]} to {self.days.past[-1]} and {self.days.recent[0]} to {self.days.target}."
        )
        if not (self.institute.vault / MARKER).exists():
            create = [sys.executable, str(PROJECT / "bin" / "inpe-backup"), "init", str(self.institute.vault)]
            subprocess.run(create, cwd=PROJECT, check=True)

    def _back_up_days(self, airflow: LocalAirflow) -> list[str]:
        """Run the DAG for today's and the past days and report it; return the problems."""
        airflow.unpause(DAG)
        self._finish_earlier(airflow)
        mails_before = len(self.institute.mail.mails())
        runs_before = {run["dag_run_id"] for run in airflow.runs(DAG)}
        airflow.trigger(DAG, partition_key=str(self.days.target))
        airflow.backfill(DAG, str(self.days.past[0].date), str(self.days.past[-1].date))
        self._log(
            f"Running {DAG} for {self.days.target}, and for {self.days.past[0]} to {self.days.past[-1]}."
        )
        runs = self._wait(airflow, runs_before)
        problems = self._problems(airflow, runs, len(self.institute.mail.mails()) - mails_before)
        self._report(airflow)
        return problems

    def _finish_earlier(self, airflow: LocalAirflow) -> None:
        """Cancel the backfill of an earlier demo, and wait for its runs.

        Airflow allows one backfill of a DAG at a time, and skips days that have an active run.
        """
        for backfill in airflow.backfills(DAG):
            if backfill["completed_at"] is None:
                airflow.api("PUT", f"/backfills/{backfill['id']}/cancel")
        for run in airflow.runs(DAG):
            queued = datetime.fromisoformat(run["queued_at"] or run["run_after"])
            if run["state"] not in FINISHED and queued < self._started:
                self._log(f"Finishing {run['dag_run_id']}, which an earlier demo started ...")
                airflow.wait_for_run(DAG, run["dag_run_id"], _PATIENCE_S)

    def _wait(self, airflow: LocalAirflow, before: set[str]) -> list[JsonObject]:
        """Wait for all new runs; the schedule may add one of its own."""
        deadline, shown = time.monotonic() + _PATIENCE_S, ""
        while True:
            runs = [run for run in airflow.runs(DAG) if run["dag_run_id"] not in before]
            finished = [run for run in runs if run["state"] in FINISHED]
            if (line := f"  {len(finished)} of {len(runs)} runs are over") != shown:
                self._log(shown := line)
            if len(finished) == len(runs) > len(self.days.past) or time.monotonic() > deadline:
                return runs
            time.sleep(_POLL_S)

    def _problems(self, airflow: LocalAirflow, runs: list[JsonObject], mails: int) -> list[str]:
        problems = [
            f"{run['dag_run_id']} is {run['state']}, not success: "
            f"{airflow.logs}/dag_id={DAG}/run_id={run['dag_run_id']}/"
            for run in runs
            if run["state"] != "success"
        ]
        ran = {run["partition_key"] for run in runs}
        for day in [*self.days.past, self.days.target]:
            if str(day) not in ran:
                problems.append(f"{day} got no run: {airflow.home.log_file('scheduler')}")
            if not self._published(day).is_dir():
                problems.append(f"{day} isn't in the vault: {self._published(day)} is missing.")
        if mails < len(runs):
            sent = f"{counted(len(runs), 'run')} sent only {counted(mails, 'mail')}"
            problems.append(f"{sent}: {self.institute.mail.maildir}")
        return problems

    def _report(self, airflow: LocalAirflow) -> None:
        mails = self.institute.mail.mails()
        if mails:
            body = mails[-1].get_body(("plain",))
            _print(f"\n--- the last of {counted(len(mails), 'mail')}: {mails[-1]['Subject']}\n")
            _print(body.get_content().rstrip() if body else "(it has no text part)")
        _print(f"\n--- the vault, {self.institute.vault}\n")
        for year in sorted((self.institute.vault / "supim").glob("[0-9]*")):
            days = sorted(path.name for path in year.iterdir() if path.is_dir())
            _print(f"supim/{year.name}/  {'  '.join(days)}")
        example = self._published(self.days.target)
        _print(f"\nTo verify it by hand: cd {example} && sha256sum -c --quiet ../{example.name}.sha256")
        _print(
            f"\nWeb page    {airflow.url}/plugin/backups"
            f"\nLog-in      {airflow.user}, password {airflow.password}"
            f"\nMails       {self.institute.mail.maildir}"
            f"\nLogs        {airflow.logs}"
            f"\nSource      {self.institute.source}   (also has days for the schedule)"
        )

    def _stay_up(self) -> None:
        self._log("Everything stays up until Ctrl-C.")
        try:
            while True:
                time.sleep(_POLL_S)
        except KeyboardInterrupt:
            _print("")

    def _published(self, day: OrdinalDay) -> Path:
        return self.institute.vault / "supim" / f"{day.year}" / f"{day.number:03d}"

    def _log(self, text: str) -> None:
        _print(f"[{time.monotonic() - self._began:5.1f} s] {text}")


@contextmanager
def _locked(lock: Path) -> Iterator[None]:
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RuntimeError(f"A demo is running in {lock.parent} already.") from None
        yield


def _print(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a command


def _leave(_number: int, _frame: FrameType | None) -> None:
    for number in _SIGNALS:  # a second Ctrl-C must not keep the servers from stopping
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def main(arguments: list[str] | None = None) -> int:
    """Run the demo from the command line; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.site.demo", description="Show the backup at work.")
    parser.add_argument("--once", action="store_true", help="end when the runs are over")
    parser.add_argument("--folder", type=Path, default=PROJECT / ".demo", help="the folder of everything")
    options = parser.parse_args(arguments)
    for number in _SIGNALS:
        signal.signal(number, _leave)
    try:
        return Demo(options.folder, DemoDays.on(datetime.now(ZONE).date())).run(once=options.once)
    except KeyboardInterrupt:
        _print("Stopped early.")
        return _INTERRUPTED
    except (RuntimeError, OSError, subprocess.CalledProcessError) as failed:
        _print(f"The demo failed. {failed}\nIts logs are in {options.folder}.")
        return 1


if __name__ == "__main__":
    sys.exit(main())
