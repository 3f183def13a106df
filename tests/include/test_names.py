"""Names from outside never lead out of their folder, and are escaped in messages."""

import os
import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.errors import BackupError
from include.names import checked, matches, shown

ANY_PATH = st.lists(
    st.sampled_from(["", ".", "..", "...", "a", "-rf", "\0", "\n", "\udcff", "~"]), max_size=5
)


@pytest.mark.parametrize(
    "path", ["a", "a/b", "...", "a/..b", "-rf", " ", "a\nb", "$(touch x)", "\udcff", "a\\..\\b", "~", "C:"]
)
def test_odd_names_are_accepted_unchanged(path: str) -> None:
    """If they stay below their folder."""
    assert checked(path) == path


@pytest.mark.parametrize("path", ["", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/..", "a/./b", "a\0b"])
def test_a_path_that_leads_out_of_its_folder_is_refused(path: str) -> None:
    """The message has the path, escaped."""
    with pytest.raises(BackupError) as refused:
        checked(path)
    assert str(refused.value) == f"The path {shown(path)} leads out of its folder. It was refused."


@given(ANY_PATH.map("/".join))
def test_every_accepted_path_stays_below_its_folder(path: str) -> None:
    """As the file system resolves it."""
    try:
        joined = posixpath.join("/vault/day", checked(path))
    except BackupError:
        return
    assert os.path.normpath(joined) == joined
    assert joined.startswith("/vault/day/")


@given(st.text(st.characters(exclude_categories=())))
def test_a_shown_name_is_one_quoted_printable_line(name: str) -> None:
    """For a log, a mail and a subject."""
    text = shown(name)
    assert text.isprintable()
    assert text.encode()
    assert text[0] == text[-1] == "'"
    assert "'" not in text[1:-1].replace("\\'", "")


@pytest.mark.parametrize(
    ("name", "pattern", "expected"),
    [
        ("web[1]", "web[1]", True),
        ("web1", "web[1]", True),
        ("web[1]", "web[[]1]", True),
        ("Windows Server 2022", "Windows*", True),
        ("maq1", "MAQ1", False),
    ],
)
def test_a_name_matches_itself_and_its_patterns(name: str, pattern: str, *, expected: bool) -> None:
    """So that a name can be copied into the site file."""
    assert matches(name, pattern) is expected
