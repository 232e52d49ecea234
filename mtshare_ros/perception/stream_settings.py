"""What may be changed about a stream between two frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class StreamSettings:
    """What may be changed between two frames.

    Attributes:
        max_dirty_fraction: Largest share of tokens to recompute in a frame, 0 to 1.
        deadline_ms: Time that a frame may take, from the image to the decoded arrays; 0 for any.
            As many tokens are recomputed as it has room for, learned while running; a frame
            without a cache and the age bound go before it.
        change_threshold: Urgency above which a token is dirty: its change in 8-bit levels, times
            the frames since it was computed (see ``perception.urgency``).
        max_age: Frames after which every token is recomputed.
        carry_frames: Frames in a row that are not computed: the outputs of the frame before them
            are carried along with the image's motion. 0 computes every frame.
        output_size: ``model`` (the bundle's input size) or ``input`` (the image's).
        max_depth: Metres; depth beyond becomes NaN.
        policy: What says how urgent a token is, one of ``perception.urgency.POLICIES``; or
            ``dense`` to recompute everything in every frame.
        task_every: Task -> computed frames from one computation of it to the next; 1 for those
            left out.
    """

    max_dirty_fraction: float = 1.0
    deadline_ms: float = 0.0
    change_threshold: float = 30.0
    max_age: int = 30
    carry_frames: int = 0
    output_size: str = "model"
    max_depth: float = 20.0
    policy: str = "tokens"
    task_every: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse values out of range."""
        if not 0.0 <= self.max_dirty_fraction <= 1.0:
            raise ValueError(f"max_dirty_fraction: {self.max_dirty_fraction}, expected 0 to 1")
        if not self.deadline_ms >= 0.0:
            raise ValueError(f"deadline_ms: {self.deadline_ms}, expected 0 or more")
        if not self.change_threshold >= 0.0:
            raise ValueError(f"change_threshold: {self.change_threshold}, expected 0 or more")
        if self.max_age < 1:
            raise ValueError(f"max_age: {self.max_age}, expected 1 or more")
        if self.carry_frames < 0:
            raise ValueError(f"carry_frames: {self.carry_frames}, expected 0 or more")
        if self.output_size not in ("model", "input"):
            raise ValueError(f"output_size: {self.output_size!r}, expected 'model' or 'input'")
        if not self.max_depth > 0.0:
            raise ValueError(f"max_depth: {self.max_depth}, expected more than 0")
        for task, frames in self.task_every.items():
            if frames < 1:
                raise ValueError(f"task_every: {task}: {frames}, expected 1 or more")

    @property
    def max_computed_age(self) -> int:
        """Computed frames within which every token is recomputed, so that ``max_age`` holds."""
        return max(1, self.max_age // (self.carry_frames + 1))
