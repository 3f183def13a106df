"""The whole backup on this machine, with real servers: ``make demo``, also with ``ONCE=1`` and ``CELERY=1``.

Starts the stand-in institute and an Airflow, backs up today's day and those before it, restores a day, backs
up the VMs, one of them twice, boots one from its image, and reports what happened and what to try next.
Everything is in ``.demo/``; a second demo continues there: it finds the days already safe, and transfers only
what changed of the VMs.
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
from datetime import datetime
from pathlib import Path
from types import FrameType

from include.days.archive import DayArchive
from include.ordinal_day import OrdinalDay
from include.text import counted
from include.vault.vault import MARKER, Vault
from tests.site import ZONE, Institute, demo_celery, demo_terminal, supim
from tests.site.airflow import LocalAirflow
from tests.site.airflow_api import FINISHED, JsonObject
from tests.site.airflow_home import PROJECT
from tests.site.demo_boot_test import CHECKS, BootTestDemo
from tests.site.demo_days import LOOKBACK_DAYS, DemoDays
from tests.site.demo_restore import RestoreDemo
from tests.site.demo_terminal import shown
from tests.site.demo_tour import Tour
from tests.site.demo_vms import IGNORES_SHUTDOWN, WeeklyDemo

DAG = "supim_daily"
_OTHER_DAGS = ("vault_scrub", "vault_status", "vm_restore")  # ready for whoever tries them; no run is due
_PATIENCE_S = 600.0
_MAIL_PATIENCE_S = 60.0
_POLL_S = 1.0
_INTERRUPTED = 130
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Demo:
    """A demo, from the first file to its result.

    Args:
        folder: the folder of everything.
        celery: whether tasks run on workers of Celery, as on several machines.
    """

    def __init__(self, folder: Path, *, celery: bool = False) -> None:
        self.celery = celery
        self.institute = Institute(folder, vms=os.geteuid() == 0)  # a KVM host needs root
        self.weekly = WeeklyDemo(self.institute, self._log)
        self.boot_test = BootTestDemo(self.institute, self._log)
        self.restore = RestoreDemo(self.institute, self._log)
        self.folder = self.institute.root
        self._began, self._started = time.monotonic(), datetime.now(ZONE)
        self.days = DemoDays.on(self._started.date(), self._in_vault())

    def run(self, *, once: bool) -> int:
        """Run the demo, and then stay up until Ctrl-C, unless ``once``; return the exit status."""
        with _locked(self.folder / "lock"), self.institute:
            self._set_up()
            self._log("Starting Airflow ...")
            airflow = self._airflow()
            with ThreadPoolExecutor(1) as beside:  # Airflow and the guests start side by side
                guests = beside.submit(self.weekly.set_up)
                with airflow:
                    self._log(
                        f"Airflow is up: {airflow.url}   (as {airflow.user}, password {airflow.password})"
                    )
                    guests.result()
                    self._write_environment(airflow)
                    problems = self._all_dags(airflow)
                    result = "\n".join(["Problems:", *problems]) if problems else "Every run succeeded."
                    _print(f"\n{time.monotonic() - self._began:.0f} s. {result}\n")
                    if not once:
                        self._show_around(airflow)
                        self._stay_up()
                    self._log("Stopping ...")
        return 1 if problems else 0

    def _airflow(self) -> LocalAirflow:
        env = self.institute.airflow_env()
        if self.celery:
            return demo_celery.airflow(self.folder / "airflow-celery", self.institute.vault, env)
        return LocalAirflow(self.folder / "airflow", env=env)

    def _all_dags(self, airflow: LocalAirflow) -> list[str]:
        """Run each DAG and report it; return the problems."""
        for dag in _OTHER_DAGS:
            airflow.unpause(dag)
        self.weekly.start(airflow)
        problems = self._back_up_days(airflow)
        problems += self.restore.restore_day(airflow, self.days.target)
        problems += self.weekly.report(airflow) + self.weekly.run_again(airflow)
        problems += self.boot_test.boot_vm(airflow)
        self._log(f"The status page: {airflow.url}/plugin/backups")
        return problems

    def _set_up(self) -> None:
        for day in [*self.days.earlier, *self.days.past, *self.days.recent]:
            supim.write_day(self.institute.source, day, grid=supim.DEMO)
        self.institute.write_site_file(
            datasets={"supim": {"lookback_days": LOOKBACK_DAYS}},
            vms={"overrides": [IGNORES_SHUTDOWN]},
            boot_test=CHECKS,
            vaults={"main": {"queue": demo_celery.QUEUE} if self.celery else {}},
        )
        self._log(
            f"The stand-in cluster is up on port {self.institute.cluster.port}; it has "
            f"{self.days.earlier[0]} to {self.days.target}."
        )
        if not (self.institute.vault / MARKER).exists():
            create = [sys.executable, str(PROJECT / "bin" / "inpe-backup"), "init", str(self.institute.vault)]
            subprocess.run(create, cwd=PROJECT, check=True)

    def _back_up_days(self, airflow: LocalAirflow) -> list[str]:
        """Run the DAG for today's and the past days and report it; return the problems."""
        mails_before = len(self.institute.mail.mails())
        airflow.wait_for_dag(DAG)
        runs_before = {run["dag_run_id"] for run in airflow.runs(DAG)}
        airflow.unpause(DAG)
        self._finish_earlier(airflow)
        airflow.trigger(DAG, partition_key=str(self.days.target))
        airflow.backfill(DAG, str(self.days.past[0].date), str(self.days.past[-1].date))
        self._log(
            f"Running {DAG} for {self.days.target}, and for {self.days.past[0]} to {self.days.past[-1]}."
        )
        runs = self._wait(airflow, runs_before)
        # The runs of the backfill have one mail together, which comes after the last of them.
        own = [run for run in runs if run["run_type"] != "backfill"]
        problems = self._problems(airflow, runs) + self._missing_mails(mails_before, len(own) + 1)
        self._report()
        return problems

    def _missing_mails(self, before: int, due: int) -> list[str]:
        """Wait until so many mails have come; return a problem if they don't."""
        deadline = time.monotonic() + _MAIL_PATIENCE_S
        while (came := len(self.institute.mail.mails()) - before) < due:
            if time.monotonic() > deadline:
                return [f"{came} of {counted(due, 'mail')} came: {self.institute.mail.maildir}"]
            time.sleep(_POLL_S)
        return []

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
        """Wait for all new runs; the schedule adds one of its own, unless an earlier demo of today had it."""
        deadline, shown = time.monotonic() + _PATIENCE_S, ""
        while True:
            runs = [run for run in airflow.runs(DAG) if run["dag_run_id"] not in before]
            finished = [run for run in runs if run["state"] in FINISHED]
            if (line := f"  {len(finished)} of {len(runs)} runs are over") != shown:
                self._log(shown := line)
            over = len(finished) == len(runs) > len(self.days.past)
            done = self._missing() == [] or any(run["state"] != "success" for run in finished)
            if (over and done) or time.monotonic() > deadline:
                return runs
            time.sleep(_POLL_S)

    def _problems(self, airflow: LocalAirflow, runs: list[JsonObject]) -> list[str]:
        problems = [
            f"{run['dag_run_id']} is {run['state']}, not success: "
            f"{airflow.logs}/dag_id={DAG}/run_id={run['dag_run_id']}/"
            for run in runs
            if run["state"] != "success"
        ]
        ran = {run["partition_key"] for run in runs}
        without = [day for day in (*self.days.past, self.days.target) if str(day) not in ran]
        problems += [f"{day} got no run: {airflow.home.log_file('scheduler')}" for day in without]
        gone = self._missing()
        return problems + [f"{day} isn't in the vault: {self._published(day)} is missing." for day in gone]

    def _report(self) -> None:
        subjects = [str(mail["Subject"]) for mail in self.institute.mail.mails()]
        for subject in [one for one in subjects if " SUPIM " in one][-len(self.days.past) - 2 :]:
            self._log(f"  mail: {subject}")
        for year in sorted((self.institute.vault / "supim").glob("[0-9]*")):
            days = sorted(path.name for path in year.iterdir() if path.is_dir())
            self._log(f"{shown(year)} has {'  '.join(days)}")
        example = self._published(self.days.target)
        self._log(
            f"To verify one by hand: (cd {shown(example)} && sha256sum -c --quiet ../{example.name}.sha256)"
        )

    def _show_around(self, airflow: LocalAirflow) -> None:
        """Print where everything is, and what to try."""
        env = self._write_environment(airflow)
        page = f"{airflow.url}/plugin/backups"
        _print(
            f"Web page    {page}"
            f"\nLog-in      {airflow.user}, password {airflow.password}"
            f"\nMails       {shown(self.institute.mail.maildir)}"
            f"\nLogs        {shown(airflow.logs)}"
            f"\nSource      {shown(self.institute.source)}"
            f"\nTerminal    . {shown(env)}   gives you the demo's airflow, inpe-backup and virsh"
        )
        _print("\n" + Tour(self.institute, page, self.days.earlier, self.days.recent[-3]).text() + "\n")

    def _write_environment(self, airflow: LocalAirflow) -> Path:
        host = self.institute.kvm_host if self.institute.vms else None
        return demo_terminal.write(self.folder, airflow.home.settings(), host)

    def _stay_up(self) -> None:
        self._log("Everything stays up until Ctrl-C.")
        try:
            while True:
                time.sleep(_POLL_S)
        except KeyboardInterrupt:
            _print("")

    def _in_vault(self) -> list[OrdinalDay]:
        if not (self.institute.vault / MARKER).exists():
            return []
        return [found.day for found in DayArchive(Vault.open(self.institute.vault)).published()]

    def _missing(self) -> list[OrdinalDay]:
        return [day for day in (*self.days.past, *self.days.recent) if not self._published(day).is_dir()]

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
    parser.add_argument("--celery", action="store_true", help="run tasks on workers of Celery")
    parser.add_argument("--folder", type=Path, default=PROJECT / ".demo", help="the folder of everything")
    options = parser.parse_args(arguments)
    for number in _SIGNALS:
        signal.signal(number, _leave)
    try:
        return Demo(options.folder, celery=options.celery).run(once=options.once)
    except KeyboardInterrupt:
        _print("Stopped early.")
        return _INTERRUPTED
    except (RuntimeError, OSError, subprocess.CalledProcessError) as failed:
        _print(f"The demo failed. {failed}\nIts logs are in {options.folder}.")
        return 1


if __name__ == "__main__":
    sys.exit(main())
