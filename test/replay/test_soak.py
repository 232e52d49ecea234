"""The live node at camera rate for a while."""

import dataclasses
from itertools import islice
from types import SimpleNamespace

import cv2
import pytest
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import CompressedImage, Image

from mtshare_ros.datasets.bags import topics
from mtshare_ros.datasets.bags.open_bag import Message
from mtshare_ros.replay import soak as module
from mtshare_ros.replay.listener import stamp_of
from mtshare_ros.replay.soak import Sample, SoakResult, soak
from mtshare_ros.ros.images import decode
from support.camera_bag import write_bag
from support.ros_harness import header, image

NOTHING_WRONG = SoakResult(
    seconds=60.0,
    sent=100,
    counts={},
    overtaken=2,
    uncounted=0,
    outputs={},
    lost_outputs={},
    answered={},
    unknown_stamps=0,
    disordered=0,
    keys=50,
    coverage=0.9,
    memory_growth=0.019,
    p99_ratio=1.2,
    cpu_ms=20.0,
    stage_ms={},
    samples=[Sample(1.0, 100.0, 10.0)],
)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({}, []),
        ({"uncounted": -1}, ["-1 received images were never accounted for"]),
        ({"unknown_stamps": 3}, ["3 outputs have stamps of no input"]),
        ({"disordered": 2}, ["2 outputs came after one of a newer image"]),
        ({"memory_growth": 0.021}, ["memory grew by 2.1%"]),
        ({"p99_ratio": 2.0}, ["p99 latency grew by a factor of 2.00"]),
    ],
)
def test_what_a_node_that_can_be_trusted_would_not_show_is_a_fault(change, says):
    assert dataclasses.replace(NOTHING_WRONG, **change).faults() == says


@pytest.mark.parametrize(
    ("change", "faults"),
    [
        ({"memory_growth": 0.02}, 0),
        ({"p99_ratio": 1.25}, 0),
        ({"p99_ratio": 1.26}, 1),
        ({"uncounted": 1, "unknown_stamps": 1}, 2),
        ({"memory_growth": -0.5, "p99_ratio": 0.1}, 0),
    ],
)
def test_what_is_at_its_bound_is_no_fault(change, faults):
    assert len(dataclasses.replace(NOTHING_WRONG, **change).faults()) == faults


def test_the_clip_goes_to_and_fro_with_the_stamps_of_an_endless_camera():
    images = [serialize_message(image(n)) for n in range(4)]
    found = list(islice(module._stamped(images), 13))
    pictures = [data[12:] for data in images]
    order = [pictures.index(data[12:]) for data in found]
    assert order == [0, 1, 2, 3, 2, 1, 0, 1, 2, 3, 2, 1, 0]
    stamps = [stamp_of(data) for data in found]
    steps = {b - a for a, b in zip(stamps, stamps[1:], strict=False)}
    assert {round(step / 1e6, 1) for step in steps} == {33.3}
    assert stamps[12] - stamps[0] == pytest.approx(12e9 / 30, abs=2)
    assert deserialize_message(found[5], Image).header.frame_id == "camera_optical_frame"


def test_images_are_stretched_to_a_size_and_keep_their_header():
    data = serialize_message(image(7, size=(40, 20)))
    recorded = Message("camera/image", topics.RAW_TYPE, 7, data)
    assert module._raw(recorded, None) is data
    found = deserialize_message(module._raw(recorded, (30, 60)), Image)
    assert (found.width, found.height, found.step, found.encoding) == (30, 60, 90, "rgb8")
    assert found.header == header(7)


@pytest.mark.parametrize(("size", "expected"), [(None, (40, 20)), ((30, 60), (30, 60))])
def test_compressed_images_become_raw_ones(size, expected):
    picture = decode(image(7, size=(40, 20)))
    png = cv2.imencode(".png", picture[..., ::-1])[1].tobytes()
    packed = CompressedImage(header=header(7), format="png", data=png)
    name = "camera/image/compressed"
    recorded = Message(name, topics.COMPRESSED_TYPE, 7, serialize_message(packed))
    found = deserialize_message(module._raw(recorded, size), Image)
    assert (found.width, found.height) == expected and found.header == header(7)
    if size is None:
        assert (decode(found) == picture).all()


