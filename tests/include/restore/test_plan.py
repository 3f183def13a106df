"""The plan of a day's restore: what to do with each path."""

import pytest

from include.days.manifest_builder import manifest_with
from include.days.manifest_entry import ManifestEntry
from include.restore.plan import RestoreAction, decide, paths

FILE = ManifestEntry("x", "file", 1, 5, None, "aa")
LINK = ManifestEntry("x", "link", 0, 0, "a", None)
FOLDER = ManifestEntry("x", "folder", 0, 0, None, None)
SPECIAL = ManifestEntry("x", "special", 0, 0, None, None)

CASES = {
    "missing": (FILE, None, RestoreAction.SEND, RestoreAction.SEND),
    "a link that is missing": (LINK, None, RestoreAction.SEND, RestoreAction.SEND),
    "a folder that is missing": (FOLDER, None, RestoreAction.SEND, RestoreAction.SEND),
    "the same": (FILE, FILE, RestoreAction.LEAVE, RestoreAction.LEAVE),
    "the same with another time": (FILE, FILE._replace(mtime_ns=6), RestoreAction.LEAVE, RestoreAction.LEAVE),
    "the same link": (LINK, LINK, RestoreAction.LEAVE, RestoreAction.LEAVE),
    "the same folder": (FOLDER, FOLDER, RestoreAction.LEAVE, RestoreAction.LEAVE),
    "other content": (FILE, FILE._replace(sha256="bb"), RestoreAction.REFUSE, RestoreAction.OVERWRITE),
    "unhashed": (FILE, FILE._replace(sha256=None), RestoreAction.REFUSE, RestoreAction.OVERWRITE),
    "another link": (LINK, LINK._replace(target="b"), RestoreAction.REFUSE, RestoreAction.OVERWRITE),
    "a link for a file": (FILE, LINK, RestoreAction.REFUSE, RestoreAction.OVERWRITE),
    "a FIFO for a file": (FILE, SPECIAL, RestoreAction.REFUSE, RestoreAction.OVERWRITE),
    "a file for a link": (LINK, FILE, RestoreAction.REFUSE, RestoreAction.OVERWRITE),
    "a folder for a file": (FILE, FOLDER, RestoreAction.REFUSE, RestoreAction.REFUSE),
    "a folder for a link": (LINK, FOLDER, RestoreAction.REFUSE, RestoreAction.REFUSE),
    "a link for a folder": (FOLDER, LINK, RestoreAction.REFUSE, RestoreAction.REFUSE),
    "a file for a folder": (FOLDER, FILE, RestoreAction.REFUSE, RestoreAction.REFUSE),
}


@pytest.mark.parametrize("case", CASES)
def test_each_path_has_the_right_action(case: str) -> None:
    """Without and with overwriting; a folder is never replaced, and nothing is replaced by a folder."""
    selected, existing, plain_action, overwrite_action = CASES[case]
    manifest = manifest_with((existing,) if existing else ())
    for overwrite, action in ((False, plain_action), (True, overwrite_action)):
        [step] = decide(manifest_with((selected,)), manifest, overwrite=overwrite)
        assert (step.action, step.writes) == (action, action in (RestoreAction.SEND, RestoreAction.OVERWRITE))
        assert step.reason


def test_other_files_at_the_target_are_ignored() -> None:
    """They are in no step."""
    steps = decide(manifest_with((FILE,)), manifest_with((FILE._replace(path="y"),)), overwrite=True)
    assert paths(steps, RestoreAction.SEND) == ["x"]
    assert len(steps) == 1
