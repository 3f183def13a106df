"""Names from outside become paths by one way only, and never lead out of their folder."""

import os
import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.errors import BackupError
from include.names import checked, shown

ANY_PATH = st.lists(
    st.sampled_from(["", ".", "..", "...", "a", "-rf", "\0", "\n", "\udcff", "~"]), max_size=5
)


@pytest.mark.parametrize(
    "path", ["a", "a/b", "...", "a/..b", "-rf", " ", "a\nb", "$(touch x)", "\udcff", "a\\..\\b", "~", "C:"]
)
def test_odd_names_are_fine(path: str) -> None:
    """Odd isn't dangerous: what stays below its folder is kept as it is."""
    assert checked(path) == path


@pytest.mark.parametrize("path", ["", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/..", "a/./b", "a\0b"])
def test_what_leads_out_is_refused_and_shown(path: str) -> None:
    """With the name visible, whatever is in it."""
    with pytest.raises(BackupError) as refused:
        checked(path)
    assert str(refused.value) == (
        f"{shown(path)} came from outside as a path and leads out of its folder: refused."
    )


@given(ANY_PATH.map("/".join))
def test_whatever_is_accepted_stays_below_its_folder(path: str) -> None:
    """As the file system itself would resolve it."""
    try:
        joined = posixpath.join("/vault/day", checked(path))
    except BackupError:
        return
    assert os.path.normpath(joined) == joined
    assert joined.startswith("/vault/day/")


@given(st.text(st.characters(exclude_categories=())))
def test_a_shown_name_is_one_quoted_printable_line(name: str) -> None:
    """It can stand in a log, a mail and a subject."""
    told = shown(name)
    assert told.isprintable()
    assert told.encode()
    assert told[0] == told[-1] == "'"
    assert "'" not in told[1:-1].replace("\\'", "")
