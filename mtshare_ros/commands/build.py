"""The job behind `mtshare build`: engines for this GPU, with sizes and times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from mtshare_ros.bundle.folder import load_manifest
from mtshare_ros.perception.engines.build_progress import Progress
from mtshare_ros.perception.engines.choice import choose_backend

_STEPS = 1000
Table = tuple[str, Sequence[str], Sequence[Sequence[str]]]
"""Title, column names and rows."""


def on_progress(on_step: Callable[[int, int], None]) -> Callable[[Progress], bool]:
    """Return what an engine's opening calls, for a progress bar's (done, in all)."""

    def report(progress: Progress) -> bool:
        on_step(round(_STEPS * progress.fraction), _STEPS)
        return True

    return report


def build_engines(
    bundle: Path, precision: str, rebuild: bool, on_step: Callable[[int, int], None]
) -> Table:
    """Compile a bundle's engines, or find them, and hold each size to the self-test.

    Args:
        bundle: The bundle's folder.
        precision: ``fp16`` or ``fp32``.
        rebuild: Compile them though they are there.
        on_step: Called with the steps done and those in all.

    Returns:
        A table of sizes and times.

    Raises:
        BundleError: The bundle can't be used.
        EngineError: TensorRT is not here, or engines can't be compiled or fail the self-test.
    """
    manifest = load_manifest(bundle)
    choose_backend("tensorrt")
    from mtshare_ros.perception.engines.tensorrt.opening import open_tensorrt

    opened = open_tensorrt(bundle, manifest, precision, on_progress(on_step), rebuild=rebuild)
    rows = [
        (
            built.graph,
            f"{built.size / 1e6:.1f} MB",
            "found" if built.seconds is None else f"{built.seconds:.0f} s",
            str(built.path),
        )
        for built in opened.built
    ]
    rows.append(("all", f"{sum(b.size for b in opened.built) / 1e6:.1f} MB", "", ""))
    difference = f"{100 * opened.difference:.0f} % of what is tolerated"
    title = f"{manifest.name} in {opened.engine.precision}: self-test differs by {difference}"
    return title, ("graph", "engine", "compiled in", "file"), rows
