"""A recording of a live node, scored at each moment: a case that is worked out on paper."""

import json

import numpy as np
import pytest

from mtshare_ros import cli
from mtshare_ros.datasets.bags import topics
from mtshare_ros.evaluation.streaming.recorded_run import RECORDED
from support.bag_files import image, put_mcap

MS = 10**6
SHAPE = (32, 64)
BEGIN = 1000
"""Milliseconds; stamp of the first frame."""


def constant(topic, value, stamp):
    """Return a message of depth or of labels that are the same everywhere."""
    kind = np.float32 if topic.endswith(("depth", "depth/image")) else np.uint8
    values = np.full(SHAPE, value, kind)
    if topic == "/node/depth/image" and value == 3.0:
        values[:, : SHAPE[1] // 4] = np.nan
    if topic == "/node/segmentation/mask":
        values[:, : SHAPE[1] // 2] = 0
    encoding = "32FC1" if kind == np.float32 else "mono8"
    return topic, topics.RAW_TYPE, image(values, encoding, (BEGIN + stamp) * MS)


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    """Return three frames, 100 ms apart, of 1, 2 and 4 m and of class 1."""
    made = []
    for number, metres in enumerate((1.0, 2.0, 4.0)):
        stamp = 100 * number
        rgb = image(np.full((*SHAPE, 3), 80, np.uint8), "rgb8", (BEGIN + stamp) * MS)
        made.append(("/camera/image", topics.RAW_TYPE, rgb))
        made.append(constant("/ground_truth/depth", metres, stamp))
        made.append(constant("/ground_truth/labels", 1, stamp))
    return put_mcap(tmp_path_factory.mktemp("truth") / "clip.mcap", made)


def recording(path, late=0):
    """Write what a node gave: of the second frame the mask came when all was over."""
    came = {
        50: constant("/node/depth/image", 1.0, 0),
        55: constant("/node/segmentation/mask", 1, 0),
        160: constant("/node/depth/image", 3.0, 100),
        250: constant("/node/segmentation/mask", 1, 100),
    }
    return put_mcap(path, list(came.values()), times=[(BEGIN + late + t) * MS for t in came])


def evaluate(tmp_path, truth, *words):
    """Run the command; return its status and the report, or None."""
    output = tmp_path / "report"
    status = cli.run(["evaluate", *map(str, words), "--bag", str(truth), "--output", str(output)])
    found = output / "report.json"
    return status, json.loads(found.read_text()) if found.exists() else None


def test_three_frames_by_hand(tmp_path, truth, capsys):
    bag, slow = recording(tmp_path / "node.mcap"), recording(tmp_path / "slow.mcap", late=40)
    status, report = evaluate(tmp_path, truth, "--recorded", bag, "--recorded", slow)
    assert status == 0
    found = report["streaming"]
    # At 0 ms nothing was there. At 100 ms there was 1 m for 2 m, at 200 ms 3 m for 4 m, and
    # nothing, which counts as 20 m, on a quarter of the pixels.
    assert found["moments"] == report["frames"] == 2 and report["engine"] == RECORDED
    last = 0.75 * 0.25 + 0.25 * 4.0
    assert found["depth"]["abs_rel"] == pytest.approx((0.5 + last) / 2)
    assert report["tasks"] == {task: found[task] for task in report["tasks"]}
    assert found["coverage"] == pytest.approx((1 + 0.75) / 2)
    served = (0.5 + 0.75 * 0.25) / 1.75
    assert found["served"]["depth"]["abs_rel"] == pytest.approx(served)
    # Half of the mask is right: IoU 0.5 of class 1, and 0 of the other.
    assert found["segmentation"]["miou"] == pytest.approx(0.25)
    # The oldest map counts, which is the mask: 100 and 200 ms after its stamp.
    assert found["age_ms"] == {"mean": pytest.approx(150.0), "p95": pytest.approx(195.0)}
    assert found["age_from"] == "stamp"
    # Of their own frames: 1 m is right, of the other a quarter is 20 m and the rest 3 m for 2 m.
    stamped = (0.0 + 0.75 * 0.5 + 0.25 * 9.0) / 2
    assert found["stamped"]["depth"]["abs_rel"] == pytest.approx(stamped)
    assert found["answered"] == pytest.approx(2 / 3)
    # 40 ms later, the second depth comes at 200 ms, which is still in time.
    for task in report["tasks"]:
        assert found["baselines"][str(slow)][task] == found[task]
    captured = capsys.readouterr()
    assert captured.err.count("unknown=fill") == 2 and "at each moment" in captured.out
    page = (tmp_path / "report" / "index.html").read_text()
    assert "what the robot had" in page and "At each moment" in page
    assert "0.10 s, 100 ms old" in page and "0.20 s, 200 ms old" in page


def test_beside_the_bundles_dense_network_without_latency(tmp_path, truth, bundle_path):
    bag = recording(tmp_path / "node.mcap", late=41)
    status, report = evaluate(tmp_path, truth, bundle_path, "--recorded", bag, "--threads", 1)
    assert status == 0
    found = report["streaming"]
    # 41 ms later, the second depth misses its moment: 1 m for 2 m, and for 4 m.
    assert found["depth"]["abs_rel"] == pytest.approx((0.5 + 0.75) / 2)
    assert found["coverage"] == 1.0
    assert found["ideal"]["age_ms"]["mean"] == pytest.approx(0.0, abs=1e-6)
    assert found["ideal_1"]["age_ms"]["mean"] == pytest.approx(100.0)
    assert {"depth", "segmentation"} <= set(found["ideal"])


def test_a_recording_of_another_clock_and_one_without_latency_are_told(tmp_path, truth, capsys):
    bag = recording(tmp_path / "other.mcap", late=10**6)
    status, report = evaluate(tmp_path, truth, "--recorded", bag)
    assert (status, report) == (2, None)
    said = capsys.readouterr().err
    assert "1.000 to 1.200 s" in said and "next at 1001.050 s" in said and "one clock" in said
    early = recording(tmp_path / "early.mcap", late=-150)
    assert evaluate(tmp_path, truth, "--recorded", early)[0] == 0
    assert "says nothing of latency" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["--streaming"], ["--policy", "dense"], ["--baseline", "hold:2"], ["--bag", "x"]]
)
def test_options_that_do_not_go_with_recordings_are_named(tmp_path, truth, capsys, words):
    status, _ = evaluate(tmp_path, truth, "--recorded", "r", *words)
    assert status == 2 and capsys.readouterr().err.startswith(f"error: {words[0]}: ")


def test_recordings_of_nothing_in_common_and_a_missing_bundle_are_told(tmp_path, truth, capsys):
    made = [constant("/node/depth/image", 1.0, 0)]
    other = [constant("/node/segmentation/mask", 1, 0)]
    a, b = put_mcap(tmp_path / "a.mcap", made), put_mcap(tmp_path / "b.mcap", other)
    assert evaluate(tmp_path, truth, "--recorded", a, "--recorded", b)[0] == 2
    assert "no outputs of a task that all of them have" in capsys.readouterr().err
    assert evaluate(tmp_path, truth, "--recorded", a, "--recorded", a)[0] == 2
    assert "each bag once" in capsys.readouterr().err
    assert evaluate(tmp_path, truth)[0] == 2
    assert capsys.readouterr().err.startswith("error: BUNDLE: missing")
