"""What tasks are called wherever people read: in the web UI, mails, messages and documents.

The DAG files give tasks these labels; ``tests/dags/test_policy.py`` compares the two.
"""

_LABELS = {
    "choose_days": "Choose days",
    "survey_source": "Survey source",
    "plan_days": "Plan days",
    "check_free_space": "Check free space",
    "copy_day": "Copy day",
    "verify_day": "Verify day",
    "publish_day": "Publish day",
    "list_vms": "List VMs",
    "begin_backup": "Stop, snapshot, start",
    "transfer_image": "Transfer image",
    "verify_image": "Verify image",
    "publish_image": "Publish image",
    "end_backup": "End backup job",
    "apply_retention": "Apply retention",
    "protect_image": "Protect image",
    "plan_restore": "Plan restore",
    "restore_day": "Restore day",
    "restore_vm": "Restore VM",
    "plan_boot_tests": "Plan boot tests",
    "boot_vm": "Boot VM",
    "plan_scrub": "Plan scrub",
    "scrub_backups": "Scrub backups",
    "find_damaged_days": "Find damaged days",
    "watch_backfill": "Wait for backfill",
    "build_report": "Build report",
    "email_report": "Email report",
    "check_result": "Check result",
    "refresh_status": "Update status page",
}


def task_label(task_id: str) -> str:
    """Return a task's label, in quotes; of a task that has none, its id.

    Args:
        task_id: the id, also with those of its groups before it: ``back_up_vm.begin_backup``.
    """
    name = task_id.rpartition(".")[2]
    return f'"{_LABELS.get(name, name)}"'
