"""The former place of the soak."""

import subprocess
import sys

from mtshare_ros.ros import soak


def test_the_former_command_names_the_new_one():
    command = [sys.executable, "-m", soak.__name__, "--output", "soak.json"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 2 and result.stdout == ""
    assert "mtshare soak" in result.stderr and result.stderr.count("\n") == 1
