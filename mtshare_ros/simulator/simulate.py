"""Renders a clip of a simulated room into a bag: the job behind `mtshare simulate`."""

from __future__ import annotations

from pathlib import Path

from mtshare_ros.datasets.seeds import TEXTURES
from mtshare_ros.errors import OptionError
from mtshare_ros.progress import OnCount, silent
from mtshare_ros.simulator.clip_bag import ClipWriter
from mtshare_ros.simulator.clips import render_clip
from mtshare_ros.simulator.gl import require_gl
from mtshare_ros.simulator.movement.trajectories import KINDS

SIDES = (16, 4096)
"""Shortest and longest side of an image that is rendered, pixels."""


def write_clip(
    output: Path,
    kind: str,
    seed: int,
    frames: int,
    size: tuple[int, int],
    on_frame: OnCount = silent,
    *,
    textures: str = "auto",
    compressed: bool = False,
    exposure_changes: bool = False,
    cuts: int = 0,
) -> None:
    """Render a clip with its ground truth into a new bag; the same arguments give the same clip.

    Args:
        output: Bag to write: a single file where it ends in ``.mcap``, else a folder.
        kind: How the camera moves: ``static``, ``pan``, ``drive`` or ``handheld``.
        seed: Decides everything else; see ``datasets.seeds`` for the ranges.
        frames: Number of frames, 30 a second.
        size: Width and height in pixels.
        on_frame: Called after each frame.
        textures: ``auto``, ``A``, ``B`` or ``mix``; see ``datasets.seeds``.
        compressed: Store JPEG and PNG instead of raw images.
        exposure_changes: Whether the exposure is corrected every now and then.
        cuts: How often the clip cuts to another room, at equal distances.

    Raises:
        OptionError: An argument can't be used.
        FileExistsError: The output exists.
        GLUnavailableError: Nothing can render.
    """
    _check(kind, seed, frames, size, textures, cuts)
    at = [frames * (cut + 1) // (cuts + 1) for cut in range(cuts)]
    writer = ClipWriter(output, compressed)
    require_gl()
    with writer:
        clip = render_clip(
            kind,
            seed,
            frames,
            size,
            textures=textures,
            exposure_changes=exposure_changes,
            cuts=at,
        )
        for done, frame in enumerate(clip, start=1):
            writer.write(frame)
            on_frame(done, frames)


def check_size(size: tuple[int, int]) -> None:
    """Refuse a size (width, height) in pixels that can't be rendered.

    Raises:
        OptionError: A side is too short or too long.
    """
    shortest, longest = SIDES
    if not all(shortest <= side <= longest for side in size):
        raise OptionError(
            f"size {size[0]}x{size[1]}: expected {shortest} to {longest} pixels each way"
        )


def _check(
    kind: str, seed: int, frames: int, size: tuple[int, int], textures: str, cuts: int
) -> None:
    if kind not in KINDS:
        raise OptionError(f"kind {kind!r}: expected one of {', '.join(KINDS)}")
    if seed < 0:
        raise OptionError(f"seed {seed}: expected a number that is not negative")
    if frames < 1:
        raise OptionError(f"frames {frames}: expected at least 1")
    check_size(size)
    if textures not in ("auto", *TEXTURES):
        raise OptionError(f"textures {textures!r}: expected auto, {', '.join(TEXTURES)}")
    if not 0 <= cuts < frames:
        raise OptionError(f"cuts {cuts}: expected 0 to {frames - 1}, fewer than the frames")
