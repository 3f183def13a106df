"""Each row of a mapped task is named by its day or VM, also one whose task never ran."""

from inpe_backup.row_labels import names


def test_a_row_that_never_ran_is_named_as_the_one_of_its_group_that_did() -> None:
    """By its number in that group alone; a row whose whole group is nameless keeps its number."""
    rows = [
        ("fetch.copy_day", 0, "2026-268"),
        ("fetch.copy_day", 1, "2026-269"),
        ("fetch.copy_day", 2, None),
        ("fetch.verify_day", 0, None),
        ("fetch.verify_day", 1, "2026-269"),
        ("fetch.verify_day", 2, None),
        ("scrub_backups", 0, "SUPIM 2026"),
        ("list_vms", 0, None),
    ]
    assert list(names(rows)) == [("fetch.verify_day", 0, "2026-268")]
