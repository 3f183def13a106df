"""docker-compose.yaml, Dockerfile and env.example fit each other, the site file and the installed Airflow.

This needs no Docker: the files are parsed, and Airflow itself checks commands and settings.
"""

import json
import os
import re
import runpy
import shlex
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import proxy_bypass

import pytest
import yaml
from cryptography.fernet import Fernet

from include.config import site_file
from include.remote import rsync
from include.vms import filesystems

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docker-compose.yaml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
AIRFLOW = {name: service for name, service in SERVICES.items() if name != "postgres"}
ONE_SHOTS = {name for name, service in SERVICES.items() if service["restart"] == "no"}
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
ENV_EXAMPLE = (ROOT / "env.example").read_text(encoding="utf-8")
LOCK = (ROOT / "requirements.txt").read_text(encoding="utf-8")
SITE = site_file.load(site_file.DEFAULT_PATH)

VARIABLE = re.compile(r"(?<!\$)\$\{(?P<name>\w+)(?P<rule>[^\w}]*)(?P<rest>[^}]*)\}")
OPTIONAL = {"AIRFLOW_CONN_KVM_HOST", "BASE_URL", "CA_FILE", "SITE_PATH", "WEB_LISTEN"}
SEVERAL_MACHINES = {  # see test_compose_celery.py
    *(
        "AIRFLOW_ADDRESS",
        "AIRFLOW_LISTEN",
        "COMPOSE_FILE",
        "COMPOSE_PROFILES",
        "REDIS_PASSWORD",
        "WORKER_NAME",
    )
}
PROGRAMS = {  # and their Debian packages
    "partx": "util-linux",
    "rsync": "rsync",
    "setpriv": "util-linux",
    "ssh": "openssh-client",
}

ASK_AIRFLOW = """
import json, sys
from airflow.cli.cli_parser import get_parser
from airflow.configuration import conf
from airflow.providers_manager import ProvidersManager

request = json.load(sys.stdin)
for command in request["commands"]:
    get_parser().parse_args(command)
ProvidersManager().initialize_providers_configuration()
known = {
    f"AIRFLOW__{section}__{option}".upper()
    for section, description in conf.configuration_description.items()
    for option in description["options"]
}
print(json.dumps(sorted(set(request["settings"]) - known)))
"""


def writable(service: dict[str, Any]) -> set[str]:
    """Return the targets that a service can write to."""
    mounts = service.get("volumes", [])
    short = [VARIABLE.sub("variable", mount).split(":") for mount in mounts if isinstance(mount, str)]
    long = [mount for mount in mounts if isinstance(mount, dict) and not mount.get("read_only")]
    return {target for _, target, *mode in short if mode != ["ro"]} | {mount["target"] for mount in long}


def folders(service: dict[str, Any]) -> dict[str, str]:
    """Return the project's folders that a service mounts, by mount point."""
    split = [mount.split(":") for mount in service["volumes"] if isinstance(mount, str)]
    return {target: source for source, target, *_ in split if source.startswith("./")}


def airflow_commands() -> list[list[str]]:
    """Return the arguments of every ``airflow`` command in the compose file."""
    steps = SERVICES["init"]["command"][-1].replace("\\\n", " ")
    lines = [shlex.split(line) for line in re.findall(r"airflow .*", steps)]
    for name in set(AIRFLOW) - ONE_SHOTS:
        lines += [SERVICES[name]["command"], SERVICES[name]["healthcheck"]["test"][1:]]
    return [line[1:] for line in lines if line[0] == "airflow"]


def example(name: str) -> str:
    """Return the example value of a variable in env.example."""
    shown = re.search(rf"^# {name}=(.+)$", ENV_EXAMPLE, re.MULTILINE)
    assert shown, f"env.example has no example of {name}"
    return shown[1].strip("'")


def how_to_make(name: str) -> str:
    """Return the command just above a variable in env.example."""
    command = re.search(rf"^#   (openssl .+)\n{name}=$", ENV_EXAMPLE, re.MULTILINE)
    assert command, f"env.example doesn't say how to make {name}"
    return command[1]


def made(name: str) -> str:
    """Make a secret with that command."""
    shell = ["sh", "-c", how_to_make(name)]
    return subprocess.run(shell, capture_output=True, text=True, check=True).stdout.strip()


def test_every_service_except_the_one_shot_has_a_health_check() -> None:
    """Without one, a service counts as healthy at once."""
    assert sorted(ONE_SHOTS) == ["init"]
    assert {name for name, service in SERVICES.items() if "healthcheck" not in service} == ONE_SHOTS


def test_every_service_restarts_and_its_log_cant_fill_the_disk() -> None:
    """The backup machine reboots without a person."""
    for name, service in SERVICES.items():
        assert service["restart"] == ("no" if name in ONE_SHOTS else "unless-stopped")
        assert set(service["logging"]["options"]) == {"max-size", "max-file"}


