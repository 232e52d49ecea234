"""The outputs of a recording, played along its time."""

import numpy as np
import pytest

from mtshare_ros.datasets.bags import topics
from mtshare_ros.datasets.bags.open_bag import BagError
from mtshare_ros.evaluation.streaming.recording import Recording, known_pixels, tasks_in
from mtshare_ros.tasks import TASKS, SemanticClass
from support.bag_files import STORE, image, put_mcap

TASK_LIST = [TASKS["depth"], TASKS["segmentation"]]
MS = 10**6
SHAPE = (2, 4)
DEPTH, MASK = "/node/depth/image", "/node/segmentation/mask"


def depth(metres, stamp, encoding="32FC1"):
    """Return a message of depth that is the same everywhere."""
    message = image(np.full(SHAPE, metres, np.float32), "32FC1", stamp * MS)
    if encoding == "16UC1":
        data = np.full(SHAPE, 1000 * metres, np.uint16).reshape(-1).view(np.uint8)
        message = image(np.zeros(SHAPE, np.uint8), encoding, stamp * MS, data=data, step=8)
    return DEPTH, topics.RAW_TYPE, message


def mask(label, stamp):
    """Return a message of labels that are the same everywhere."""
    return MASK, topics.RAW_TYPE, image(np.full(SHAPE, label, np.uint8), "mono8", stamp * MS)


def write(path, messages):
    """Write (when it came in ms, message)."""
    return put_mcap(path, [m for _, m in messages], times=[t * MS for t, _ in messages])


def test_what_came_by_a_time_is_there_each_task_for_itself(tmp_path):
    bag = write(
        tmp_path / "out.mcap",
        [
            (150, depth(1.0, 100)),
            (160, mask(3, 100)),
            (250, depth(2.0, 200, "16UC1")),
            (350, depth(0.0, 300, "16UC1")),
            (360, mask(4, 300)),
            (370, depth(5.0, 300)),
        ],
    )
    recording = Recording(bag, TASK_LIST)
    numbers = {(100 * MS, 0): 0, (200 * MS, 0): 1, (300 * MS, 0): 2, (300 * MS, 1): 3}

    def until(ms):
        found = list(recording.until(ms * MS, numbers, 100 * MS))
        return [(a.number, round(1e3 * a.time), sorted(a.maps)) for a in found]

    def newest():
        answer = recording.newest(numbers, 100 * MS)
        assert answer is not None
        return answer.number, answer.maps["depth"][0, 0], answer.maps["segmentation"][0, 0]

    both = ["depth", "segmentation"]
    assert until(155) == [] and recording.newest(numbers, 0) is None
    assert until(160) == [(0, 60, both)] and newest() == (0, 1.0, 3)
    # The depth of the next frame is there, its mask is not, and never comes.
    assert until(300) == [] and newest() == (0, 2.0, 3)
    assert until(365) == [(1, 150, ["depth"]), (2, 260, both)]
    number, metres, label = newest()
    assert (number, label) == (2, 4) and np.isnan(metres)
    # A second one with the stamp is a frame of its own.
    assert until(400) == [] and newest() == (2, 5.0, 4)
    rest = list(recording.rest(numbers, 100 * MS))
    assert [(a.number, sorted(a.maps)) for a in rest] == [(3, ["depth"])]
    assert recording.outputs == recording.late == 6 and recording.pending == "no more"
    assert recording.coverage == pytest.approx(3 / 4)


def test_an_output_of_no_frame_is_as_old_as_its_stamp_says(tmp_path):
    bag = write(tmp_path / "out.mcap", [(150, depth(1.0, 120))])
    recording = Recording(bag, TASK_LIST[:1])
    (answer,) = recording.until(200 * MS, {}, 100 * MS)
    assert answer.number == -1
    assert (answer.time, answer.age) == (pytest.approx(0.05), pytest.approx(0.03))


def test_the_tasks_are_those_with_maps_and_the_classes_what_the_node_says(tmp_path):
    says = '{"classes": [{"id": 0, "name": "mat", "color": [1, 2, 3]}]}'
    text = STORE.types["std_msgs/msg/String"](says)
    labels = ("/node/segmentation/label_info_json", "std_msgs/msg/String", text)
    bag = write(tmp_path / "out.mcap", [(1, labels), (2, mask(0, 1)), (3, depth(1.0, 1))])
    found = {task.name: task for task in tasks_in(bag)}
    assert set(found) == {"depth", "segmentation"} and found["depth"] == TASKS["depth"]
    assert found["segmentation"].classes == (SemanticClass("mat", (1, 2, 3)),)
    assert tasks_in(bag, [TASKS["normals"], TASKS["depth"]]) == [TASKS["depth"]]
    with pytest.raises(BagError, match=r"no message on \.\.\./normals/image"):
        Recording(bag, [TASKS["normals"]])


def test_a_pixel_is_known_where_every_map_has_a_value():
    maps = {
        "depth": np.array([[1.0, np.nan]], np.float32),
        "segmentation": np.array([[255, 0], [0, 0]], np.uint8),
        "normals": np.ones((1, 2, 3), np.float32),
        "boundary": np.zeros((1, 2), np.uint8),
    }
    maps["segmentation"] = maps["segmentation"][1:]
    tasks = [TASKS[name] for name in maps]
    assert known_pixels(maps, tasks).tolist() == [[True, False]]
    maps["normals"][0, 0, 1] = np.nan
    assert not known_pixels(maps, tasks).any()
    assert known_pixels({"boundary": maps["boundary"]}, [TASKS["boundary"]]).all()
