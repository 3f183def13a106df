"""The whole backup on this machine, with real parts: ``make demo``, or ``make demo ONCE=1``.

Starts the stand-in institute and an Airflow, secures today's day and five days around the last turn of the
year, brings a day back, images the virtual machines, boots one from its image, and says what happened.
Everything lies in ``.demo/``; a second demo goes on with it, finds the days it secured already safe, and
brings what changed of the machines.
"""

import argparse
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from types import FrameType
from typing import Self
from zoneinfo import ZoneInfo

from include.ordinal_day import OrdinalDay, window
from include.vault import MARKER
from include.wording import counted
from tests.site import Institute, supim
from tests.site.airflow import LocalAirflow
from tests.site.airflow_api import FINISHED, JsonObject
from tests.site.airflow_home import PROJECT
from tests.site.demo_drill import PROOF, DrillDemo
from tests.site.demo_machines import DEAF, WeeklyDemo
from tests.site.demo_restore import RestoreDemo

DAG = "supim_daily"
ZONE = ZoneInfo("America/Sao_Paulo")
LAG_DAYS = 2
_AT_THE_SOURCE = 6
_APART = 10  # days between what the demo does today and the turn of the year it goes back to
_PATIENCE_S = 600.0
_POLL_S = 1.0
_INTERRUPTED = 130
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class DemoDays:
    """Which days the demo is about.

    Args:
        target: today's run's own day.
        recent: what the source has of late, the target last.
        past: five days in a row, with a year's end among them.
    """

    target: OrdinalDay
    recent: list[OrdinalDay]
    past: list[OrdinalDay]

    @classmethod
    def on(cls, today: date) -> Self:
        """Choose them for a date at the institute."""
        target = OrdinalDay.of(today) - LAG_DAYS
        year = today.year if OrdinalDay(today.year, 2) < target - _APART else today.year - 1
        return cls(target, window(target, _AT_THE_SOURCE), window(OrdinalDay(year, 2), 5))


