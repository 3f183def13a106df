"""A missing worker is known within a minute, and the message says what to do."""

from collections.abc import Iterator
from itertools import chain, repeat

import pytest

from include.errors import NoWorkerError, TransientError
from inpe_backup.operators.vault import check_worker
from tests.site.ports import LOOPBACK, kept_port

OTHER = {"celery@airflow": {"default"}}
BESIDE = {"celery@vault": {"vault"}}


def answer(monkeypatch: pytest.MonkeyPatch, *answers: dict[str, set[str]]) -> None:
    """Let Celery's workers answer so, one time after the other, and at last always the same."""
    later: Iterator[dict[str, set[str]]] = chain(answers, repeat(answers[-1]))
    monkeypatch.setattr(check_worker, "queues", lambda _answers_s: next(later))


def test_the_workers_of_the_vaults_queue_are_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is just being restarted, too."""
    answer(monkeypatch, OTHER | BESIDE)
    assert check_worker.serving("vault") == ["celery@vault"]
    answer(monkeypatch, {}, OTHER, OTHER | BESIDE)
    assert check_worker.serving("vault") == ["celery@vault"]


def test_a_queue_without_a_worker_is_reported_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """And with the workers that there are: one of them may serve another queue by mistake."""
    answer(monkeypatch, OTHER)
    with pytest.raises(NoWorkerError) as raised:
        check_worker.serving("vault", patience_s=0)
    assert str(raised.value) == (
        "No worker serves the queue vault, vaults.main.queue of the site file. Nothing was begun. "
        "Start it on the vault's machine: docker compose up --detach worker-vault. Workers that answered: "
        "celery@airflow (default)."
    )


def test_a_missing_worker_is_known_within_a_minute() -> None:
    """With Airflow's own half minute for the task's start."""
    assert check_worker.PATIENCE_S + check_worker.MORE_ANSWERS_S < 40


@pytest.mark.slow
def test_a_broker_that_cant_be_asked_is_asked_again_later(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The task is retried."""
    port = kept_port(tmp_path_factory.mktemp("nobody") / "port")
    monkeypatch.setenv("AIRFLOW__CELERY__BROKER_URL", f"redis://{LOOPBACK}:{port}/0")
    with pytest.raises(TransientError, match="broker can't be asked"):
        check_worker.queues(0.1)
