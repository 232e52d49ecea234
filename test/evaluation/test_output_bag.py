"""The bag of an evaluation: read by a reader that shares no code with the writer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory

from mtshare_ros import cli
from mtshare_ros.datasets.bags.reader import ClipReader
from mtshare_ros.evaluation.output_bag import PredictionBag
from mtshare_ros.evaluation.recorded import RecordedPredictions
from mtshare_ros.perception.engines import open_engine
from mtshare_ros.perception.palette import colour_depth
from mtshare_ros.perception.predictions import Predictions
from mtshare_ros.perception.stream import PerceptionStream
from mtshare_ros.perception.stream_settings import StreamSettings
from mtshare_ros.tasks import TASKS
from support.teacher_files import SIZE, frame, write_bag

LAYOUT = Path(__file__).parents[2] / "config" / "foxglove.json"
FRAMES = 5
KINDS = {"32FC1": ("<f4", 1), "32FC3": ("<f4", 3), "mono8": ("u1", 1), "rgb8": ("u1", 3)}


@pytest.fixture(scope="module")
def bags(tmp_path_factory: Any, bundle_path: Path) -> tuple[Path, Path]:
    """Return a bag and the one that an evaluation of it recorded."""
    folder = tmp_path_factory.mktemp("record")
    bag, recorded = write_bag(folder / "in.mcap", FRAMES), folder / "out.mcap"
    command = ["evaluate", bundle_path, "--bag", bag, "--output", folder, "--record", recorded]
    assert cli.run([str(word) for word in command]) == 0
    return bag, recorded


def read(path: Path) -> dict[str, list[tuple[int, Any, Any]]]:
    """Return topic -> (log time, message, array)."""
    found: dict[str, list[tuple[int, Any, Any]]] = {}
    with path.open("rb") as file:
        for _, channel, message, decoded in make_reader(
            file, decoder_factories=[DecoderFactory()]
        ).iter_decoded_messages():
            kind, channels = KINDS[decoded.encoding]
            shape = (decoded.height, decoded.width, *([channels] if channels > 1 else []))
            values = np.frombuffer(bytes(decoded.data), kind).reshape(shape)
            assert decoded.step == values.strides[0]
            found.setdefault(channel.topic, []).append((message.log_time, decoded, values))
    return found


def test_an_independent_reader_finds_images_and_predictions_with_their_stamps(
    bags: tuple[Path, Path], bundle_path: Path
) -> None:
    found = read(bags[1])
    node = "/perception_node"
    outputs = {f"{node}/{t}/{k}" for t in ("depth", "normals") for k in ("image", "color")}
    outputs |= {f"{node}/segmentation/{k}" for k in ("mask", "confidence", "color")}
    assert set(found) == {"/camera/image", f"{node}/dirty_tokens", *outputs}
    stamps = [frame(index, 0).stamp for index in range(FRAMES)]
    for topic, messages in found.items():
        assert [time for time, _, _ in messages] == stamps, topic
        heads = [m.header.stamp.sec * 10**9 + m.header.stamp.nanosec for _, m, _ in messages]
        assert heads == stamps
        assert {values.shape[:2] for _, _, values in messages} == {SIZE[::-1]}
    stream = PerceptionStream(
        open_engine(bundle_path, "onnxruntime", 1), StreamSettings(output_size="input")
    )
    for index, given in enumerate(ClipReader(bags[0])):
        expected = stream.step(
            given.rgb, given.stamp, ["depth", "normals", "segmentation"], given.focal_length
        )
        assert np.array_equal(found["/camera/image"][index][2], given.rgb)
        depth = found[f"{node}/depth/image"][index][2]
        assert np.allclose(depth, expected.maps["depth"], atol=1e-4, equal_nan=True)
        normals = found[f"{node}/normals/image"][index][2]
        assert np.allclose(normals, expected.maps["normals"], atol=1e-3)
        same = found[f"{node}/segmentation/mask"][index][2] == expected.maps["segmentation"]
        assert same.mean() > 0.99
        dirty = found[f"{node}/dirty_tokens"][index][2]
        assert dirty.mean() / 255 == pytest.approx(expected.dirty.mean())


def test_it_is_compressed_and_smaller_than_its_pictures(bags: tuple[Path, Path]) -> None:
    with bags[1].open("rb") as file:
        summary = make_reader(file).get_summary()
    assert summary is not None
    assert {index.compression for index in summary.chunk_indexes} == {"zstd"}
    raw = FRAMES * SIZE[0] * SIZE[1] * (3 + 4 + 3 + 12 + 3 + 1 + 1 + 3 + 1)
    assert bags[1].stat().st_size < 0.7 * raw


def test_the_recording_can_be_scored_like_that_of_the_live_node(
    bags: tuple[Path, Path], bundle_path: Path
) -> None:
    from mtshare_ros.bundle.folder import load_manifest

    frames = list(RecordedPredictions(bags[1], load_manifest(bundle_path).tasks))
    assert len(frames) == FRAMES and frames[0].dirty is not None and frames[0].dirty.all()


def test_every_topic_of_the_foxglove_layout_is_in_the_bag(bags: tuple[Path, Path]) -> None:
    layout = json.loads(LAYOUT.read_text())
    shown = {panel["imageMode"]["imageTopic"] for panel in layout["configById"].values()}
    assert shown <= set(read(bags[1])) and len(shown) == 5

    def leaves(part: Any) -> list[str]:
        return [part] if isinstance(part, str) else leaves(part["first"]) + leaves(part["second"])

    assert sorted(leaves(layout["layout"])) == sorted(layout["configById"])


def test_a_recording_is_not_overwritten_and_a_failure_leaves_none(
    capsys: Any, tmp_path: Path, bags: tuple[Path, Path], bundle_path: Path
) -> None:
    command = ["evaluate", bundle_path, "--bag", bags[0], "--output", tmp_path, "--record"]
    assert cli.run([str(word) for word in (*command, bags[1])]) == 2
    assert "exists already" in capsys.readouterr().err
    out = tmp_path / "out.mcap"
    bad = [*command, out, "--policy", "hold:0"]
    assert cli.run([str(word) for word in bad]) == 2
    assert not out.exists() and not list(tmp_path.glob(".bag*"))


def test_a_task_that_was_not_computed_has_no_topic(tmp_path: Path) -> None:
    depth = np.full((4, 6), 2.0, np.float32)
    image = np.zeros((4, 6, 3), np.uint8)
    predictions = Predictions(5, {"depth": depth}, {}, np.eye(2, 3, dtype=bool))
    with PredictionBag(tmp_path / "out.mcap") as bag:
        bag.write(image, predictions, [TASKS["depth"], TASKS["segmentation"]])
    found = read(tmp_path / "out.mcap")
    below = "/perception_node"
    assert set(found) == {
        "/camera/image", f"{below}/depth/image", f"{below}/depth/color", f"{below}/dirty_tokens"
    }  # fmt: skip
    ((time, _, dirty),) = found[f"{below}/dirty_tokens"]
    assert time == 5
    assert np.array_equal(dirty, np.kron([[255, 0, 0], [0, 255, 0]], np.ones((2, 2))))
    ((_, _, values),) = found[f"{below}/depth/image"]
    assert np.array_equal(values, depth)


def test_confidence_is_as_it_was_computed_and_blue_is_ten_metres_away(tmp_path: Path) -> None:
    image = np.zeros((4, 6, 3), np.uint8)
    depth = np.arange(24, dtype=np.float32).reshape(4, 6) / 2
    confidence = np.arange(24, dtype=np.uint8).reshape(4, 6) * 10
    maps = {"depth": depth, "segmentation": np.ones((4, 6), np.uint8)}
    predictions = Predictions(5, maps, {"segmentation": confidence}, np.eye(2, 3, dtype=bool))
    with PredictionBag(tmp_path / "out.mcap") as bag:
        bag.write(image, predictions, [TASKS["depth"], TASKS["segmentation"]])
    found = read(tmp_path / "out.mcap")
    ((_, _, written),) = found["/perception_node/segmentation/confidence"]
    assert np.array_equal(written, confidence)
    ((_, _, colours),) = found["/perception_node/depth/color"]
    assert np.array_equal(colours, colour_depth(depth, 10.0))
