"""Which rows a stream has computed: missed ones, rates of tasks, fixed sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mtshare_ros.perception.engines.interface import Engine, EngineOutput
from mtshare_ros.perception.engines.sizes import static_sizes
from mtshare_ros.perception.stream import PerceptionStream
from mtshare_ros.perception.stream_settings import StreamSettings
from mtshare_ros.perception.urgency import Staleness
from support.hand_made import WIDE, HandMadeEngine, manifest_of
from support.samples import coarse_image

TASKS = ["normals", "depth", "segmentation"]
FRAME = 33_333_333


def test_an_unwanted_task_is_not_computed_and_catches_up(engine: Engine) -> None:
    settings = StreamSettings(policy="change", change_threshold=6.0)  # few tokens at a time
    stream, steady = PerceptionStream(engine, settings), PerceptionStream(engine, settings)
    for frame in range(5):
        image = coarse_image().copy()
        image[16 * frame : 16 * frame + 16, :64] += 30
        wanted = TASKS if frame in (0, 4) else ["segmentation"]
        got = stream.step(image, frame * FRAME, wanted)
        expected = steady.step(image, frame * FRAME, TASKS)
        assert ("depth" not in got.maps) == ("depth" not in wanted)
        assert ("depth" in got.milliseconds) == ("depth" in wanted)
    # The base saw the same frames; the tokens that depth missed were pending for it.
    assert "depth" in got.maps and "depth" in expected.maps
    assert np.array_equal(got.maps["normals"], expected.maps["normals"])
    assert np.abs(got.maps["depth"] - expected.maps["depth"]).max() < 0.05


class _Noting:
    """Notes which tokens each task recomputes."""

    name = "noting"

    def __init__(self, engine: Engine) -> None:
        self._engine, self.manifest, self.sizes = engine, engine.manifest, engine.sizes
        self.tokens: list[dict[str, set[int]]] = []

    def new_state(self) -> Any:
        return self._engine.new_state()

    def run(self, state: Any, image: Any, base_index: Any, task_index: Any) -> EngineOutput:
        indices = {"base": base_index, **task_index}
        self.tokens.append({name: set(index.tolist()) for name, index in indices.items()})
        return self._engine.run(state, image, base_index, task_index)


def test_missed_tokens_are_caught_up_once(engine: Engine) -> None:
    noting = _Noting(engine)
    stream = PerceptionStream(noting, StreamSettings(max_age=10_000))
    image = coarse_image()
    stream.step(image, 0, TASKS)
    for frame, wanted in enumerate((["depth"], TASKS, TASKS), start=1):
        image = image.copy()
        image[32 * (frame - 1) : 32 * frame] += 20  # two of six rows of tokens, other ones each
        stream.step(image, frame * FRAME, wanted)
    missed, caught_up, steady = noting.tokens[1:]
    assert set(missed) == {"base", "depth"} and missed["depth"] == missed["base"]
    assert caught_up["depth"] == caught_up["base"] and not missed["base"] <= caught_up["base"]
    for task in ("normals", "segmentation"):
        assert caught_up[task] == missed["base"] | caught_up["base"]
    assert all(tokens == steady["base"] for tokens in steady.values())


def _sized(engine: Engine) -> _Noting:
    noting = _Noting(engine)
    noting.sizes = (3, 6, 12, 24, 48)
    return noting


def test_a_dirty_set_is_filled_up_to_a_size_with_the_oldest_clean_tokens(engine: Engine) -> None:
    noting = _sized(engine)
    policies = {"tokens": Staleness(spread=0.0, context=0.0)}
    stream = PerceptionStream(noting, StreamSettings(max_age=10_000), policies)
    image = coarse_image()
    stream.step(image, 0, TASKS)
    seen: list[set[int]] = []
    for frame in range(1, 9):
        image = image.copy()
        image[:16, :32] ^= 64  # the same two tokens each time
        dirty = set(np.flatnonzero(stream.step(image, frame * FRAME, TASKS).dirty).tolist())
        assert {0, 1} <= dirty and len(dirty) in noting.sizes
        assert all(tokens == dirty for tokens in noting.tokens[-1].values())
        seen.append(dirty - {0, 1})
    extra = [token for tokens in seen for token in tokens]
    assert len(extra) >= 8 and len(set(extra)) == len(extra)  # none again while others are older


@pytest.mark.parametrize(("fraction", "most"), [(0.3, 12), (0.25, 12), (0.2, 6), (0.01, 3)])
def test_filling_up_does_not_exceed_the_budget(engine: Engine, fraction: float, most: int) -> None:
    noting = _sized(engine)
    settings = StreamSettings(max_age=48, max_dirty_fraction=fraction)
    stream = PerceptionStream(noting, settings)
    stream.step(coarse_image(), 0, TASKS)
    for frame in range(1, 4):
        image = np.asarray(coarse_image() + 20 * (frame % 2), np.uint8)
        assert stream.step(image, frame * FRAME, TASKS).dirty.sum() <= most
        assert len(noting.tokens[-1]["base"]) in noting.sizes


def test_tasks_have_rates_of_their_own_and_take_turns(engine: Engine) -> None:
    settings = StreamSettings(task_every={"depth": 2, "segmentation": 2}, max_age=10_000)
    stream = PerceptionStream(engine, settings)
    every = PerceptionStream(engine, StreamSettings(max_age=10_000))
    computed = []
    image = coarse_image()
    for frame in range(6):
        image = image.copy()
        image[16 * frame : 16 * frame + 16] += 30
        got = stream.step(image, frame * FRAME, TASKS)
        full = every.step(image, frame * FRAME, TASKS)
        computed.append(("depth" in got.maps, "segmentation" in got.maps))
        assert "normals" in got.maps and "normals" in full.maps
        # What a task missed it makes up for in its turn; private heads then see newer keys.
        if "depth" in got.maps:
            assert np.abs(np.log(got.maps["depth"] / full.maps["depth"])).mean() < 1e-3
    assert computed == [(True, True), *[(True, False), (False, True)] * 2, (True, False)]


def test_rows_are_computed_once_whatever_the_rate(engine: Engine) -> None:
    """A task at half the rate computes each dirty token of two frames once."""
    rows: list[int] = []

    class Counting:
        name, manifest, sizes = engine.name, engine.manifest, engine.sizes

        def new_state(self) -> Any:
            return engine.new_state()

        def run(self, state: Any, image: Any, base: Any, tasks: Mapping[str, Any]) -> EngineOutput:
            rows.append(len(tasks.get("depth", ())))
            return engine.run(state, image, base, tasks)

    settings = StreamSettings(task_every={"depth": 2}, max_age=10_000, policy="change")
    stream = PerceptionStream(Counting(), settings)
    image, dirty = coarse_image(), []
    for frame in range(5):
        image = image.copy()
        image[:16] += 40  # the same 8 tokens in each frame
        image[80:, : 16 * (frame % 2)] += 40  # and another one in every second
        dirty.append(stream.step(image, frame * FRAME, ["depth"]).dirty)
    assert rows == [48, dirty[1].sum(), 0, (dirty[2] | dirty[3]).sum(), 0]
    assert rows[3] < dirty[2].sum() + dirty[3].sum()


@pytest.mark.parametrize("prefix", [1, 5])
def test_an_engine_s_sizes_hold_the_prefix_rows_as_well(prefix: int) -> None:
    spec = replace(WIDE, prefix=prefix)
    engine = HandMadeEngine(manifest_of(spec), static_sizes(spec))
    stream = PerceptionStream(engine, StreamSettings(max_age=10_000, max_dirty_fraction=0.6))
    rng = np.random.default_rng(0)
    image = np.full((64, 160, 3), 90, np.uint8)
    for frame in range(12):
        image = image.copy()
        row, column = rng.integers(4), rng.integers(10)
        image[16 * row :, 16 * column : 16 * (column + rng.integers(1, 6))] ^= 32
        dirty = stream.step(image, frame * FRAME, TASKS).dirty
        rows = engine.rows[-1]["base"]
        assert len(rows) in engine.sizes  # nothing is computed twice to fill up
        assert rows == [*range(prefix), *(prefix + np.flatnonzero(dirty))]
        assert dirty.sum() <= (20 if frame else 40)
    assert len({len(rows["base"]) for rows in engine.rows}) > 2


def test_missed_rows_are_the_image_s_behind_the_prefix() -> None:
    engine = HandMadeEngine(manifest_of(replace(WIDE, prefix=3)))
    stream = PerceptionStream(engine, StreamSettings(policy="change", max_age=10_000))
    image = np.full((64, 160, 3), 90, np.uint8)
    for frame, wanted in enumerate((TASKS, ["normals"], ["depth"])):
        image = image.copy()
        image[16:32, 16 * frame : 16 * frame + 16] += 60  # row 1, column ``frame``
        stream.step(image, frame * FRAME, wanted)
    assert engine.rows[1]["normals"][:3] == engine.rows[2]["depth"][:3] == [0, 1, 2]
    assert {3 + 11, 3 + 12} <= set(engine.rows[2]["depth"])
    assert 3 + 11 not in engine.rows[2]["base"] and 3 + 12 in engine.rows[2]["base"]


def test_after_a_reset_nothing_is_pending() -> None:
    engine = HandMadeEngine()
    stream = PerceptionStream(engine, StreamSettings(max_age=10_000))
    image = np.full((64, 160, 3), 90, np.uint8)
    stream.step(image, 0, TASKS)
    stream.step(image + np.uint8(20), FRAME, ["normals"])
    stream.reset()
    stream.step(image, 2 * FRAME, TASKS)
    stream.step(image, 3 * FRAME, TASKS)
    assert engine.rows[3]["depth"] == engine.rows[3]["base"] != engine.rows[2]["base"]
