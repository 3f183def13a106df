"""Which machines are booted from their images, and in which order."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from include.errors import ConfigError
from include.machines.drill_choice import Undrilled, by_name, due, known
from include.machines.generation import Generations
from include.vault import Vault
from tests.include.machines.machines import INSTANT, lay
from tests.include.test_proofs import found

OLD, NEW = datetime(2026, 10, 10, 12, tzinfo=UTC), datetime(2026, 11, 10, 12, tzinfo=UTC)
IMAGE = "2026-11-22T05-00-03Z"


def machine(name: str, last: datetime | None = None, **facts: object) -> Undrilled:
    """Give a machine that waits for its drill, unless told otherwise."""
    usual = {"name": name, "generation": IMAGE, "passed": False, "last": last}
    return Undrilled.model_validate({**usual, **facts})


def chosen(*machines: Undrilled, per_run: int = 9) -> list[str]:
    """Give the names of those that a run boots."""
    return [one.name for one in due(machines, per_run)]


def test_the_longest_undrilled_comes_first_and_before_it_what_never_was() -> None:
    """Of equals by name."""
    machines = [machine("b", NEW), machine("a", NEW), machine("c", OLD), machine("z")]
    assert chosen(*machines) == ["z", "c", "a", "b"]
    assert chosen(*machines, per_run=2) == ["z", "c"]
    assert [one.reason for one in due(machines, 2)] == [
        "z was never booted from an image.",
        "c was booted last on 2026-10-10.",
    ]


def test_what_has_no_image_and_what_is_off_isnt_booted() -> None:
    """They take nobody's place either."""
    others = [machine("b", generation=None), machine("c", off=True)]
    assert chosen(*others, machine("d"), per_run=1) == ["d"]
    assert chosen(*others) == []


def test_a_newest_image_that_was_booted_already_comes_after_all_others() -> None:
    """So a run without anything new boots the longest undrilled again, and isn't empty."""
    machines = [machine("a", OLD, passed=True), machine("b", NEW, passed=True), machine("c", NEW)]
    assert chosen(*machines) == ["c", "a", "b"]
    assert chosen(*machines, per_run=1) == ["c"]


def test_one_that_is_asked_for_is_booted_whether_it_was_before_or_not() -> None:
    """But not one without a sound image, nor one that is off."""
    machines = [machine("a", passed=True), machine("b", generation=None), machine("c", off=True)]
    assert by_name(machines, "a").generation == IMAGE
    for name, words in (("b", "no sound image"), ("x", "no sound image"), ("c", "isn't booted from")):
        with pytest.raises(ConfigError, match=words):
            by_name(machines, name)


def test_how_machines_stand_is_read_from_the_vault(tmp_path: Path) -> None:
    """Of the newest image that isn't damaged; the last drill may have been of an older one."""
    vault = Vault.create(tmp_path / "vault")
    older = lay(vault, instant=INSTANT - timedelta(weeks=1))
    newer = lay(vault)
    older.proofs.append(found("drill"))
    generations = Generations(vault)

    [stands] = known(generations, lambda _: False)
    assert (stands.name, stands.generation, stands.passed) == ("maq1", newer.name, False)
    assert stands.last == older.proofs.read()[0].when

    newer.proofs.append(found(result="failed"))
    [stands] = known(generations, lambda name: name == "maq1")
    assert (stands.generation, stands.passed, stands.off) == (older.name, True, True)


def test_a_drill_that_couldnt_be_tried_counts_as_none(tmp_path: Path) -> None:
    """The machine comes again in the next run, as does one that didn't boot."""
    vault = Vault.create(tmp_path / "vault")
    image = lay(vault)
    for result in ("not checked", "failed"):
        image.proofs.append(found("drill", result))
        [stands] = known(Generations(vault), lambda _: False)
        assert not stands.passed
        assert chosen(stands) == ["maq1"]
