"""`mtshare boundary-score`; `mtshare evaluate` is held beside its job."""

import json

import pytest

from mtshare_ros import cli
from mtshare_ros.commands import score
from support.line_drawings import write_folders


def test_folders_are_scored_at_each_tolerance(capsys, tmp_path):
    # The diagonal is 80: 3 pixels are 0.0375 of it.
    output = tmp_path / "score.json"
    distances = ["--max-distance", "0.03", "--max-distance", "0.04"]
    command = [
        "boundary-score",
        *map(str, write_folders(tmp_path)),
        *distances,
        "--output",
        str(output),
    ]
    assert cli.run(command) == 0
    strict, loose = json.loads(output.read_text())["scores"]
    assert strict == {
        "max_distance": 0.03,
        "ods_f": pytest.approx(0.5),
        "threshold": 0.001,
        "precision": pytest.approx(0.5),
        "recall": pytest.approx(0.5),
        "images": 2,
    }
    assert loose["ods_f"] == 1.0
    assert "0.5000" in capsys.readouterr().out


BAG = "--bag x.mcap"
ROOMS = "--dataset rooms --root x"


@pytest.mark.parametrize(
    ("given", "option"),
    [
        (f"{BAG} --split train", "--split"),
        (f"{BAG} --protocol mtl", "--protocol"),
        (f"{BAG} --names x", "--names"),
        (f"{BAG} --normal-axes xyz", "--normal-axes"),
        (f"{BAG} --policy hold:2 --max-dirty-fraction 0.5", "--max-dirty-fraction"),
        (f"{BAG} --bag y.mcap --ray local --workers 2", "--workers"),
        (f"{ROOMS} --record x", "--record"),
        (f"{ROOMS} --topic x", "--topic"),
        (f"{ROOMS} --intrinsics k", "--intrinsics"),
        (f"{ROOMS} --workers 2", "--workers"),
        (f"{ROOMS} --ray local", "--ray"),
        (f"{ROOMS} --policy hold:2", "--policy"),
        (f"{ROOMS} --max-dirty-fraction 0.5", "--max-dirty-fraction"),
        (f"{ROOMS} --split train", "--split"),
        (f"{ROOMS} --names x", "--names"),
    ],
)
def test_an_option_that_would_be_passed_over_is_refused(capsys, tmp_path, given, option):
    output = tmp_path / "out"
    assert cli.run(["evaluate", "missing", *given.split(), "--output", str(output)]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {option}: ") and error.count("\n") == 1
    assert not output.exists()


def test_both_commands_of_the_room_are_there():
    assert {score.evaluate, score.boundary_score} < set(cli.COMMANDS[cli.RESEARCH])
