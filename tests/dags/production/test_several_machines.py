"""The way from one machine to several, typed as docs/operations.md has it, and several machines at work.

The vault's machine is a checkout and a Compose project of its own on the same engine: what it reaches on
Airflow's machine, and the other way round, passes through published ports of addresses of their own.
"""

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.dags import GREEN, RED, contents, wait_for
from tests.dags.documents import OPERATIONS
from tests.dags.production import PATIENCE_S, published, run, write_day
from tests.site.certificates import Authority
from tests.site.docker_engine import GATEWAY
from tests.site.production import CLONE, SITE, BackupMachine, reached
from tests.site.smtp import LOGIN, PASSWORD, MailServer
from tests.test_compose import example

pytestmark = [
    pytest.mark.slow,
    pytest.mark.worker_group("production"),
    pytest.mark.timeout(1800),  # `up` takes minutes while a machine is busy
]

AIRFLOWS, VAULTS = "10.0.0.5", "10.0.0.6"
"""The addresses of the two machines."""
THERE, ITS_VAULT = "/srv/of-the-vault", "/srv/disk/vault"
"""The checkout on the vault's machine, and its vault."""
PROJECT_NAME = "COMPOSE_PROJECT_NAME=of-the-vault"


def commands() -> list[str]:
    """Return the blocks of commands of that part, in order."""
    [part] = re.findall(r"^## From one machine to several\n(.*?)^## ", OPERATIONS, re.DOTALL | re.MULTILINE)
    return [block.strip() for block in re.findall(r"^ *```sh\n(.*?)^ *```$", part, re.DOTALL | re.MULTILINE)]


def there(machine: BackupMachine, command: str) -> str:
    """Type a command on the vault's machine; return its output."""
    return machine.type(f"cd {THERE}\n{command}")


def hosts(machine: BackupMachine, dag: str, run_id: str) -> dict[str, str]:
    """Return on which host each task of a run was, by its id."""
    tasks = machine.api().task_instances(dag, run_id)
    return {task["task_id"]: task["hostname"] for task in tasks if task["hostname"]}


def status_run(machine: BackupMachine) -> dict[str, str]:
    """Trigger ``vault_status``; return where its tasks were, and the log of its check as ``log``."""
    api = machine.api()
    begun = api.trigger("vault_status")["dag_run_id"]
    assert api.wait_for_run("vault_status", begun, PATIENCE_S)["state"] == GREEN
    return hosts(machine, "vault_status", begun) | {"log": api.log("vault_status", begun, "check_worker")}


def last_run(machine: BackupMachine, day: str) -> dict[str, Any]:
    """Return a day's last run."""
    runs = [found for found in machine.api().runs("supim_daily") if found["partition_key"] == day]
    return max(runs, key=lambda found: found["run_after"])


def subjects(machine: BackupMachine) -> list[str]:
    """Return the subjects of all mails."""
    return [str(mail["Subject"]) for mail in machine.institute.mail.mails()]


def site(machine: BackupMachine, queue: str | None) -> None:
    """Write the site file with such a queue of the vault."""
    main: Mapping[str, object] = {"path": "/backup/vault", "reserve": "64MiB", "queue": queue}
    machine.write_site_file(vaults={"main": main})


@pytest.fixture(scope="module")
def on_celery(machine: BackupMachine) -> BackupMachine:
    """Go over to Celery on the one machine, which has a day in the vault."""
    start, *_ = commands()
    write_day(machine, "2026-070")
    machine.api().unpause("supim_daily")
    assert run(machine, "2026-070") == GREEN
    machine.api().wait_until_idle(PATIENCE_S)
    machine.set(
        COMPOSE_FILE=example("COMPOSE_FILE"),
        COMPOSE_PROFILES=example("COMPOSE_PROFILES"),
        REDIS_PASSWORD=machine.type("openssl rand -hex 24").strip(),
    )
    site(machine, "vault")
    machine.type(start)
    return machine


