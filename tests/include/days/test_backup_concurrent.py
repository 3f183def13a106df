"""Two runs back up the same day: one works, the other tries again later; the day is published once."""

import threading

import pytest

from include.days.archive import DayArchive
from include.errors import DayNotVerifiedError
from tests.include.days.day_tasks import ALL_STEPS, Rehearsal
from tests.include.days.sample_days import DAY
from tests.include.days.worker import Outcome, Worker
from tests.include.tcp_proxy import Wire
from tests.site.sshd import SshServer


def test_a_day_that_another_run_copies_is_left_alone(
    rehearsal: Rehearsal, cluster: SshServer, worker: Worker, another_worker: Worker
) -> None:
    """During the first run's copy, every step of the second is refused, and the copy isn't disturbed."""
    rehearsal.write_day()
    staged = DayArchive(rehearsal.vault).staged(DAY)
    refusals: list[Outcome] = []

    def try_too(_: Wire) -> None:
        refusals.extend(another_worker.do(rehearsal.but(run="the other"), step) for step in ALL_STEPS)

    with Wire(cluster, lambda _: staged.data.exists(), try_too) as wire:
        outcome = worker.do(rehearsal.but(connection=wire.connection))
    message = f"2026-268: another run is working at {staged.folder}; trying again later."
    assert refusals == [Outcome("RescheduleError", message)] * 3
    assert outcome.record
    assert outcome.record["run"] == "this run"
    assert another_worker.do(rehearsal.but(run="the other")) == outcome
    assert rehearsal.is_published()


def test_two_runs_that_race_publish_the_day_once(
    rehearsal: Rehearsal, worker: Worker, another_worker: Worker
) -> None:
    """Each repeats the refused steps, as Airflow does, and both end with the same record."""
    rehearsal.write_day()
    outcomes: dict[str, Outcome] = {}

    def run(name: str, worker: Worker) -> None:
        for step in ALL_STEPS:
            outcomes[name] = worker.do(rehearsal.but(run=name), step)
            while outcomes[name].error == "RescheduleError":
                outcomes[name] = worker.do(rehearsal.but(run=name), step)

    threads = [
        threading.Thread(target=run, args=arguments)
        for arguments in (("one", worker), ("two", another_worker))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes["one"].record, outcomes
    assert outcomes["one"] == outcomes["two"]
    assert rehearsal.published_names() == ["268"]
    assert rehearsal.is_published()
    assert not DayArchive(rehearsal.vault).staged(DAY).folder.exists()


def test_another_run_leaves_a_verified_copy_to_be_published(rehearsal: Rehearsal) -> None:
    """Its copy step comes between the first run's verification and publication."""
    rehearsal.write_day()
    rehearsal.do("copy", "verify")
    assert rehearsal.but(run="the other").do("copy") is None
    assert rehearsal.log_lines[-1] == "2026-268: copied and verified already."
    record = rehearsal.do("publish")
    assert record
    assert rehearsal.but(run="the other").do("verify") == record
    assert rehearsal.is_published()


def test_a_verified_copy_is_discarded_if_the_source_has_changed_since(rehearsal: Rehearsal) -> None:
    """The newer content is the day now."""
    folder = rehearsal.write_day()
    rehearsal.do("copy", "verify")
    (folder / "new").write_bytes(b"new")
    assert rehearsal.do("copy") is None
    with pytest.raises(DayNotVerifiedError):
        rehearsal.do("publish")
    rehearsal.do("verify", "publish")
    assert rehearsal.published_names() == ["268"]
    assert rehearsal.is_published()
