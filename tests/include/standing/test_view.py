"""How facts of a vault become one view, whatever machines it held before."""

from datetime import UTC, datetime

from include.standing.facts import MachinePart, MachinesPart, Part, Published, VaultPart
from include.standing.view import fold
from tests.published import rules

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def machine(name: str) -> MachinePart:
    """Give a machine without generations."""
    return MachinePart(name=name, host="kvm_host", budget_s=60, generations=())


def published(part: Part) -> Published:
    """Give what a run says."""
    return Published(vault="v", path="/backup/vault", taken=NOW, part=part)


def test_the_machines_of_a_vault_are_those_that_it_held_last() -> None:
    """All of them in one part: what isn't among them any more is gone."""
    whole: VaultPart = rules()
    before = MachinesPart(machines=(machine("old"), machine("maq1")))
    now = MachinesPart(machines=(machine("maq2"), machine("maq1")))
    [view] = fold([published(whole), published(machine("older")), published(before), published(now)])
    assert list(view.machines) == ["maq1", "maq2"]