@pytest.fixture(scope="module")
def moved(on_celery: BackupMachine) -> Iterator[BackupMachine]:
    """Move the vault to another machine."""
    machine = on_celery
    _, _, build, end, up = commands()
    for address in (AIRFLOWS, VAULTS):
        subprocess.run(["ip", "address", "add", f"{address}/32", "dev", "lo"], check=True)
    machine.type(f"cp -a {CLONE} {THERE}; echo {PROJECT_NAME} >>{THERE}/.env")
    files = f"{example('COMPOSE_FILE')}:docker-compose.worker.yaml"
    machine.set(THERE, COMPOSE_FILE=files, AIRFLOW_ADDRESS=AIRFLOWS, WORKER_NAME=VAULTS, VAULT_PATH=ITS_VAULT)
    there(machine, build)
    machine.type(end)
    machine.type(f"mkdir /srv/disk && mv /backup/vault {ITS_VAULT}")
    machine.set(COMPOSE_PROFILES=None, AIRFLOW_LISTEN=AIRFLOWS)
    machine.type(up)
    there(machine, up)
    yield machine
    there(machine, "docker compose down --volumes --timeout 1")


def test_on_one_machine_the_vaults_tasks_run_in_its_worker(on_celery: BackupMachine) -> None:
    """And so does what is typed about the vault."""
    _, listing, *_ = commands()
    found = status_run(on_celery)
    assert f"is served by celery@{found['refresh_status']}" in found["log"]
    assert found["check_worker"] != found["refresh_status"]
    assert "2026-070" in on_celery.type(listing.replace("exec", "exec -T"))


def test_the_vaults_machine_copies_a_day(moved: BackupMachine) -> None:
    """Its worker alone runs there; Airflow's page stays where it was, and shows the logs of tasks there."""
    assert there(moved, "docker compose ps --services").split() == ["worker-vault"]
    source = write_day(moved, "2026-071")
    assert run(moved, "2026-071") == GREEN
    run_id = last_run(moved, "2026-071")["dag_run_id"]
    assert f"is served by celery@{VAULTS}" in moved.api().log("supim_daily", run_id, "check_worker")
    where = hosts(moved, "supim_daily", run_id)
    assert where.pop("check_worker") != VAULTS
    assert set(where.values()) == {VAULTS}
    assert contents(published(moved, "2026-071", ITS_VAULT)) == contents(source)
    assert "bytes copied" in moved.api().log("supim_daily", run_id, "back_up_day.copy_day", map_index=0)


def test_without_the_vaults_worker_a_run_says_so(moved: BackupMachine) -> None:
    """It fails and is mailed; it is cleared when the worker is back."""
    there(moved, "docker compose stop")
    write_day(moved, "2026-072")
    assert run(moved, "2026-072") == RED
    wait_for(lambda: any("WORKER GONE" in subject for subject in subjects(moved)), "the alarm")
    assert not moved.path("/backup/vault").exists()


@pytest.fixture(scope="module")
def back(moved: BackupMachine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BackupMachine]:
    """Go back to one machine, by the way that the same part has.

    Meanwhile the mail server begins to ask for TLS, with a certificate of the institute's own authority.
    """
    moved.type("docker compose stop")
    moved.type(f"mv {ITS_VAULT} /backup/vault")
    moved.set(COMPOSE_FILE=None, REDIS_PASSWORD=None, AIRFLOW_LISTEN=None)
    site(moved, None)
    authority = Authority(tmp_path_factory.mktemp("authority"))
    mail = moved.institute.mail
    mail.stop()
    secured = MailServer(mail.folder, starttls=authority.server_context(GATEWAY))
    moved.institute.mail = secured
    account = {"login": LOGIN, "password": PASSWORD}
    connection = json.loads(example("AIRFLOW_CONN_SMTP_DEFAULT")) | account | {"port": mail.port}
    moved.set(CA_FILE=example("CA_FILE"), AIRFLOW_CONN_SMTP_DEFAULT=f"'{reached(connection)}'")
    moved.type(f"cat /etc/ssl/certs/ca-certificates.crt {authority.ca_file} >{SITE}/ca.pem")
    with secured:
        moved.type("docker compose up --detach --wait --remove-orphans")
        yield moved


def test_back_on_one_machine_nothing_is_missing(back: BackupMachine) -> None:
    """All days are in the vault, each once."""
    assert run(back, "2026-072") == GREEN
    for day in ("2026-070", "2026-071", "2026-072"):
        source = back.institute.source / day.replace("-", "/")
        assert contents(published(back, day)) == contents(source)
        assert not published(back, f"{day}.r2").exists()


def test_mail_goes_to_a_server_with_a_certificate_of_the_institutes_own(back: BackupMachine) -> None:
    """By the settings that env.example has, CA_FILE among them."""
    mails = len(subjects(back))
    write_day(back, "2026-073")
    assert run(back, "2026-073") == GREEN
    assert "2026-073 OK" in "".join(subjects(back)[mails:])
