"""Tests mirror the code: a module has a test file of its name, or is named here with where its tests are."""

from pathlib import Path

import pytest

from tests.site.airflow_home import PROJECT

ROOMS = {"include": "tests/include", "plugins/inpe_backup": "tests/plugins"}

# Where the tests of modules without a file of their own are, why, and which modules those are.
ELSEWHERE = {
    "tests/include/agent/test_faults.py": (
        "the agent on a real host, killed at each step of its journal",
        (
            "agent/backup/end agent/backup/shutdown agent/backup/steps "
            "agent/backup/watchdog_process agent/detach"
        ),
    ),
    "tests/include/agent/backup/test_snapshot.py": (
        "running VMs whose disks are cloned",
        "agent/backup/pause",
    ),
    "tests/include/agent/test_trouble.py": (
        "the agent on a real host, in trouble",
        "agent/backup/health_check agent/backup/scratch",
    ),
    "tests/include/agent/test_command_line.py": (
        "the agent as it is shipped, typed",
        "agent/__main__ agent/errors agent/heartbeat agent/help_texts",
    ),
    "tests/include/boot_test/test_boot_test.py": (
        "boot tests on a real host",
        "agent/boot_test/boot agent/boot_test/cleanup agent/boot_test/devices boot_test/nbd_server",
    ),
    "tests/include/restore/test_vm.py": (
        "VMs restored to a real host; test_vm_killed.py and test_vm_refused.py go on",
        (
            "agent/disks/overlay agent/restore/file_swap "
            "agent/restore/status agent/restore/work_folder "
            "restore/vm_agent_request restore/vm_report restore/vm_sender restore/vm_verification "
            "vms/restore_models"
        ),
    ),
    "tests/include/cli/test_verify_command.py": ("names typed at a terminal", "scrub/selection"),
    "tests/include/cli/test_terminal.py": ("commands typed at a terminal", "cli/__main__ cli/init_command"),
    "tests/include/cli/test_protect_command.py": ("both commands, typed", "cli/unprotect_command"),
    "tests/include/restore/test_vm_folder.py": ("the command, typed", "cli/restore_vm_command"),
    "tests/include/config/test_site_file.py": (
        "every key of the whole site file, right and wrong",
        "config/datasets config/heartbeats config/mail config/scrub",
    ),
    "tests/dags/test_documents.py": ("the documents, compared with the code", "config/reference"),
    "tests/include/vault/test_vault.py": (
        "a vault with days in it",
        "days/archive days/published days/staged vault/files",
    ),
    "tests/include/days/test_source_program.py": (
        "the program as at the source, asked a line at a time; test_source_program_faults.py goes on",
        "days/folder_scan remote/line_server remote/program",
    ),
    "tests/include/days/test_manifest.py": (
        "manifests of folders, and lists of checksums of real days",
        "days/manifest_totals vault/sha256sums",
    ),
    "tests/include/restore/test_target_answers.py": ("answers of another shape", "restore/target_state"),
    "tests/include/remote/test_rsync.py": ("rsync against a real sshd", "remote/failures"),
    "tests/include/restore/test_day.py": ("days restored to this machine and by SSH", "remote/local"),
    "tests/plugins/operators/report/test_email_report.py": (
        "mails as the server gets them",
        "mail_hook report_mail",
    ),
    "tests/dags/test_supim_daily_backfill.py": (
        "backfills of a real Airflow, and their mail",
        "backfill_report operators/report/watch_backfill",
    ),
    "tests/plugins/test_ssh_transport.py": (
        "the transport that there is",
        "remote/private_key remote/transport",
    ),
    "tests/include/report/test_weekly.py": (
        "whole reports; test_daily.py and test_planned.py go on",
        "report/build report/scrub results/tasks results/failure",
    ),
    "tests/include/report/test_render.py": ("rendered reports", "report/phrases report/inline_pictures"),
    "tests/include/report/test_model.py": (
        "the models of a report",
        "report/history results/item results/states",
    ),
    "tests/include/report/pictures/test_calendar_picture.py": ("drawn pictures", "report/pictures/canvas"),
    "tests/include/scrub/test_day.py": ("days read again; test_vm.py goes on", "scrub/finding scrub/hashing"),
    "tests/include/status/test_snapshot.py": (
        "a vault read into parts",
        "status/days status/screenshot status/space",
    ),
    "tests/include/status/test_parts.py": ("parts as they travel", "report/run_part"),
    "tests/include/vms/test_backup.py": ("VMs backed up, and their records", "vms/draft"),
    "tests/include/vms/test_archive.py": ("generations in a vault", "vms/generation_name vms/published"),
    "tests/include/vms/test_transfer.py": ("disks transferred", "vms/incoming_disk"),
    "tests/include/agent/test_survey.py": ("a real host's answers", "vms/models"),
    "tests/dags/test_policy.py": (
        "each DAG file, loaded by Airflow",
        "dag_defaults params results/task_labels",
    ),
    "tests/dags/test_supim_daily_by_hand.py": (
        "the daily DAG, run by a real scheduler",
        (
            "assets connections operators/free_space_operator "
            "operators/days/copy_day operators/days/day_operator operators/days/plan_days "
            "operators/days/survey_source operators/days/verify_day "
            "run_note xcom"
        ),
    ),
    "tests/dags/test_vm_weekly.py": (
        "the weekly DAG, run by a real scheduler",
        (
            "operators/vms/agent_command "
            "operators/vms/end_backup "
            "operators/vms/verify_image operators/vms/vm_operator"
        ),
    ),
    "tests/dags/test_vm_boot_test.py": ("its DAG", "operators/vms/boot_vm operators/vms/plan_boot_tests"),
    "tests/dags/test_vault_scrub.py": (
        "its DAG",
        "operators/vault/find_damaged_days operators/vault/plan_scrub",
    ),
    "tests/dags/test_supim_restore.py": (
        "its DAG",
        "operators/restore/plan_day_restore operators/restore/restore_day",
    ),
    "tests/dags/test_vm_restore.py": (
        "its DAG",
        "operators/restore/plan_vm_restore operators/restore/restore_vm",
    ),
    "tests/plugins/ui/test_page.py": (
        "the page in a real Chromium",
        "ui/api ui/app ui/cells ui/dependencies",
    ),
}
NAMED = {module for _, modules in ELSEWHERE.values() for module in modules.split()}


