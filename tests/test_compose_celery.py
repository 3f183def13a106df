"""docker-compose.celery.yaml and docker-compose.worker.yaml fit docker-compose.yaml and env.example.

Like test_compose.py, this needs no Docker; where there is Compose, it merges the files itself.
"""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.session import needs
from tests.test_compose import (
    AIRFLOW,
    COMPOSE,
    ENV_EXAMPLE,
    SERVICES,
    SEVERAL_MACHINES,
    SITE,
    TEXT,
    VARIABLE,
    folders,
    writable,
)

ROOT = Path(__file__).parents[1]
CELERY_TEXT, WORKER_TEXT = (
    (ROOT / f"docker-compose.{name}.yaml").read_text(encoding="utf-8") for name in ("celery", "worker")
)


class _Loader(yaml.SafeLoader):
    """Reads Compose's own tags, too: ``!override`` replaces what it would merge with, ``!reset`` drops it."""


def _replaced(loader: Any, node: Any) -> list[Any]:  # noqa: ANN401 - PyYAML's
    found: list[Any] = loader.construct_sequence(node, deep=True)
    return found


_Loader.add_constructor("!override", _replaced)
_Loader.add_constructor("!reset", lambda _loader, _node: None)

CELERY: dict[str, Any] = yaml.load(CELERY_TEXT, _Loader)  # noqa: S506 - a safe loader with two tags more
WORKER: dict[str, Any] = yaml.load(WORKER_TEXT, _Loader)  # noqa: S506 - the same
WORKERS = {name for name, service in CELERY["services"].items() if "extends" in service}


def test_every_airflow_service_has_the_settings_of_celery() -> None:
    """Also the dag-processor, which adds the check of the worker."""
    services = CELERY["services"]
    assert set(services) - WORKERS - {"redis", "postgres"} == set(AIRFLOW)
    assert {
        name for name in (*AIRFLOW, *WORKERS) if services[name]["environment"] != CELERY["x-celery"]
    } == set()
    assert CELERY["x-celery"]["AIRFLOW__CORE__EXECUTOR"] == "CeleryExecutor"


def test_only_the_vaults_worker_has_the_vault_and_the_keys() -> None:
    """It has them from the scheduler of the set-up without Celery, which loses them."""
    services = CELERY["services"]
    assert {name: services[name]["extends"]["service"] for name in WORKERS} == {
        "worker": "triggerer",
        "worker-vault": "scheduler",
    }
    assert writable(SERVICES["scheduler"]) >= {SITE.vault.path, "/backup/restored"}
    assert writable(services["scheduler"]) == {"/opt/airflow/logs"}
    assert folders(services["scheduler"]) == folders(SERVICES["scheduler"])
    assert "KEYS_PATH" not in CELERY_TEXT


def test_a_queued_task_has_a_slot_at_once() -> None:
    """One that waits there longer than scheduler.task_queued_timeout fails, though it did nothing."""
    slots = CELERY["x-celery"]["AIRFLOW__CELERY__WORKER_CONCURRENCY"]
    assert slots == COMPOSE["x-environment"]["AIRFLOW__CORE__PARALLELISM"]


def test_a_worker_ends_its_tasks_before_it_stops_and_before_the_api_server() -> None:
    """As the scheduler without Celery."""
    for name in WORKERS:
        worker = CELERY["services"][name]
        assert worker["stop_grace_period"] == SERVICES["scheduler"]["stop_grace_period"]
        assert worker["depends_on"]["api-server"] == {"condition": "service_healthy"}


def test_the_queue_of_the_documents_is_the_one_of_the_worker() -> None:
    """And the service's name is the one in the operator's message."""
    command = CELERY["services"]["worker-vault"]["command"]
    operations = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    operator = ROOT / "plugins" / "inpe_backup" / "operators" / "vault" / "check_worker.py"
    assert command[-2:] == ["--queues", "vault"]
    assert "queue: vault" in operations
    assert "docker compose up --detach worker-vault" in operator.read_text(encoding="utf-8")


def test_redis_keeps_its_queues_and_is_pinned() -> None:
    """Tasks that were queued before a restart run after it."""
    redis = CELERY["services"]["redis"]
    assert "appendonly yes" in redis["command"][-1].splitlines()
    assert redis["volumes"] == ["queue:/data"]
    assert redis["restart"] == "unless-stopped"
    assert re.fullmatch(r"redis:\d+(\.\d+)?-[a-z]+", redis["image"])


def test_no_command_line_has_a_password() -> None:
    """Every user of the machine can read it."""
    services = CELERY["services"].values()
    typed = [str(service.get("command")) + str(service.get("healthcheck")) for service in services]
    assert [line for line in typed if "PASSWORD" in line] == []


def test_nothing_more_is_open_to_the_network_by_default() -> None:
    """What workers elsewhere need listens where .env says, else on this machine only; the page as before."""
    ports = [port for service in CELERY["services"].values() for port in service.get("ports", [])]
    assert [port.partition("}")[0] for port in ports] == ["${AIRFLOW_LISTEN:-127.0.0.1"] * 3


def test_env_example_has_what_these_files_need_too() -> None:
    """As an option; where it is missing, Compose names the variable."""
    used = {found["name"] for found in VARIABLE.finditer(CELERY_TEXT + WORKER_TEXT)}
    more = used - {found["name"] for found in VARIABLE.finditer(TEXT)} | {"COMPOSE_FILE", "COMPOSE_PROFILES"}
    assert more == SEVERAL_MACHINES
    assert set(re.findall(r"^# ([A-Z_]+)=", ENV_EXAMPLE, re.MULTILINE)) >= more


def test_the_vaults_machine_has_nothing_but_the_worker() -> None:
    """By the same command as on Airflow's machine: a second Airflow there would do all work twice."""
    every = set(SERVICES) | set(CELERY["services"])
    elsewhere = {
        name for name, service in WORKER["services"].items() if service.get("profiles") == ["airflow"]
    }
    assert elsewhere == every - {"worker-vault"}
    assert WORKER["services"]["worker-vault"]["build"] == SERVICES["init"]["build"]


@pytest.mark.slow
def test_compose_takes_the_files(tmp_path: Path) -> None:
    """A real Compose merges them: only the vault's worker has vault and keys, on whichever machine it is."""
    airflow, vault = (merged(tmp_path, *names) for names in (["celery"], ["celery", "worker"]))
    targets = {name: {m["target"] for m in service.get("volumes", [])} for name, service in airflow.items()}
    for target in ("/backup/vault", "/run/keys"):
        assert {name for name, found in targets.items() if target in found} == {"worker-vault"}
    assert set(airflow) == set(SERVICES) | set(CELERY["services"])
    assert set(vault) == {"worker-vault"}
    assert "depends_on" not in vault["worker-vault"]
    assert vault["worker-vault"]["volumes"] == airflow["worker-vault"]["volumes"]


def merged(folder: Path, *files: str) -> dict[str, Any]:
    """Return the services that Compose makes of the files."""
    needed = set(re.findall(r"\$\{(\w+):\?", TEXT + CELERY_TEXT + WORKER_TEXT))
    (folder / "env").write_text("".join(f"{name}=/x\n" for name in sorted(needed)), encoding="ascii")
    names = ["docker-compose.yaml", *(f"docker-compose.{name}.yaml" for name in files)]
    command = [needs.compose(), "--env-file", str(folder / "env")]
    command += [word for name in names for word in ("-f", name)]
    env = {**os.environ, "COMPOSE_PROFILES": "vault"}
    done = subprocess.run(
        [*command, "config"], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    services: dict[str, Any] = yaml.safe_load(done.stdout)["services"]
    return services