def test_images_are_pinned_and_ours_has_the_locked_airflow() -> None:
    """A moving tag would update the site at a random time."""
    assert re.fullmatch(r"postgres:\d+(\.\d+)?-[a-z]+", SERVICES["postgres"]["image"])
    assert re.match(
        r"FROM python:3\.\d+-slim-[a-z]+\n", re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE)
    )
    version = re.search(r"^apache-airflow==(.+)$", LOCK, re.MULTILINE)
    assert version
    assert {service["image"] for service in AIRFLOW.values()} == {f"inpe-backup-airflow:{version[1]}"}


def test_one_service_builds_the_image_and_none_pulls_it() -> None:
    """Compose labels what it builds with the service: of five labels, each ``up`` would make five images."""
    assert {name for name, service in SERVICES.items() if "build" in service} == {"init"}
    assert {service["pull_policy"] for service in AIRFLOW.values()} == {"never"}


def test_all_airflow_services_share_one_environment() -> None:
    """They need the same keys, addresses and folders; only the one-shot has the admin's password."""
    common = COMPOSE["x-environment"]
    for name, service in AIRFLOW.items():
        more = {"ADMIN_PASSWORD"} if name == "init" else set()
        assert set(service["environment"]) - set(common) == more, name
        assert common.items() <= service["environment"].items(), name


def test_services_ask_each_other_without_the_proxy_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Docker sets it in containers; tasks would report to it, and no service would be healthy."""
    env = COMPOSE["x-environment"]
    address = urlsplit(env["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"])
    monkeypatch.setenv("http_proxy", "http://proxy.invalid:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, env[name])
        assert proxy_bypass(address.hostname or "")
        monkeypatch.delenv(name)
    monkeypatch.setattr(sys, "argv", ["healthy", "scheduler"])
    asked: list[object] = []

    def connect(place: object, *_: object, **__: object) -> None:
        asked.append(place)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(URLError):
        runpy.run_path(str(ROOT / "bin" / "healthy"))
    assert asked == [(address.hostname, address.port)]


def test_env_example_has_exactly_the_variables_that_are_used() -> None:
    """So filling it in is enough, and nothing in it is in vain."""
    used = {found["name"] for found in VARIABLE.finditer(TEXT)}
    offered = set(re.findall(r"^(?:# )?([A-Z_]+)=", ENV_EXAMPLE, re.MULTILINE)) - {"NAME"}
    assert used == offered - SEVERAL_MACHINES


def test_compose_doesnt_start_while_a_variable_is_missing() -> None:
    """No secret has a default; an optional one is no secret, or only one DAG needs it."""
    uses = {found.group("name", "rule", "rest") for found in VARIABLE.finditer(TEXT)}
    needed = {(name, rest) for name, rule, rest in uses if rule == ":?"}
    assert {name for name, rule, _ in uses if rule != ":?"} == OPTIONAL
    assert all("env.example" in message for _, message in needed)
    assert ("WEB_LISTEN", ":-", "127.0.0.1:8080") in uses
    filled = dict(re.findall(r"^([A-Z_]+)=(.*)$", ENV_EXAMPLE, re.MULTILINE))
    assert filled == dict.fromkeys((name for name, _ in needed), "")


def test_only_the_web_page_is_published() -> None:
    """The database and the services use Docker's internal network."""
    assert {name for name, service in SERVICES.items() if "ports" in service} == {"api-server"}


@pytest.mark.parametrize("name", AIRFLOW)
def test_only_the_logs_and_for_tasks_the_vault_are_writable(name: str) -> None:
    """Not the DAGs, the code and the site file."""
    vault = {SITE.vault.path, "/backup/restored"} if name == "scheduler" else set()
    assert writable(AIRFLOW[name]) == {"/opt/airflow/logs"} | vault


def test_only_the_scheduler_has_the_vault_and_the_keys() -> None:
    """A backup disk that isn't mounted doesn't become an empty folder; one that is mounted later is seen."""
    mounts = [mount for mount in SERVICES["scheduler"]["volumes"] if isinstance(mount, dict)]
    assert [mount["target"] for mount in mounts] == [SITE.vault.path, "/backup/restored"]
    assert all(m["bind"] == {"create_host_path": False, "propagation": "rslave"} for m in mounts)
    has_keys = {name for name, service in SERVICES.items() if "KEYS_PATH" in str(service.get("volumes"))}
    assert has_keys == {"scheduler"}