def result(samples, arrived, sent=4, processed=3, seconds=100.0):
    """Return what is made of samples, of topic -> stamps that arrived, and of what was sent."""
    counts = {"received": 4, "processed": processed, "skipped": 0, "dropped": 1}
    listener = SimpleNamespace(
        sent={(stamp, 0): 0.0 for stamp in range(sent)},
        arrived={t: {(stamp, 0): 0.0 for stamp in stamps} for t, stamps in arrived.items()},
        diagnostics={"keys": "3", "coverage": "0.75"},
    )
    node = SimpleNamespace(
        listener=listener, counts=lambda: counts, uncounted=lambda: 0, stage_times=dict
    )
    return module._result(seconds, 0.6, samples, node, SimpleNamespace(counts={}))


def test_memory_and_latency_are_compared_after_warming_up():
    samples = [Sample(5.0, 10.0, 99.0)]
    samples += [Sample(25.0 + n, 100.0 + n, 10.0 + (n > 5) * 5) for n in range(9)]
    found = result(samples, {})
    assert found.memory_growth == pytest.approx(0.08)
    assert found.p99_ratio == pytest.approx(1.5) and found.cpu_ms == pytest.approx(200.0)
    assert found.overtaken == 0 and result(samples, {}, sent=9).overtaken == 5
    # A long run warms up for five minutes.
    late = [Sample(n, 50.0 if n < 300 else 100.0, 1.0) for n in range(0, 4000, 100)]
    assert result(late, {}, seconds=4000.0).memory_growth == 0.0
    assert result(samples, {}, processed=0).cpu_ms == pytest.approx(600.0)


def test_outputs_are_held_against_what_was_sent():
    arrived = {"a": [0, 1, 2], "b": [0, 2], "nobody": [], "c": [2, 77]}
    found = result([Sample(50.0, 1.0, 1.0)], arrived)
    assert found.lost_outputs == {"a": 0, "b": 1, "c": 1} and found.unknown_stamps == 1
    assert found.answered == {"a": 0.75, "b": 0.5, "c": 0.5} and found.disordered == 0
    assert (found.keys, found.coverage) == (3, 0.75)
    swapped = result([Sample(50.0, 1.0, 1.0)], {"a": [0, 2, 1, 3]})
    assert swapped.disordered == 1 and swapped.answered == {"a": 1.0}


def run(bundle, folder, seconds, **options):
    found = []
    result = soak(bundle, write_bag(folder / "bag"), seconds, on_sample=found.append, **options)
    assert found == result.samples and len(found) >= 20
    assert result.sent > 0.5 * 30 * seconds
    assert result.counts["received"] + result.overtaken == result.sent
    assert result.uncounted == result.unknown_stamps == 0
    assert result.counts["processed"] > 0 and result.counts["failed"] == 0
    assert min(result.lost_outputs.values()) >= 0
    return result


def test_a_few_seconds_of_it_are_accounted_for(tmp_path, bundle_path):
    result = run(bundle_path, tmp_path, 5.0, size=(96, 64), parameters={"output_size": "input"})
    assert result.cpu_ms > 0 and {"serve", "key", "latency"} <= set(result.stage_ms)
    assert result.disordered == 0 and result.keys > 0 and 0 < result.coverage <= 1
    assert min(result.answered.values()) > 0


@pytest.mark.slow
def test_in_a_minute_memory_does_not_grow_and_nothing_is_lost(tmp_path, bundle_path):
    result = run(bundle_path, tmp_path, 60.0)
    assert result.memory_growth <= 0.02, [s.resident_mib for s in result.samples]
