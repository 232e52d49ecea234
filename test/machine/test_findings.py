"""One thing that the doctor looked at."""

import pytest

from mtshare_ros.machine.findings import Finding


@pytest.mark.parametrize(
    ("ok", "needed", "mark", "fatal"),
    [
        (True, True, "ok", False),
        (True, False, "ok", False),
        (False, True, "MISSING", True),
        (False, False, "not here", False),
    ],
)
def test_only_what_is_needed_and_missing_is_fatal(ok, needed, mark, fatal):
    finding = Finding("torch", "1.0", ok=ok, needed=needed)
    assert (finding.mark, finding.fatal) == (mark, fatal)