def modules(room: str) -> dict[str, Path]:
    """Return the modules of a room, by their path below it."""
    found = (PROJECT / room).rglob("*.py")
    return {
        str(path.relative_to(PROJECT / room).with_suffix("")): path
        for path in found
        if path.stem != "__init__"
    }


def has_test_file(name: str, tests: Path) -> bool:
    """Return whether a module has a test file of its name, or several that begin with it."""
    folder, stem = (tests / name).parent, Path(name).stem
    return any(
        path.stem == f"test_{stem}" or path.stem.startswith(f"test_{stem}_") for path in folder.glob("*.py")
    )


@pytest.mark.parametrize("room", ROOMS)
def test_every_module_has_its_tests_or_is_named_with_where_they_are(room: str) -> None:
    """So that whoever changes a module finds them."""
    lacking = {name for name in modules(room) if not has_test_file(name, PROJECT / ROOMS[room])}
    assert lacking - NAMED == set()


def test_what_is_named_is_there_and_needs_to_be_named() -> None:
    """A list that nobody keeps true is worse than none."""
    every = {name: room for room in ROOMS for name in modules(room)}
    assert NAMED - every.keys() == set()
    assert {name for name in NAMED if has_test_file(name, PROJECT / ROOMS[every[name]])} == set()
    assert [path for path in ELSEWHERE if not (PROJECT / path).is_file()] == []