def test_the_project_is_mounted_where_airflow_and_python_look_for_it() -> None:
    """Every mounted folder exists: Docker would create an empty one for a wrong name."""
    env = COMPOSE["x-environment"]
    for service in AIRFLOW.values():
        mounted = folders(service)
        assert all((ROOT / source).is_dir() for source in mounted.values())
        assert mounted[env["AIRFLOW__CORE__DAGS_FOLDER"]] == "./dags"
        assert mounted[env["AIRFLOW__CORE__PLUGINS_FOLDER"]] == "./plugins"
        assert mounted[f"{env['PYTHONPATH']}/include"] == "./include"
    assert folders(SERVICES["scheduler"])["/opt/inpe-backup/bin"] == "./bin"
    assert "PATH=/opt/inpe-backup/bin:$PATH" in DOCKERFILE


def test_tasks_may_finish_before_the_scheduler_stops_and_that_stops_before_the_api_server() -> None:
    """Compose stops in reverse order of starting, and a task reports its end to the api-server."""
    scheduler = SERVICES["scheduler"]
    assert scheduler["depends_on"]["api-server"] == {"condition": "service_healthy"}
    assert scheduler["init"] is True
    assert re.fullmatch(r"[1-9]\d*m", scheduler["stop_grace_period"])


def test_airflow_knows_every_command_and_every_setting(tmp_path: Path) -> None:
    """Airflow ignores a misspelt setting silently."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW")}
    env |= {"AIRFLOW_HOME": str(tmp_path), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    env["AIRFLOW__CORE__AUTH_MANAGER"] = COMPOSE["x-environment"]["AIRFLOW__CORE__AUTH_MANAGER"]
    settings = [name for name in COMPOSE["x-environment"] if name.startswith("AIRFLOW__")]
    celery = (ROOT / "docker-compose.celery.yaml").read_text(encoding="utf-8")
    settings += re.findall(r"^  (AIRFLOW__\w+):", celery, re.MULTILINE)
    workers = [line.split(", ") for line in re.findall(r"command: \[airflow, (celery.*)\]", celery)]
    request = {"commands": airflow_commands() + workers, "settings": settings}
    beginnings = [" ".join(command[:2]) for command in request["commands"]]
    assert {"db migrate", "users create", "scheduler", "celery worker"} <= set(beginnings)

    answer = subprocess.run(
        [sys.executable, "-c", ASK_AIRFLOW],
        input=json.dumps(request),
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )

    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout.splitlines()[-1]) == []


def test_the_image_has_the_locked_packages_and_programs_but_nothing_of_the_project() -> None:
    """The build context contains nothing else, so no secret."""
    copied = [line.split()[1:-1] for line in DOCKERFILE.splitlines() if line.startswith(("COPY", "ADD"))]
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert copied == [["requirements.txt"]]
    assert [line for line in ignored if not line.startswith("#")] == ["*", "!requirements.txt"]
    assert (ROOT / "requirements.txt").is_file()
    assert re.search(r"pip install .*--no-deps .*--requirement /opt/requirements\.txt", DOCKERFILE)
    called = {word for word in rsync.RSYNC if word in PROGRAMS} | {"ssh", filesystems.PARTX[0]}
    installed = re.search(r"apt-get install (.*?)&&", DOCKERFILE)
    assert installed
    assert {PROGRAMS[program] for program in called} <= set(installed[1].split())


def test_the_image_runs_as_the_user_of_env_and_never_as_root() -> None:
    """Files in the vault belong to a user of the machine."""
    users = re.findall(r"^USER (.+)$", DOCKERFILE, re.MULTILINE)
    assert users == ["${AIRFLOW_UID}:${AIRFLOW_UID}"]
    assert set(SERVICES["init"]["build"]["args"]) == {"AIRFLOW_UID"}
    assert not any("user" in service for service in AIRFLOW.values())


def test_the_example_connections_are_those_the_site_file_names() -> None:
    """Those over SSH use the mounted key, and pin the host key."""
    [host] = SITE.vms.hosts
    cluster, kvm_host, mail = (
        json.loads(example(f"AIRFLOW_CONN_{name.upper()}"))
        for name in (SITE.supim.source.ssh_conn_id, host.ssh_conn_id, SITE.mail.smtp_conn_id)
    )
    assert mail["conn_type"] == "smtp"
    for ssh in (cluster, kvm_host):
        assert ssh["conn_type"] == "ssh"
        assert ssh["extra"]["key_file"] == "/run/keys/key"
        assert ssh["extra"]["host_key"].startswith("ssh-ed25519 ")
    assert {connection["host"].rpartition(".")[2] for connection in (cluster, kvm_host, mail)} == {"example"}


def test_the_commands_in_env_example_make_good_secrets() -> None:
    """A valid Fernet key, a signing key long enough for HS512, a password that fits into a URL."""
    Fernet(made("FERNET_KEY"))
    assert len(made("JWT_SECRET")) >= 64
    assert len(made("API_SECRET_KEY")) >= 32
    assert re.fullmatch(r"[0-9a-zA-Z]{32,}", made("POSTGRES_PASSWORD"))
    assert len(made("ADMIN_PASSWORD")) >= 20
