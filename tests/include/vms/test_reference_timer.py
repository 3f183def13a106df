"""Whether the timer on a host that bounds clones does its work."""

import pytest

from include.vms.reference_timer import ReferenceTimer


@pytest.mark.parametrize(
    ("quiet_s", "expected"),
    [
        (31, ""),
        (600, ""),
        (660, "hasn't run on kvm_host for 11 min 0 s; it is due every 30 s."),
        (864_000, "for 10 days;"),
    ],
)
def test_a_timer_that_is_quiet_for_long_is_a_warning(quiet_s: float, expected: str) -> None:
    """It may miss some of its runs: one that removes large clones takes minutes."""
    warning = ReferenceTimer(every_s=30, last_run=None, quiet_s=quiet_s).warning("kvm_host")
    assert bool(warning) == bool(expected)
    assert expected in warning
