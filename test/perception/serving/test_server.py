"""Every frame of a camera, answered from the newest key."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mtshare_ros.perception.serving.server import Server, ServeSettings
from mtshare_ros.tasks import TASKS
from support.panning import EDGE, FRAME_NS, SIZE, SPEC, image, labels, predictions, view

THREE = [TASKS[name] for name in ("normals", "depth", "segmentation")]
FILLED = ServeSettings(fill=True, fuse=1.0)
INSIDE = (slice(8, -8), slice(12, -24))


def serving(settings: ServeSettings = FILLED) -> Server:
    """Return a server whose key is the first frame, not moved."""
    server = Server(THREE, SPEC, settings)
    server.look(view(0, 0))
    ticket = server.begin()
    assert ticket is not None and server.finish(ticket, predictions(0, 0))
    return server


def edge(found: np.ndarray) -> float:
    """Return the column in which class 2 begins, in the mean of the rows."""
    return float(np.argmax(found[8:-8] == 2, axis=1).mean())


def test_without_a_key_nothing_is_served() -> None:
    server = Server(THREE, SPEC)
    assert server.serve() is None and server.begin() is None and server.pending is None
    assert server.look(view(0, 0)) is None
    assert server.serve() is None
    ticket = server.begin()
    assert ticket is not None and ticket.view.stamp == 0 and server.pending is ticket
    assert server.look(view(0, 1)) is None and server.serve() is None
    assert server.begin() is None  # The network works on one frame at a time.


def test_the_frame_of_a_key_is_served_what_the_network_gave() -> None:
    server = Server(THREE, SPEC, FILLED)
    server.look(view(0, 0))
    ticket = server.begin()
    assert ticket is not None
    given = predictions(0, 0)
    assert server.finish(ticket, given) and server.pending is None
    found = server.serve()
    assert found is not None and found.coverage == 1.0 and found.age_ns == 0
    assert found.predictions.carried == 0 and found.predictions.dirty.all()
    for name, array in given.maps.items():
        assert np.array_equal(found.predictions.maps[name], array)
    assert list(found.predictions.maps) == ["normals", "depth", "segmentation"]
    assert found.known().all()


def test_a_later_frame_is_served_the_key_as_it_sees_it() -> None:
    server = serving()
    for frame, shift in enumerate((4, 8, 12), 1):
        assert server.look(view(shift, frame)) is None
        found = server.serve()
        assert found is not None and found.predictions.stamp == frame * FRAME_NS
        assert edge(found.predictions.maps["segmentation"]) == pytest.approx(EDGE - shift, abs=1)
        assert found.predictions.maps["depth"][INSIDE] == pytest.approx(2.0, abs=0.05)
        assert found.predictions.carried == 1 and found.predictions.dirty.all()
        assert found.age_ns == frame * FRAME_NS
        assert set(found.key_stamps.values()) == {0}
        assert found.coverage == pytest.approx(1 - shift / SIZE[0], abs=0.05)


def test_what_can_not_be_known_is_invalid_or_filled() -> None:
    for fill in (False, True):
        server = serving(ServeSettings(fill=fill, fuse=1.0))
        for frame in (1, 2, 3):
            server.look(view(8 * frame, frame))
        found = server.serve()
        assert found is not None
        maps, known = found.predictions.maps, found.known()
        assert known[:, :96].all() and not known[:, 108:].any()
        sureness = found.predictions.confidence["segmentation"]
        if fill:
            assert np.isfinite(maps["depth"]).all() and np.isfinite(maps["normals"]).all()
            assert set(np.unique(maps["segmentation"])) == {1, 2}
        else:
            assert np.isnan(maps["depth"][~known]).all() and (sureness[~known] == 0).all()
            assert np.isnan(maps["normals"][~known]).all()
            assert (maps["segmentation"][~known] == 255).all()
        assert np.isfinite(maps["depth"][known]).all() and (sureness[known] == 200).all()
        assert set(np.unique(maps["segmentation"][known])) <= {1, 2}


def test_what_changed_in_place_is_not_known() -> None:
    """Something dark comes before the wall, on a quarter of the image, and nothing moves."""
    server = serving(ServeSettings(fuse=1.0))
    changed = image(0)
    changed[:48, :64] = changed[:48, :64] // 4
    server.look(replace(view(0, 1), **_seen(changed)))
    found = server.serve()
    assert found is not None
    assert not found.known()[8:40, 8:56].any() and found.known()[56:, 72:].all()
    assert found.coverage == pytest.approx(0.75, abs=0.05)


def _seen(changed: np.ndarray) -> dict[str, np.ndarray]:
    from mtshare_ros.perception.view import view_of

    looked = view_of(changed, 0, SPEC)
    return {"small": looked.small, "cells": looked.cells}


def test_while_the_network_works_the_older_key_goes_on_by_two_flows_in_one() -> None:
    server = serving()
    server.look(view(8, 1))
    ticket = server.begin()
    assert ticket is not None and ticket.view.stamp == FRAME_NS
    for frame, shift in ((2, 12), (3, 16), (4, 20)):
        server.look(view(shift, frame))
        found = server.serve()
        assert found is not None and found.age_ns == frame * FRAME_NS
        assert edge(found.predictions.maps["segmentation"]) == pytest.approx(EDGE - shift, abs=1)
    assert server.finish(ticket, predictions(8, 1, metres=3.0))
    found = server.serve()  # The newest frame once more, from the new key.
    assert found is not None and found.age_ns == 3 * FRAME_NS
    assert edge(found.predictions.maps["segmentation"]) == pytest.approx(EDGE - 20, abs=1)
    assert found.predictions.maps["depth"][INSIDE] == pytest.approx(3.0, abs=0.08)


def test_a_key_that_failed_leaves_the_older_one() -> None:
    server = serving()
    server.look(view(8, 1))
    ticket = server.begin()
    assert ticket is not None
    server.look(view(12, 2))
    assert not server.finish(ticket, None) and server.pending is None
    server.look(view(16, 3))
    found = server.serve()
    assert found is not None and set(found.key_stamps.values()) == {0}
    assert edge(found.predictions.maps["segmentation"]) == pytest.approx(EDGE - 16, abs=1)
    again = server.begin()
    assert again is not None and again.view.stamp == 3 * FRAME_NS


@pytest.mark.parametrize(
    ("next_view", "reason"),
    [
        (replace(view(0, 1), stamp=-1), "clock"),
        (view(180, 1), "cut"),
        (replace(view(0, 1), size=(256, 192)), "size"),
        (view(0, 1, focal_length=0.9), "camera_info"),
    ],
)
def test_a_break_drops_the_keys_and_what_is_in_work(next_view, reason: str) -> None:
    server = serving()
    ticket = server.begin()
    assert ticket is not None
    assert server.look(next_view) == reason
    assert server.serve() is None
    assert not server.finish(ticket, predictions(0, 0)) and server.serve() is None
    new = server.begin()
    assert new is not None and new.view is next_view
    assert server.finish(new, replace(predictions(0, 1), stamp=next_view.stamp))
    assert server.serve() is not None


def test_keys_that_are_dropped_stay_dropped_whenever_their_result_comes() -> None:
    server = serving()
    server.look(view(0, 1))
    late = server.begin()
    assert late is not None
    server.drop()
    assert server.serve() is None and server.begin() is None
    server.look(view(0, 2))
    # The network is still at the frame from before.
    assert server.begin() is None
    assert not server.finish(late, predictions(0, 1))
    assert server.serve() is None and server.begin() is not None


def test_a_task_is_served_from_its_own_newest_key() -> None:
    server = serving()
    server.look(view(4, 1))
    ticket = server.begin()
    assert ticket is not None
    assert server.finish(ticket, predictions(4, 1, "segmentation"))
    server.look(view(8, 2))
    found = server.serve()
    assert found is not None
    stamps = {"normals": 0, "depth": 0, "segmentation": FRAME_NS}
    assert found.key_stamps == stamps and found.age_ns == 2 * FRAME_NS
    assert list(found.predictions.maps) == ["normals", "depth", "segmentation"]
    assert edge(found.predictions.maps["segmentation"]) == pytest.approx(EDGE - 8, abs=1)
    assert found.predictions.maps["depth"][INSIDE] == pytest.approx(2.0, abs=0.05)
    again = server.begin()
    assert again is not None and server.finish(again, predictions(8, 2, "normals", "depth"))
    found = server.serve()
    assert found is not None
    assert found.key_stamps == {"normals": 2 * FRAME_NS, "depth": 2 * FRAME_NS} | {
        "segmentation": FRAME_NS
    }
    assert len(found.sights) == 2


def test_only_what_is_asked_for_is_served() -> None:
    server = serving()
    server.look(view(4, 1))
    found = server.serve({"depth"})
    assert found is not None and list(found.predictions.maps) == ["depth"]
    assert not found.predictions.confidence and found.key_stamps == {"depth": 0}
    assert server.serve({"boundary"}) is None
    found = server.serve({"segmentation", "boundary"})
    assert found is not None and list(found.predictions.maps) == ["segmentation"]


def test_a_key_that_is_too_old_says_nothing() -> None:
    server = serving(ServeSettings(fill=True, fuse=1.0, max_key_age_ns=3 * FRAME_NS))
    served = []
    for frame in range(1, 6):
        server.look(view(0, frame))
        served.append(server.serve() is not None)
    assert served == [True, True, True, False, False]
    ticket = server.begin()
    assert ticket is not None and server.finish(ticket, predictions(0, 5, "depth"))
    found = server.serve()
    assert found is not None and list(found.predictions.maps) == ["depth"]


def test_two_images_of_one_stamp_are_both_served() -> None:
    server = serving()
    server.look(view(4, 1))
    server.look(view(8, 1))
    found = server.serve()
    assert found is not None and found.age_ns == FRAME_NS
    assert edge(found.predictions.maps["segmentation"]) == pytest.approx(EDGE - 8, abs=1)


def test_settings_hold_from_the_next_frame_on() -> None:
    server = serving()
    server.look(view(16, 1))
    server.settings = ServeSettings(fill=False, fuse=1.0, max_depth=1.9)
    found = server.serve()
    assert found is not None and np.isnan(found.predictions.maps["depth"]).all()
    server.settings = ServeSettings(fill=True, fuse=1.0)
    found = server.serve()
    assert found is not None and np.isfinite(found.predictions.maps["depth"]).all()


def test_what_is_served_is_no_view_of_a_key() -> None:
    """Who writes to what was served must not change what is served next."""
    server = serving()
    server.look(view(4, 1))
    first = server.serve()
    assert first is not None
    for array in first.predictions.maps.values():
        array[:] = 7
    again = server.serve()
    assert again is not None
    assert edge(again.predictions.maps["segmentation"]) == pytest.approx(EDGE - 4, abs=1)


def raw_maps(metres: float, towards: int, likely: float) -> dict[str, np.ndarray]:
    """Return raw maps of a wall: log depth, a direction of length 2, two class scores."""
    shape = (SIZE[1] // 4, SIZE[0] // 4)
    normals = np.zeros((3, *shape), np.float32)
    normals[towards] = -2.0
    scores = np.zeros((2, *shape), np.float32)
    scores[0] = np.log(likely / (1 - likely))
    return {
        "normals": normals,
        "depth": np.full((1, *shape), np.log(metres), np.float32),
        "segmentation": scores,
    }


def test_a_new_key_is_mixed_with_the_one_before_where_they_agree() -> None:
    server = Server(THREE, SPEC, ServeSettings(fill=True, fuse=0.25))
    server.look(view(0, 0))
    first = server.begin()
    assert first is not None
    raw = server.refine(first, raw_maps(2.0, 2, 0.9))
    assert np.linalg.norm(raw["normals"], axis=0) == pytest.approx(1.0)
    assert server.finish(first, predictions(0, 0), raw)
    server.look(view(0, 1))
    second = server.begin()
    assert second is not None
    mixed = server.refine(second, raw_maps(2.2, 0, 0.5))
    middle = (slice(None), slice(4, -4), slice(4, -4))
    # A quarter of the new and three quarters of the old: in log depth, direction, probability.
    depth = np.exp(0.25 * np.log(2.2) + 0.75 * np.log(2.0))
    assert np.exp(mixed["depth"][middle]) == pytest.approx(depth, abs=0.02)
    direction = mixed["normals"][middle].reshape(3, -1).mean(axis=1)
    assert direction == pytest.approx([-0.25, 0, -0.75], abs=0.02)
    likely = np.exp(mixed["segmentation"])
    assert likely[0][middle[1:]] == pytest.approx(0.25 * 0.5 + 0.75 * 0.9, abs=0.01)
    assert likely.sum(axis=0) == pytest.approx(1.0, abs=1e-3)


def test_depths_of_two_surfaces_are_not_mixed_and_nothing_is_where_keys_are_not_fused() -> None:
    for fuse, metres, expected in ((0.5, 4.0, 4.0), (1.0, 2.1, 2.1)):
        server = Server(THREE, SPEC, ServeSettings(fill=True, fuse=fuse))
        server.look(view(0, 0))
        first = server.begin()
        assert first is not None
        server.finish(first, predictions(0, 0), server.refine(first, raw_maps(2.0, 2, 0.9)))
        server.look(view(0, 1))
        second = server.begin()
        assert second is not None
        mixed = server.refine(second, raw_maps(metres, 2, 0.9))
        assert np.exp(mixed["depth"]) == pytest.approx(expected, abs=0.01)


def test_what_has_no_older_key_is_as_the_network_gave_it() -> None:
    server = Server(THREE, SPEC, ServeSettings(fill=True, fuse=0.25))
    server.look(view(0, 0))
    first = server.begin()
    assert first is not None
    raw = {"depth": raw_maps(2.0, 2, 0.9)["depth"]}
    server.finish(first, predictions(0, 0, "depth"), server.refine(first, raw))
    server.look(view(0, 1))
    second = server.begin()
    assert second is not None
    mixed = server.refine(second, raw_maps(2.0, 0, 0.6))
    assert np.exp(mixed["segmentation"][0]) == pytest.approx(0.6, abs=1e-4)
    assert mixed["normals"][0] == pytest.approx(-1.0)


def test_labels_say_where_the_wall_is() -> None:
    assert edge(labels(10)) == EDGE - 10
