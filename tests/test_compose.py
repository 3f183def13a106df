"""The compose file, its image and env.example fit each other, the site file and the installed Airflow.

Docker isn't needed here: the files are read, and what they say of Airflow is put to Airflow itself.
"""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.fernet import Fernet

from include import site_file, transfer

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
OPTIONAL = {"AIRFLOW_CONN_KVM_HOST", "BASE_URL", "WEB_LISTEN"}
PROGRAMS = {"rsync": "rsync", "setpriv": "util-linux", "ssh": "openssh-client"}  # and their Debian packages

ASK_AIRFLOW = """
import json, sys
from airflow.cli.cli_parser import get_parser
from airflow.configuration import conf
from airflow.providers_manager import ProvidersManager

asked = json.load(sys.stdin)
for command in asked["commands"]:
    get_parser().parse_args(command)
ProvidersManager().initialize_providers_configuration()
known = {
    f"AIRFLOW__{section}__{option}".upper()
    for section, facts in conf.configuration_description.items()
    for option in facts["options"]
}
print(json.dumps(sorted(set(asked["settings"]) - known)))
"""


def writable(service: dict[str, Any]) -> set[str]:
    """Give the targets that a service can write to."""
    mounts = service.get("volumes", [])
    short = [mount.split(":") for mount in mounts if isinstance(mount, str)]
    long = [mount for mount in mounts if isinstance(mount, dict) and not mount.get("read_only")]
    return {target for _, target, *mode in short if mode != ["ro"]} | {mount["target"] for mount in long}


def folders(service: dict[str, Any]) -> dict[str, str]:
    """Give the project's own folders that a service mounts, by where it sees them."""
    split = [mount.split(":") for mount in service["volumes"] if isinstance(mount, str)]
    return {target: source for source, target, *_ in split if source.startswith("./")}


def airflow_commands() -> list[list[str]]:
    """Give the arguments of every ``airflow`` that the compose file starts."""
    steps = SERVICES["init"]["command"][-1].replace("\\\n", " ")
    lines = [shlex.split(line) for line in re.findall(r"airflow .*", steps)]
    for name in set(AIRFLOW) - ONE_SHOTS:
        lines += [SERVICES[name]["command"], SERVICES[name]["healthcheck"]["test"][1:]]
    return [line[1:] for line in lines if line[0] == "airflow"]


def example(name: str) -> str:
    """Give the value that env.example shows for a variable, set or not."""
    shown = re.search(rf"^# {name}=(.+)$", ENV_EXAMPLE, re.MULTILINE)
    assert shown, f"env.example shows no example of {name}"
    return shown[1].strip("'")


def how_to_make(name: str) -> str:
    """Give the command that env.example tells just above a variable."""
    told = re.search(rf"^#   (openssl .+)\n{name}=$", ENV_EXAMPLE, re.MULTILINE)
    assert told, f"env.example doesn't say how to make {name}"
    return told[1]


def made(name: str) -> str:
    """Make a secret as env.example says."""
    shell = ["sh", "-c", how_to_make(name)]
    return subprocess.run(shell, capture_output=True, text=True, check=True).stdout.strip()


def test_every_service_says_whether_it_is_well_except_the_one_shot() -> None:
    """A service without a health check would count as well from its first moment."""
    assert sorted(ONE_SHOTS) == ["init"]
    assert {name for name, service in SERVICES.items() if "healthcheck" not in service} == ONE_SHOTS


def test_every_service_comes_back_and_its_log_cannot_fill_the_disk() -> None:
    """The backup machine is rebooted without anybody looking."""
    for name, service in SERVICES.items():
        assert service["restart"] == ("no" if name in ONE_SHOTS else "unless-stopped")
        assert set(service["logging"]["options"]) == {"max-size", "max-file"}


