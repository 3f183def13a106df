"""What is done about each path of a day at its target, and why."""

import pytest

from include.listing import Entry, Listing
from include.restore.decision import Action, decide, paths

FILE = Entry("x", "file", 1, 5, None, "aa")
LINK = Entry("x", "link", 0, 0, "a", None)
FOLDER = Entry("x", "folder", 0, 0, None, None)
SPECIAL = Entry("x", "special", 0, 0, None, None)

CASES = {
    "missing": (FILE, None, Action.SEND, Action.SEND),
    "a link that is missing": (LINK, None, Action.SEND, Action.SEND),
    "a folder that is missing": (FOLDER, None, Action.SEND, Action.SEND),
    "the same": (FILE, FILE, Action.LEAVE, Action.LEAVE),
    "the same at another time": (FILE, FILE._replace(mtime_ns=6), Action.LEAVE, Action.LEAVE),
    "the same link": (LINK, LINK, Action.LEAVE, Action.LEAVE),
    "the same folder": (FOLDER, FOLDER, Action.LEAVE, Action.LEAVE),
    "other content": (FILE, FILE._replace(sha256="bb"), Action.REFUSE, Action.OVERWRITE),
    "unhashed": (FILE, FILE._replace(sha256=None), Action.REFUSE, Action.OVERWRITE),
    "another link": (LINK, LINK._replace(target="b"), Action.REFUSE, Action.OVERWRITE),
    "a link for a file": (FILE, LINK, Action.REFUSE, Action.OVERWRITE),
    "a FIFO for a file": (FILE, SPECIAL, Action.REFUSE, Action.OVERWRITE),
    "a file for a link": (LINK, FILE, Action.REFUSE, Action.OVERWRITE),
    "a folder for a file": (FILE, FOLDER, Action.REFUSE, Action.REFUSE),
    "a folder for a link": (LINK, FOLDER, Action.REFUSE, Action.REFUSE),
    "a link for a folder": (FOLDER, LINK, Action.REFUSE, Action.REFUSE),
    "a file for a folder": (FOLDER, FILE, Action.REFUSE, Action.REFUSE),
}


@pytest.mark.parametrize("case", CASES)
def test_each_case(case: str) -> None:
    """Without leave to overwrite, and with it; a folder is never replaced, nor what stands in its place."""
    wanted, there, plainly, overwriting = CASES[case]
    listing = Listing((there,) if there else ())
    for overwrite, action in ((False, plainly), (True, overwriting)):
        [step] = decide(Listing((wanted,)), listing, overwrite=overwrite)
        assert (step.action, step.moves) == (action, action in (Action.SEND, Action.OVERWRITE))
        assert step.reason


def test_what_isnt_wanted_is_nobodys_business() -> None:
    """A stranger's file at the target is in no step."""
    steps = decide(Listing((FILE,)), Listing((FILE._replace(path="y"),)), overwrite=True)
    assert paths(steps, Action.SEND) == ["x"]
    assert len(steps) == 1
