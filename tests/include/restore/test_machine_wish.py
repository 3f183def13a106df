"""What can be asked for who wants a machine back, and what is refused."""

import pytest

from include.errors import BackupError, ConfigError
from include.restore.machine_wish import MachineWish


def wish(**facts: object) -> MachineWish:
    """Give a wish."""
    return MachineWish.model_validate({"machine": "maq1", **facts})


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"new_name": "maq1-copy"},
        {"folder": "/vms/other"},
        {"how": "in place", "confirm": "maq1"},
        {"how": "in place", "confirm": "maq1", "folder": "/vms"},
    ],
)
def test_what_can_be_meant_passes(facts: dict[str, object]) -> None:
    """Beside with or without a name; in place, if it's confirmed."""
    wish(**facts).require_in_order()


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"how": "in place"}, "Type its name as 'confirm'"),
        ({"how": "in place", "confirm": "maq2"}, "'maq2' isn't it"),
        ({"how": "in place", "confirm": "maq1 "}, "'maq1 ' isn't it"),
        ({"new_name": "maq1"}, "needs another name"),
        ({"new_name": "../maq"}, "can't be a machine's name"),
        ({"new_name": "-maq"}, "can't be a machine's name"),
        ({"new_name": "a/b"}, "can't be a machine's name"),
        ({"new_name": "a b"}, "can't be a machine's name"),
        ({"folder": "vms"}, "no absolute path"),
        ({"folder": "/vms/../etc"}, "no absolute path"),
        ({"folder": "/vms//x"}, "no absolute path"),
        ({"folder": "/"}, "no absolute path"),
        ({"folder": "/vms\0"}, "no absolute path"),
    ],
)
def test_what_cant_be_meant_is_refused(facts: dict[str, object], told: str) -> None:
    """It says which, and what to write."""
    with pytest.raises(ConfigError, match=told):
        wish(**facts).require_in_order()


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden", "x" * 300])
def test_a_machines_name_that_leads_out_of_the_vault_is_refused(name: str) -> None:
    """It becomes a path there."""
    with pytest.raises(BackupError):
        wish(machine=name).require_in_order()


def test_a_machine_beside_itself_has_a_name_of_its_own() -> None:
    """Unless one is given."""
    assert wish().becomes == "maq1-restored"
    assert wish(new_name="x").becomes == "x"
    assert wish(how="in place", new_name="x").becomes == "maq1"