def test_images_are_pinned_and_ours_carries_the_locks_airflow() -> None:
    """A tag that moves would change the site on a day nobody chose."""
    assert re.fullmatch(r"postgres:\d+(\.\d+)?-[a-z]+", SERVICES["postgres"]["image"])
    assert re.match(
        r"FROM python:3\.\d+-slim-[a-z]+\n", re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE)
    )
    version = re.search(r"^apache-airflow==(.+)$", LOCK, re.MULTILINE)
    assert version
    assert {service["image"] for service in AIRFLOW.values()} == {f"inpe-backup-airflow:{version[1]}"}


def test_all_airflow_services_share_one_environment() -> None:
    """They must agree on keys, addresses and rooms; only the one-shot knows the password it sets."""
    common = COMPOSE["x-environment"]
    for name, service in AIRFLOW.items():
        more = {"ADMIN_PASSWORD"} if name == "init" else set()
        assert set(service["environment"]) - set(common) == more, name
        assert common.items() <= service["environment"].items(), name


def test_every_variable_is_in_env_example_and_none_there_is_idle() -> None:
    """Whoever fills in env.example is asked for all that is needed, and nothing else."""
    used = {found["name"] for found in VARIABLE.finditer(TEXT)}
    offered = set(re.findall(r"^(?:# )?([A-Z_]+)=", ENV_EXAMPLE, re.MULTILINE)) - {"NAME"}
    assert used == offered


def test_compose_refuses_to_start_while_one_is_missing() -> None:
    """No secret has a default; what may be missing is no secret, or keeps one DAG from working."""
    uses = {found.group("name", "rule", "rest") for found in VARIABLE.finditer(TEXT)}
    needed = {(name, rest) for name, rule, rest in uses if rule == ":?"}
    assert {name for name, rule, _ in uses if rule != ":?"} == OPTIONAL
    assert all("env.example" in sentence for _, sentence in needed)
    assert ("WEB_LISTEN", ":-", "127.0.0.1:8080") in uses
    filled = dict(re.findall(r"^([A-Z_]+)=(.*)$", ENV_EXAMPLE, re.MULTILINE))
    assert filled == dict.fromkeys((name for name, _ in needed), "")


def test_only_the_web_page_is_published() -> None:
    """The database and the services talk to each other on Docker's own network."""
    assert {name for name, service in SERVICES.items() if "ports" in service} == {"api-server"}


@pytest.mark.parametrize("name", AIRFLOW)
def test_nothing_can_be_written_but_the_logs_and_where_tasks_run_the_vault(name: str) -> None:
    """The DAGs, the code and the site file are the people's, not the program's."""
    vault = {SITE.vault.path} if name == "scheduler" else set()
    assert writable(AIRFLOW[name]) == {"/opt/airflow/logs"} | vault


def test_the_vault_and_the_key_are_only_where_tasks_run() -> None:
    """And a backup disk that isn't mounted never becomes an empty folder."""
    mounts = [mount for mount in SERVICES["scheduler"]["volumes"] if isinstance(mount, dict)]
    assert [mount["target"] for mount in mounts] == [SITE.vault.path]
    assert mounts[0]["bind"] == {"create_host_path": False}
    assert {name for name, service in SERVICES.items() if "secrets" in service} == {"scheduler"}


def test_the_project_is_mounted_where_airflow_and_python_look_for_it() -> None:
    """And every folder mounted is there: Docker would make an empty one of a wrong name."""
    env = COMPOSE["x-environment"]
    for service in AIRFLOW.values():
        seen = folders(service)
        assert all((ROOT / source).is_dir() for source in seen.values())
        assert seen[env["AIRFLOW__CORE__DAGS_FOLDER"]] == "./dags"
        assert seen[env["AIRFLOW__CORE__PLUGINS_FOLDER"]] == "./plugins"
        assert seen[f"{env['PYTHONPATH']}/include"] == "./include"


