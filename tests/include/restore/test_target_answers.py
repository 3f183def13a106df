"""What the program at a restore's target sends is data: of another shape, it is refused."""

from typing import Any

import pytest

from include.days.manifest_builder import manifest_with
from include.days.manifest_entry import ManifestEntry
from include.errors import TargetError, UnexpectedAnswerError
from include.ordinal_day import FolderPattern
from include.restore.plan import decide
from include.restore.target import RestoreTarget
from tests.include.answering_program import Answering
from tests.include.days.sample_days import DAY

FILE = ["a", "file", 3, 7, None, None, 9]
SELECTED = manifest_with([ManifestEntry("a", "file", 3, 7, None, "00" * 32)])
STATE: dict[str, Any] = {
    "day": "/data/2026/268",
    "found": ["2026/268"],
    "is_folder": True,
    "above": True,
    "vault": "",
    "left": False,
    "left_bytes": 0,
    "free_bytes": 1 << 40,
    "free_files": 1 << 20,
    "device": 7,
}
NO_ENTRIES: dict[str, list[object]] = {"entries": []}


def target(*answers: object) -> RestoreTarget:
    """Return a target that sends these lines."""
    return RestoreTarget(Answering(answers, "a_cluster"), "/data", FolderPattern("{year}/{day:03d}"))


WRONG_FIELDS: list[tuple[str, object]] = [
    ("day", 7),
    ("day", None),
    ("found", "2026/268"),
    ("found", [7]),
    ("found", None),
    ("is_folder", "yes"),
    ("is_folder", 1),
    ("above", []),
    ("vault", None),
    ("left", {}),
    ("left_bytes", -1),
    ("left_bytes", True),
    ("free_bytes", "7"),
    ("free_bytes", 1.5),
    ("free_files", float("inf")),
    ("device", [7]),
]


@pytest.mark.parametrize(("key", "value"), WRONG_FIELDS)
def test_a_wrong_field_of_a_survey_is_an_error(key: str, value: object) -> None:
    """With the target's name, and what came."""
    with pytest.raises(UnexpectedAnswerError, match=f"a_cluster:/data sent .*'{key}' is "):
        target(NO_ENTRIES, {**STATE, key: value}).survey(DAY, SELECTED)


@pytest.mark.parametrize("key", STATE)
def test_a_missing_field_of_a_survey_is_an_error(key: str) -> None:
    """Each of them is needed."""
    state = {name: value for name, value in STATE.items() if name != key}
    with pytest.raises(UnexpectedAnswerError, match=f"a_cluster:/data sent .*'{key}' is missing"):
        target(NO_ENTRIES, state).survey(DAY, SELECTED)


@pytest.mark.parametrize(
    "lines",
    [
        [[1]],
        [b"x"],
        [{"entries": 7}],
        [{"entries": [["a", "file", -3, 7, None, None, 9]]}],
        [{"entries": [["../a", *FILE[1:]]]}],
        [{"error": 7, "errno": "ENOSPC"}],
        [{"error": "OSError", "errno": 28, "message": "full"}],
    ],
)
def test_a_wrong_line_is_an_error(lines: list[object]) -> None:
    """Whatever is asked."""
    with pytest.raises(UnexpectedAnswerError, match="a_cluster:/data sent"):
        target(*lines).survey(DAY, SELECTED)


@pytest.mark.parametrize("begun", [{}, {"staging": None}, {"staging": ["/data"]}])
def test_a_staging_folder_that_isnt_one_is_an_error(begun: object) -> None:
    """Rsync would write elsewhere."""
    to = target(NO_ENTRIES, STATE, begun)
    at_target = to.survey(DAY, SELECTED)
    steps = decide(SELECTED, at_target.manifest, overwrite=False)
    with pytest.raises(UnexpectedAnswerError, match=r"a_cluster:/data sent .*'staging'"):
        to.receive(at_target, DAY, steps, print)  # type: ignore[arg-type] # it isn't sent


def test_a_good_answer_is_read() -> None:
    """And an error of the program is the target's."""
    at_target = target(NO_ENTRIES, {"entries": [FILE]}, STATE).survey(DAY, SELECTED)
    assert (at_target.state.day, at_target.state.free_bytes) == ("/data/2026/268", 1 << 40)
    assert [entry.path for entry in at_target.manifest] == ["a"]
    with pytest.raises(TargetError, match=r"a_cluster:/data is full: no\\nspace"):
        target({"error": "OSError", "errno": "ENOSPC", "message": "no\nspace"}).survey(DAY, SELECTED)
