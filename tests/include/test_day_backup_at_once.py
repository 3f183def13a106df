"""Two runs at one day: one works, the other looks again later; the day is published once."""

import threading

import pytest

from include.errors import DayNotProvenError
from tests.include.days import DAY
from tests.include.rehearsal import ALL_STEPS, Rehearsal
from tests.include.wire import Wire
from tests.include.worker import Outcome, Worker
from tests.site.sshd import SshServer


def test_a_day_that_another_run_copies_is_left_alone(
    rehearsal: Rehearsal, cluster: SshServer, worker: Worker, another_worker: Worker
) -> None:
    """In the middle of the first one's copy, no step of the second goes on, and nothing is disturbed."""
    rehearsal.write_day()
    staged = rehearsal.vault.staged(DAY)
    refusals: list[Outcome] = []

    def try_too(_: Wire) -> None:
        refusals.extend(another_worker.do(rehearsal.but(run="the other"), step) for step in ALL_STEPS)

    with Wire(cluster, lambda _: staged.data.exists(), try_too) as wire:
        record = worker.do(rehearsal.but(connection=wire.connection))
    sentence = f"2026-268: another run is working at {staged.folder}; looking again in 10 s."
    assert refusals == [Outcome("NotYetError", sentence)] * 3
    assert record.gave
    assert record.gave["run"] == "this run"
    assert another_worker.do(rehearsal.but(run="the other")) == record
    assert rehearsal.is_published()


def test_two_runs_that_race_publish_the_day_once(
    rehearsal: Rehearsal, worker: Worker, another_worker: Worker
) -> None:
    """Each repeats what it was refused, as Airflow does, and both end with the same record."""
    rehearsal.write_day()
    ends: dict[str, Outcome] = {}

    def run(name: str, its: Worker) -> None:
        for step in ALL_STEPS:
            ends[name] = its.do(rehearsal.but(run=name), step)
            while ends[name].error == "NotYetError":
                ends[name] = its.do(rehearsal.but(run=name), step)

    threads = [
        threading.Thread(target=run, args=named) for named in (("one", worker), ("two", another_worker))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ends["one"].gave, ends
    assert ends["one"] == ends["two"]
    assert rehearsal.published_names() == ["268"]
    assert rehearsal.is_published()
    assert not rehearsal.vault.staged(DAY).folder.exists()


def test_a_proven_copy_is_left_to_be_published(rehearsal: Rehearsal) -> None:
    """Another run's copy comes between one's proof and its publishing."""
    rehearsal.write_day()
    rehearsal.do("copy", "prove")
    assert rehearsal.but(run="the other").do("copy") is None
    assert rehearsal.said[-1] == "2026-268: copied and proven already, by another run or before."
    record = rehearsal.do("publish")
    assert record
    assert rehearsal.but(run="the other").do("prove") == record
    assert rehearsal.is_published()


def test_a_proven_copy_of_what_has_changed_since_is_not(rehearsal: Rehearsal) -> None:
    """The source has something newer: that is what the day is now."""
    folder = rehearsal.write_day()
    rehearsal.do("copy", "prove")
    (folder / "new").write_bytes(b"new")
    assert rehearsal.do("copy") is None
    with pytest.raises(DayNotProvenError):
        rehearsal.do("publish")
    rehearsal.do("prove", "publish")
    assert rehearsal.published_names() == ["268"]
    assert rehearsal.is_published()
