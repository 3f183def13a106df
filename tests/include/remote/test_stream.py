"""A stream's lines, from a local program; its tests over SSH are those of its users."""

import subprocess
import sys
import tempfile
import time

from include.remote.stream import Stream

_PRINT = "import json, sys; print(); print(json.dumps({'file': 'A' * int(sys.argv[1])})); sys.stdin.read()"
ARM_BYTES = 64 << 20  # of the UEFI variables of a VM on ARM


def test_a_line_has_room_for_the_largest_uefi_variables_and_takes_seconds() -> None:
    """In Base64, after a blank line."""
    count, began = ARM_BYTES // 3 * 4, time.monotonic()
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            [sys.executable, "-c", _PRINT, str(count)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process,
    ):
        stream = Stream(process, errors)
        assert len(stream.read_line()["file"]) == count
        assert stream.end() == 0
    assert time.monotonic() - began < 30
