"""The paper's element-wise scheme over the frames of a clip: keyframes and the layer split."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from mtshare_ros.network.elementwise import ElementwiseSubTask, TappedTransformer
from mtshare_ros.network.elementwise_counts import (
    BlockTrace,
    Reference,
    Thresholds,
    Works,
    dense_pass,
    references_to_base,
    shared_pass,
)
from mtshare_ros.network.single_task import SingleTaskNetwork

BASE = "base"
"""Key of the base among the tasks of a stream."""


class ElementwiseStream:
    """Base and sub-tasks over the frames of a clip, one frame a step.

    On a keyframe the base is dense and sub-tasks are differences to it. On other frames the base
    is a difference to its previous frame; sub-tasks are differences to the base in layers 1..l and
    to their own previous frame in layers l+1..L.
    """

    def __init__(
        self,
        base: SingleTaskNetwork,
        subtasks: Mapping[str, ElementwiseSubTask],
        between_tasks: Thresholds,
        over_time: Thresholds,
        split: int,
        keyframe_every: int,
    ) -> None:
        """Start before the first frame, which is a keyframe.

        Args:
            base: The base network, in evaluation mode.
            subtasks: Frozen sub-tasks by task name, in evaluation mode.
            between_tasks: Thresholds of differences to the base.
            over_time: Thresholds of differences to the previous frame.
            split: The layer l, 0..L.
            keyframe_every: Frames from one keyframe to the next; 1 makes every frame one.

        Raises:
            ValueError: The thresholds or the split don't fit the base's depth.
        """
        depth = base.config.depth
        for name, each in (("between_tasks", between_tasks), ("over_time", over_time)):
            if len(each.blocks) != depth:
                raise ValueError(f"{name}: {len(each.blocks)} thresholds, expected {depth}")
        if not 0 <= split <= depth:
            raise ValueError(f"split {split}: expected 0 to {depth}")
        if keyframe_every < 1:
            raise ValueError(f"keyframe_every {keyframe_every}: expected 1 or more")
        self._base = base
        self._between_tasks, self._over_time = between_tasks, over_time
        self._split, self._keyframe_every = split, keyframe_every
        self._heads = {BASE: base.head}
        self._transformers = {BASE: TappedTransformer(base.transformer)}
        self._changed = {}
        for name, subtask in subtasks.items():
            self._heads[name] = subtask.head
            self._transformers[name] = TappedTransformer(subtask.merged(base).transformer)
            self._changed[name] = subtask.changed_weights(base.transformer)
        self._previous: dict[str, list[BlockTrace]] = {}
        self._frames = 0

    def _own_past(self, name: str) -> list[Reference]:
        return [Reference(block, self._over_time, {}) for block in self._previous[name]]

    @torch.no_grad()
    def step(self, image: Tensor) -> tuple[dict[str, Tensor], dict[str, Works]]:
        """Compute the next frame.

        Args:
            image: (1, 3, H, W), normalised.

        Returns:
            Raw map (1, C, H / 4, W / 4) and multiply-adds of each task, ``BASE`` first.
        """
        keyframe = self._frames % self._keyframe_every == 0
        self._frames += 1
        tokens, fine = self._base.stem(image)
        maps, works, traces = {}, {}, {}
        for name, transformer in self._transformers.items():
            if name == BASE and keyframe:
                features, traces[BASE], works[BASE] = dense_pass(transformer, tokens)
            else:
                references = self._references(name, keyframe, traces)
                features, traces[name], works[name] = shared_pass(transformer, tokens, references)
            maps[name] = self._heads[name](features, fine)
        self._previous = traces
        return maps, works

    def _references(
        self, name: str, keyframe: bool, traces: Mapping[str, list[BlockTrace]]
    ) -> list[Reference]:
        if name == BASE:
            return self._own_past(BASE)
        of_base = references_to_base(traces[BASE], self._changed[name], self._between_tasks)
        if keyframe:
            return of_base
        return of_base[: self._split] + self._own_past(name)[self._split :]