def test_a_running_copy_may_end_before_the_scheduler_and_the_scheduler_before_the_api_server() -> None:
    """Compose stops in the reverse order of starting, and a task tells its end to the api-server."""
    scheduler = SERVICES["scheduler"]
    assert scheduler["depends_on"]["api-server"] == {"condition": "service_healthy"}
    assert scheduler["init"] is True
    assert re.fullmatch(r"[1-9]\d*m", scheduler["stop_grace_period"])


def test_airflow_knows_every_command_and_every_setting(tmp_path: Path) -> None:
    """A misspelt setting would be passed over in silence."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW")}
    env |= {"AIRFLOW_HOME": str(tmp_path), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    env["AIRFLOW__CORE__AUTH_MANAGER"] = COMPOSE["x-environment"]["AIRFLOW__CORE__AUTH_MANAGER"]
    settings = [name for name in COMPOSE["x-environment"] if name.startswith("AIRFLOW__")]
    asked = {"commands": airflow_commands(), "settings": settings}
    beginnings = [" ".join(command[:2]) for command in asked["commands"]]
    assert {"db migrate", "users create", "jobs check", "scheduler"} <= set(beginnings)

    answer = subprocess.run(
        [sys.executable, "-c", ASK_AIRFLOW],
        input=json.dumps(asked),
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )

    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout.splitlines()[-1]) == []


def test_the_image_holds_the_lock_the_programs_tasks_call_and_nothing_of_the_project() -> None:
    """The build's context is a list of what may enter; a secret isn't on it."""
    copied = [line.split()[1:-1] for line in DOCKERFILE.splitlines() if line.startswith(("COPY", "ADD"))]
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert copied == [["requirements.txt"]]
    assert [line for line in ignored if not line.startswith("#")] == ["*", "!requirements.txt"]
    assert (ROOT / "requirements.txt").is_file()
    assert re.search(r"pip install .*--no-deps .*--requirement /opt/requirements\.txt", DOCKERFILE)
    called = {word for word in transfer.RSYNC if word in PROGRAMS} | {"ssh"}
    installed = re.search(r"apt-get install (.*?)&&", DOCKERFILE)
    assert installed
    assert {PROGRAMS[program] for program in called} <= set(installed[1].split())


def test_the_image_runs_as_the_user_of_env_and_never_as_root() -> None:
    """Files in the vault belong to somebody this machine knows."""
    users = re.findall(r"^USER (.+)$", DOCKERFILE, re.MULTILINE)
    assert users == ["${AIRFLOW_UID}:${AIRFLOW_UID}"]
    assert all(set(service["build"]["args"]) == {"AIRFLOW_UID"} for service in AIRFLOW.values())
    assert not any("user" in service for service in AIRFLOW.values())


def test_the_example_connections_are_those_the_site_file_names() -> None:
    """Those of SSH log in with the mounted key, and pin the host's."""
    [secret] = SERVICES["scheduler"]["secrets"]
    [host] = SITE.machines.hosts
    cluster, kvm_host, mail = (
        json.loads(example(f"AIRFLOW_CONN_{name.upper()}"))
        for name in (SITE.supim.source.connection, host.connection, SITE.mail.connection)
    )
    assert mail["conn_type"] == "smtp"
    for ssh in (cluster, kvm_host):
        assert ssh["conn_type"] == "ssh"
        assert ssh["extra"]["key_file"] == f"/run/secrets/{secret}"
        assert ssh["extra"]["host_key"].startswith("ssh-ed25519 ")
    assert {one["host"].rpartition(".")[2] for one in (cluster, kvm_host, mail)} == {"example"}


def test_secrets_made_as_env_example_says_are_good() -> None:
    """A Fernet key of the right form, a signing key of HS512's length, a password that fits into a URL."""
    Fernet(made("FERNET_KEY"))
    assert len(made("JWT_SECRET")) >= 64
    assert len(made("API_SECRET_KEY")) >= 32
    assert re.fullmatch(r"[0-9a-zA-Z]{32,}", made("POSTGRES_PASSWORD"))
    assert len(made("ADMIN_PASSWORD")) >= 20
