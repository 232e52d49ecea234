"""The job behind `mtshare study reuse`."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtshare_ros.bench.measurement import pinned
from mtshare_ros.bench.rivals import Rivals
from mtshare_ros.bundle.manifest import Manifest
from mtshare_ros.evaluation.policies import warm_up
from mtshare_ros.machine.board import machine
from mtshare_ros.network.config import NetworkConfig
from mtshare_ros.perception.engines import open_engine
from mtshare_ros.perception.frame import Image
from mtshare_ros.perception.stream_settings import StreamSettings
from mtshare_ros.progress import OnStep, silent
from mtshare_ros.study.reuse.played_clips import Clip, Track, Way, play
from mtshare_ros.study.reuse.reuse_plots import error_over_time, frames, strips
from mtshare_ros.study.reuse.reuse_summary import CARRY, SAME_TIME, by_kind, summary

SHOWN = 6
"""Frames of each clip in the strip of dirty tokens."""


@dataclass(frozen=True)
class Options:
    """What is compared.

    Attributes:
        periods: Each K of ``hold:K`` and ``warp:K``.
        carried: Each K of ``carry:K``.
        policies: What says how urgent a token is, of ``policies.VARIANTS``.
        budgets: Each ``max_dirty_fraction`` of these policies.
        change_threshold: Of these policies; 0 uses every budget up.
        threads: CPU threads.
    """

    periods: Sequence[int] = (2, 4, 8)
    carried: Sequence[int] = (2, 3, 4, 6, 8)
    policies: Sequence[str] = ("tokens",)
    budgets: Sequence[float] = (1.0, 0.5, 0.35, 0.25, 0.18, 0.12, 0.08, 0.05)
    change_threshold: float = StreamSettings.change_threshold
    threads: int = 2

    def ways(self) -> list[Way]:
        """Return every way beside the dense network."""
        ways = []
        for policy in self.policies:
            for budget in self.budgets:
                settings = StreamSettings(budget, change_threshold=self.change_threshold)
                ways.append(Way(f"{policy}:{budget:g}", policy, settings))
        kinds = {"hold": self.periods, "warp": self.periods, CARRY: self.carried}
        for kind, periods in kinds.items():
            for name in (f"{kind}:{period}" for period in periods):
                ways.append(Way(name, name, StreamSettings()))
        return ways


def compare_reuse(
    bundle: Path,
    bags: Sequence[Path],
    output: Path,
    options: Options,
    on_frame: OnStep = silent,
) -> tuple[dict[str, Any], list[Path]]:
    """Play clips through every way; return the content of ``reuse.json`` and the plots.

    Args:
        bundle: The bundle's folder.
        bags: The clips.
        output: Folder of the plots.
        options: What is compared.
        on_frame: Called after each frame of a clip, with the clip's name.

    Raises:
        ValueError: The bundle or a bag can't be used; the message says why.
    """
    with pinned(options.threads), tempfile.TemporaryDirectory() as folder:
        engine = open_engine(bundle, "onnxruntime", options.threads)
        warm_up(engine)
        networks = _separate(engine.manifest, Path(folder), options.threads)
        ways = options.ways()
        clips = [play(engine, bag, ways, networks, SHOWN, on_frame=on_frame) for bag in bags]
    summaries = [summary(clip, engine.manifest.tasks) for clip in clips]
    numbers = {
        "bundle": str(bundle),
        "machine": machine(),
        "threads": options.threads,
        "kinds": by_kind(summaries, options.periods),
        "clips": summaries,
        "warnings": [warning for clip in clips for warning in clip.warnings],
    }
    return numbers, _draw(clips, numbers, engine.manifest, output)


def _separate(manifest: Manifest, folder: Path, threads: int) -> Callable[[Image], float]:
    """Return what times separate dense networks of the bundle's size, of random weights."""
    config = NetworkConfig.from_dict(manifest.network)
    networks = Rivals(config, manifest.tasks, folder, threads).separate(manifest.tasks)

    def milliseconds(image: Image) -> float:
        start = time.perf_counter()
        networks.step(image, manifest.input)
        return (time.perf_counter() - start) * 1e3

    return milliseconds


def _draw(
    clips: Sequence[Clip], numbers: dict[str, Any], manifest: Manifest, output: Path
) -> list[Path]:
    files = [output / "error_over_time.png"]
    error_over_time(numbers["kinds"], manifest.tasks, files[0])
    shown: list[tuple[Clip, Track]] = []
    for kind in numbers["kinds"]:
        # The first clip of a kind stands for it.
        number = next(n for n, clip in enumerate(clips) if clip.name == kind["clips"][0])
        # The longest period whose time the tokens reach, or the shortest.
        entries = [e for e in kind["equal_time"] if not e["ours"].startswith(CARRY)]
        entry = ([e for e in entries if e["time"] <= SAME_TIME] or entries[:1])[-1]
        period = entry["period"]
        carried = next(
            e["ours"]
            for e in kind["equal_time"]
            if e["ours"].startswith(CARRY) and e["period"] == period
        )
        files.append(output / f"frames_{kind['name']}.png")
        names = (entry["ours"], f"hold:{period}", carried)
        frames(numbers["clips"][number], manifest.tasks, names, files[-1])
        shown.append((clips[number], clips[number].tracks[1]))  # of the first budget
    files.append(output / "dirty_tokens.png")
    strips(shown, files[-1])
    return files
