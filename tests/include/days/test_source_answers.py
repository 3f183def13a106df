"""What a source sends is data: of another shape, it is refused with the host's name and what was wrong."""

import pytest

from include.days.source import Source, SourceState
from include.errors import BackupError, SourceRefusedError, TransientError, UnexpectedAnswerError
from include.ordinal_day import FolderPattern
from include.remote.transport import LONGEST_LINE
from tests.include.answering_program import Answering
from tests.include.days.sample_days import DAY

FOLDER = "2026/268"
FILE = ["a", "file", 3, 7, None, None, 9]


def entries(*found: object, folder: object = FOLDER) -> dict[str, object]:
    """Return a line of entries."""
    return {"folder": folder, "entries": list(found)}


def opened(*answers: object) -> Source:
    """Return a source that sends these lines."""
    pattern = FolderPattern("{year}/{day:03d}")
    transport = Answering(answers, "supim_cluster")
    return Source(transport, "/data", pattern, check_descriptors=True, steps_per_day=1)


SHAPES: dict[str, list[object]] = {
    "a list": [[1, 2]],
    "a number": [7],
    "nothing": [None],
    "no JSON": [b"Welcome to the cluster\n"],
    "half a line": [b'{"folder": "2026/268", "entr'],
    "bytes that aren't UTF-8": [b'{"folder": "\xff"}\n'],
    "a thousand lists in each other": [b"[" * 100_000 + b"\n"],
    "objects in each other": [b'{"a":' * 100_000 + b"\n"],
    "a number of 5,000 digits": [b'{"entries": ' + b"9" * 5000 + b"}\n"],
    "a line that is too long": [b'{"folder": "' + b"x" * LONGEST_LINE],
    "no folder": [{"entries": []}],
    "a folder that is a list": [entries(folder=[FOLDER])],
    "a folder that wasn't asked for": [entries(folder="../..")],
    "entries that are an object": [{"folder": FOLDER, "entries": {"a": FILE}}],
    "entries that are a text": [{"folder": FOLDER, "entries": "abc"}],
    "entries that are nothing": [{"folder": FOLDER, "entries": None}],
    "an entry that is an object": [entries({"path": "a"})],
    "an entry without a size": [entries(["a", "file"])],
    "a negative size": [entries(["a", "file", -1, 7, None, None, 9])],
    "a size that is no number": [entries(["a", "file", float("nan"), 7, None, None, 9])],
    "a path that leads out": [entries(["../../etc/passwd", *FILE[1:]])],
    "the same file twice": [entries(FILE), entries(FILE)],
    "an unreadable number": [entries([7, "unreadable", 0, 0, "why", None, 0])],
    "an answer that isn't one": [entries(FILE), {"more": 1}],
    "an error that is a list": [{"error": ["OSError"], "message": "why"}],
    "an error without a message": [{"error": "OSError"}],
    "an error whose message is a number": [{"error": "OSError", "message": 7}],
    "a wrong line after good ones": [entries(FILE), {"folder": FOLDER, "entries": 7}],
}


@pytest.mark.parametrize("case", SHAPES)
@pytest.mark.parametrize("asked", ["survey", "hashes"])
def test_an_answer_of_another_shape_is_an_error_with_the_hosts_name(case: str, asked: str) -> None:
    """It isn't retried: the connection has checksums of its own, so the next answer would be the same."""
    source = opened(*SHAPES[case])
    with pytest.raises(UnexpectedAnswerError, match=r"the source supim_cluster sent") as refused:
        source.survey([DAY]) if asked == "survey" else source.hashes(FOLDER)
    message = str(refused.value)
    assert not isinstance(refused.value, TransientError)
    assert message.isprintable()
    assert len(message) < 600
    assert isinstance(source.transport, Answering)
    assert source.transport.closed, "the rest of the answer would be taken for the next one's"


def test_hashes_without_any_entries_are_an_error() -> None:
    """Even an empty folder has a line of them."""
    with pytest.raises(UnexpectedAnswerError, match="no entries of '2026/268'"):
        opened({}).hashes(FOLDER)


def test_an_answer_that_ends_early_is_transient() -> None:
    """The connection broke."""
    with pytest.raises(TransientError):
        opened(entries(FILE)).survey([DAY])


def test_an_error_of_the_program_isnt_a_wrong_answer() -> None:
    """Its text is made printable."""
    with pytest.raises(SourceRefusedError, match=r"The source has no folder /data\. .*\(no\\nsuch\)"):
        opened({"error": "FileNotFoundError", "message": "no\nsuch"}).survey([DAY])
    with pytest.raises(BackupError, match=r"The source failed to answer: OSError \(a disk error\)"):
        opened(entries(FILE), {"error": "OSError", "message": "a disk error"}).survey([DAY])


def test_a_good_answer_in_many_lines_is_a_survey() -> None:
    """In whatever lines its entries come."""
    lines = [entries(), entries(FILE), entries(["b", *FILE[1:]], ["b\udcff", *FILE[1:]]), {}]
    day = opened(*lines).survey([DAY])[DAY]
    assert (day.state, day.files, day.bytes) == (SourceState.INCOMPLETE, 3, 9)
    assert "The folder holds no descriptor." in day.reason
    assert opened({}).survey([DAY])[DAY].state is SourceState.MISSING