class Demo:
    """One demo, from the first file to the verdict.

    Args:
        folder: where everything lies.
        days: which days it is about.
    """

    def __init__(self, folder: Path, days: DemoDays) -> None:
        self.days = days
        self.institute = Institute(
            folder, machines=os.geteuid() == 0
        )  # a KVM host needs namespaces of its own
        self.weekly = WeeklyDemo(self.institute, self._say)
        self.drill = DrillDemo(self.institute, self._say)
        self.restore = RestoreDemo(self.institute, self._say)
        self.folder = self.institute.root
        self._began, self._started = time.monotonic(), datetime.now(ZONE)

    def run(self, *, once: bool) -> int:
        """Do all of it, and stay up for people to look around unless ``once``; gives the exit status."""
        with _held(self.folder / "lock"), self.institute:
            self._set_up()
            self._say("Starting Airflow ...")
            with LocalAirflow(self.folder / "airflow", env=self.institute.airflow_env()) as airflow:
                self._say(f"Airflow is up: {airflow.url}")
                problems = self._secure_and_tell(airflow)
                problems += self.restore.restore_and_tell(airflow, self.days.target)
                problems += self.weekly.image_and_tell(airflow) + self.drill.boot_and_tell(airflow)
                self._say(f"What is safe, what isn't, and what to do: {airflow.url}/plugin/backups")
                verdict = "\n".join(["What went wrong:", *problems]) if problems else "Every run succeeded."
                _print(f"\n{time.monotonic() - self._began:.0f} s. {verdict}\n")
                if not once:
                    self._stay_up()
                self._say("Stopping ...")
        return 1 if problems else 0

    def _set_up(self) -> None:
        for day in [*self.days.past, *self.days.recent]:
            supim.write_day(self.institute.source, day, grid=supim.DEMO)
        self.institute.write_site_file(machines={"special": [DEAF], "drill": PROOF})
        self._say(
            f"The stand-in cluster is up on port {self.institute.cluster.port}; it has "
            f"{self.days.past[0]} to {self.days.past[-1]} and {self.days.recent[0]} to {self.days.target}."
        )
        if not (self.institute.vault / MARKER).exists():
            create = [sys.executable, "-m", "include.vault", "create", str(self.institute.vault)]
            subprocess.run(create, cwd=PROJECT, check=True)
        self.weekly.set_up()

    def _secure_and_tell(self, airflow: LocalAirflow) -> list[str]:
        """Run the DAG for today and for the past days; tell what came of it, and give what went wrong."""
        airflow.unpause(DAG)
        self._finish_earlier(airflow)
        mails_before = len(self.institute.mail.mails())
        runs_before = {run["dag_run_id"] for run in airflow.runs(DAG)}
        airflow.trigger(DAG, partition_key=str(self.days.target))
        airflow.backfill(DAG, str(self.days.past[0].date), str(self.days.past[-1].date))
        self._say(
            f"Running {DAG} for {self.days.target}, and for {self.days.past[0]} to {self.days.past[-1]}."
        )
        runs = self._wait(airflow, runs_before)
        problems = self._problems(airflow, runs, len(self.institute.mail.mails()) - mails_before)
        self._tell(airflow)
        return problems

    def _finish_earlier(self, airflow: LocalAirflow) -> None:
        """Let go of a backfill that an earlier demo began, and wait for the runs that it left.

        Airflow backfills one range of a DAG at a time, and no day that has a run in flight.
        """
        for backfill in airflow.backfills(DAG):
            if backfill["completed_at"] is None:
                airflow.api("PUT", f"/backfills/{backfill['id']}/cancel")
        for run in airflow.runs(DAG):
            queued = datetime.fromisoformat(run["queued_at"] or run["run_after"])
            if run["state"] not in FINISHED and queued < self._started:
                self._say(f"Finishing {run['dag_run_id']}, which an earlier demo left ...")
                airflow.wait_for_run(DAG, run["dag_run_id"], _PATIENCE_S)

    def _wait(self, airflow: LocalAirflow, before: set[str]) -> list[JsonObject]:
        """Wait for every run that began since; the schedule may add one of its own."""
        deadline, told = time.monotonic() + _PATIENCE_S, ""
        while True:
            runs = [run for run in airflow.runs(DAG) if run["dag_run_id"] not in before]
            finished = [run for run in runs if run["state"] in FINISHED]
            if (line := f"  {len(finished)} of {len(runs)} runs are through") != told:
                self._say(told := line)
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
            told = f"{counted(len(runs), 'run')} sent only {counted(mails, 'mail')}"
            problems.append(f"{told}: {self.institute.mail.maildir}")
        return problems

    def _tell(self, airflow: LocalAirflow) -> None:
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
        _print(
            f"\nProof without this software: cd {example} && sha256sum -c --quiet ../{example.name}.sha256"
        )
        _print(
            f"\nWeb page    {airflow.url}/plugin/backups"
            f"\nLog-in      {airflow.user}, password {airflow.password}"
            f"\nMails       {self.institute.mail.maildir}"
            f"\nLogs        {airflow.logs}"
            f"\nSource      {self.institute.source}   (days that no run asked for wait here for the schedule)"
        )

    def _stay_up(self) -> None:
        self._say("Everything stays up until Ctrl-C.")
        try:
            while True:
                time.sleep(_POLL_S)
        except KeyboardInterrupt:
            _print("")

    def _published(self, day: OrdinalDay) -> Path:
        return self.institute.vault / "supim" / f"{day.year}" / f"{day.number:03d}"

    def _say(self, text: str) -> None:
        _print(f"[{time.monotonic() - self._began:5.1f} s] {text}")


@contextmanager
def _held(lock: Path) -> Iterator[None]:
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("wb") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RuntimeError(f"A demo is running in {lock.parent} already.") from None
        yield


def _print(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - the demo speaks to its terminal


def _leave(_number: int, _frame: FrameType | None) -> None:
    for number in _SIGNALS:  # impatience must not keep the servers from being stopped
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def main(arguments: list[str] | None = None) -> int:
    """Run the demo from a command line; gives the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.site.demo", description="Show the backup at work.")
    parser.add_argument("--once", action="store_true", help="end when the runs are through")
    parser.add_argument("--folder", type=Path, default=PROJECT / ".demo", help="where everything lies")
    wanted = parser.parse_args(arguments)
    for number in _SIGNALS:
        signal.signal(number, _leave)
    try:
        return Demo(wanted.folder, DemoDays.on(datetime.now(ZONE).date())).run(once=wanted.once)
    except KeyboardInterrupt:
        _print("Stopped before it was through.")
        return _INTERRUPTED
    except (RuntimeError, OSError, subprocess.CalledProcessError) as failed:
        _print(f"The demo failed. {failed}\nIts logs are in {wanted.folder}.")
        return 1


if __name__ == "__main__":
    sys.exit(main())
