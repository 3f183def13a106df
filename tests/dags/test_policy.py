"""What every DAG file keeps to, as a real Airflow in a process of its own loads it."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest

from include.results.task_labels import task_label
from tests.dags.dag_bag import load

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "dags").glob("*.py"))
CODE = sorted(path for room in ("include", "plugins") for path in (ROOT / room).rglob("*.py"))
FILE_LINES = 120
SENTENCE = re.compile(r"[A-Z][A-Za-z', ]+")
NO_REPORT = {"vault_status": "refresh_status", "vm_protect": "protect_image"}
"""The DAGs that back nothing up and send no report, and their only task."""
BACKFILLS = "supim_backfill_report"
"""The DAG that reports the runs of another one: it has no form and no result."""
BY_HAND = {"supim_restore", "vm_restore", BACKFILLS, *NO_REPORT}
MAY_IMPORT = ("datetime", "airflow.sdk", "include", "inpe_backup")


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what Airflow loads with the default site file."""
    return load(tmp_path_factory.mktemp("airflow"))


@pytest.fixture(scope="module")
def dags(loaded: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the loaded DAGs by their ids."""
    found: dict[str, dict[str, Any]] = loaded["dags"]
    return found


def test_every_dag_file_loads(loaded: dict[str, Any]) -> None:
    """Airflow doesn't run a DAG with an import error."""
    assert loaded["errors"] == {}
    assert len(loaded["dags"]) == len(FILES)


def test_a_dag_has_the_name_of_its_file(dags: dict[str, dict[str, Any]]) -> None:
    """So people find the file of a DAG in the web page."""
    assert sorted(dags) == [file.stem for file in FILES]
    assert [Path(dags[file.stem]["file"]) for file in FILES] == FILES


def test_every_dag_can_be_stored(dags: dict[str, dict[str, Any]]) -> None:
    """The scheduler reads DAGs from the database only."""
    assert all(dag["stored"] for dag in dags.values())


def test_loading_a_dag_touches_nothing_but_code_and_the_site_file(loaded: dict[str, Any]) -> None:
    """Airflow loads it every half minute and in each task: no network, no database, no other file."""
    allowed = tuple(f"open {ROOT / part}/" for part in ("dags", "plugins", "include"))
    zones = "open /usr/share/zoneinfo/"

    assert [what for what in loaded["touched"] if not what.startswith((*allowed, zones))] == []


def test_a_dags_docstring_is_its_runbook(dags: dict[str, dict[str, Any]]) -> None:
    """The web page shows it; it says what to do when a task fails."""
    for dag in dags.values():
        assert "When it fails" in dag["doc"]


def test_every_dag_has_tags(dags: dict[str, dict[str, Any]]) -> None:
    """So people find it among the institute's other DAGs."""
    assert all("backup" in dag["tags"] for dag in dags.values())


def test_every_dag_names_its_owner(dags: dict[str, dict[str, Any]]) -> None:
    """The institute, with a link that mails the people who get the reports."""
    for dag in dags.values():
        assert dag["owners"] == ["CRS-INPE"]
        assert dag["links"] == {"CRS-INPE": "mailto:backup-reports@institute.example"}


def test_every_name_in_the_web_page_is_readable(dags: dict[str, dict[str, Any]]) -> None:
    """DAG names begin with the id, for the search; groups have a tooltip, mapped tasks an index template."""
    for name, dag in dags.items():
        assert SENTENCE.fullmatch(dag["shown"].removeprefix(f"{name} · ")), name
        assert len({task["shown"] for task in dag["tasks"].values()}) == len(dag["tasks"])
        for task_id, task in dag["tasks"].items():
            group, tooltip = task["group"] or ("A group", "A tooltip.")
            assert SENTENCE.fullmatch(task["shown"]), task_id
            assert SENTENCE.fullmatch(group), task_id
            assert tooltip.endswith("."), task_id
            assert task["which"], task_id


def test_a_task_has_one_name_for_people(dags: dict[str, dict[str, Any]]) -> None:
    """The label that the web page shows is the one in messages, which name no id."""
    shown = {task: about["shown"] for dag in dags.values() for task, about in dag["tasks"].items()}
    labels = {task.rpartition(".")[2]: label for task, label in shown.items()}
    ids = re.compile(rf"\b({'|'.join(labels)})\b")
    messages = [(file, text) for file in CODE for text in _sentences(file)]
    pages = [file.read_text("utf-8") for file in (ROOT / "docs").glob("*.md")]
    named = [(name, before) for page in pages for before, name in re.findall(r"(.*)`(\w+)`", page)]

    assert {task: task_label(task) for task in shown} == {task: f'"{label}"' for task, label in shown.items()}
    assert [(file.name, text) for file, text in messages if ids.search(text)] == []
    assert [
        name for name, before in named if name in labels and not before.endswith(f"{labels[name]} (")
    ] == []


def _sentences(file: Path) -> list[str]:
    """Return the strings of a module that have a space in them, without docstrings."""
    nodes = list(ast.walk(ast.parse(file.read_text("utf-8"))))
    docs = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    strings = [node.value for node in nodes if isinstance(node, ast.Constant) and id(node) not in docs]
    return [text for text in strings if isinstance(text, str) and " " in text]


def test_every_field_of_a_form_explains_itself(dags: dict[str, dict[str, Any]]) -> None:
    """A title and full sentences; an optional field says what empty means, a switch what it does."""
    for dag_id, dag in dags.items():
        assert dag_id in (*NO_REPORT, BACKFILLS) or dag["form"]["dry_run"]["value"] is False
        for name, field in dag["form"].items():
            text, schema = field["description"], field["schema"]
            assert SENTENCE.fullmatch(schema["title"]), name
            assert len(text) > 30, name
            assert text.endswith("."), name
            assert ("Empty: " in text) == ("null" in schema.get("type", "")), name
            assert ("On: " in text) == (schema.get("type") == "boolean"), name


def test_a_form_changes_nothing_existing_by_default(dags: dict[str, dict[str, Any]]) -> None:
    """By default a VM is restored beside the original, and no file is overwritten or deleted."""
    vm, day = dags["vm_restore"]["form"], dags["supim_restore"]["form"]
    defaults = {name: vm[name]["value"] for name in ("how", "start", "keep_old", "confirm")}

    assert defaults == {"how": "beside", "start": False, "keep_old": True, "confirm": None}
    assert day["overwrite"]["value"] is False


def test_every_schedule_says_its_zone(dags: dict[str, dict[str, Any]]) -> None:
    """30 6 * * * in the web page, whose own times are in the viewer's zone, could be anywhere."""
    shown = {name: dag["schedule"] for name, dag in dags.items()}
    assert {name for name, text in shown.items() if not text} == BY_HAND
    assert [text for text in shown.values() if text and "America/Sao_Paulo" not in text] == []


def test_no_dag_catches_up_or_ends_before_its_report(dags: dict[str, dict[str, Any]]) -> None:
    """The next run copies missed days; a run that times out would skip its mail."""
    assert not any(dag["catchup"] or dag["timeout"] for dag in dags.values())


def test_no_dag_has_a_deadline(dags: dict[str, dict[str, Any]]) -> None:
    """In Airflow 3.3.2, a run that has one can't be cleared."""
    assert not any(dag["deadline"] for dag in dags.values())


def test_every_task_retries_only_transient_errors(dags: dict[str, dict[str, Any]]) -> None:
    """A lost connection may work in five minutes, a refused key won't."""
    for dag in dags.values():
        for name, task in dag["tasks"].items():
            assert task["retries"], name
            assert task["policy"] == "ExceptionRetryPolicy", name


def test_the_mail_and_the_status_go_out_whatever_fails_and_the_result_is_a_task_of_its_own(
    dags: dict[str, dict[str, Any]],
) -> None:
    """A single leaf that always runs would make every run succeed; none is a teardown (see the operator)."""
    for name, dag in dags.items():
        tasks, ends = dag["tasks"], ["check_result", "email_report", "refresh_status"]
        if name == BACKFILLS:
            assert tasks["build_report"]["rule"] == "all_done"
            assert list(tasks) == ["watch_backfill", "build_report", "email_report"]
            continue
        if name in NO_REPORT:
            assert list(tasks) == [NO_REPORT[name]]
            continue
        assert tasks["refresh_status"]["rule"] == "all_done"
        assert all(tasks[end]["decides"] for end in ends)
        assert tasks["build_report"]["rule"] == "all_done"
        assert tasks["build_report"]["down"] == ends
        assert not any(tasks[end]["down"] for end in ends)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_dag_file_is_a_declaration(file: Path) -> None:
    """Short and without logic, which belongs into ``include/``."""
    text = file.read_text(encoding="utf-8")
    tree = ast.parse(text)
    imported = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    logic = (ast.If, ast.For, ast.While, ast.Try, ast.ClassDef, ast.Lambda)

    assert len(text.splitlines()) <= FILE_LINES
    assert ast.get_docstring(tree)
    assert all(name.startswith(MAY_IMPORT) for name in imported)
    assert not [node for node in ast.walk(tree) if isinstance(node, (ast.Import, *logic))]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_dag_is_in_the_readme(file: Path) -> None:
    """By its name."""
    assert f"`{file.stem}`" in (ROOT / "README.md").read_text(encoding="utf-8")


WRONG = """\
institute: {timezone: America/Sao_Paolo}
mail: {to: [nobody]}
vaults: {main: {path: backup/vault, reserve: plenty}}
datasets:
  supim:
    schedule: "0 * * * *"
    lag: 2
    source: {folder: "{year}"}
"""


def test_a_wrong_site_file_is_the_dags_import_error(tmp_path: Path) -> None:
    """It lists all wrong keys by their paths."""
    site_file = tmp_path / "site.yaml"
    site_file.write_text(WRONG, encoding="utf-8")
    loaded = load(tmp_path / "airflow", site_file)
    paths = ["institute.timezone", "mail.to[0]", "vaults.main.path", "vaults.main.reserve"]
    paths += [f"datasets.supim.{key}" for key in ("schedule", "lag", "source.root", "source.folder")]

    assert loaded["dags"] == {}
    assert len(loaded["errors"]) == len(FILES)
    for error in loaded["errors"].values():
        assert f"The site file {site_file} has {len(paths)} wrong keys:" in error
        assert [path for path in paths if f"\n  {path}: " not in error] == []
