"""``mtshare bench``: every case at every width, size and number of tasks that is asked for."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtshare_ros.bench.measurement import pinned
from mtshare_ros.bench.result import describe, new_result, write_result
from mtshare_ros.bench.ways import measure_ways, periods, ways_of
from mtshare_ros.bundle.folder import load_manifest
from mtshare_ros.bundle.manifest import LayerShare
from mtshare_ros.errors import OptionError
from mtshare_ros.export.random_bundle import random_bundle
from mtshare_ros.machine.board import machine
from mtshare_ros.network.config import NetworkConfig
from mtshare_ros.progress import OnCount, silent
from mtshare_ros.tasks import TASKS

TABLE_FRACTIONS = (1.0, 0.5, 0.25, 0.125, 0.05)
"""Shares of dirty tokens that are measured."""


@dataclass(frozen=True)
class Matrix:
    """What is measured: every combination.

    Attributes:
        bundle: A bundle, whose width and size hold; None for random weights, a sixth of the heads
            and of the neurons private in each block (rho = 1/6).
        widths: Channels of a token.
        sizes: Width and height of the input in pixels.
        tasks: Numbers of tasks; empty: three, or as many as the bundle has.
        fractions: Shares of dirty tokens, above 0 and at most 1.
        depth: Blocks of the random network.
        threads: Threads of a computation; the process is pinned to as many cores.
        rounds: Measured frames of each case.
        command: The command line that asked for it, for the record.
    """

    bundle: Path | None = None
    widths: Sequence[int] = (384,)
    sizes: Sequence[tuple[int, int]] = ((320, 240),)
    tasks: Sequence[int] = ()
    fractions: Sequence[float] = TABLE_FRACTIONS
    depth: int = 12
    threads: int = 2
    rounds: int = 60
    command: str = ""

    def networks(self) -> list[NetworkConfig]:
        """Return the random networks, the smallest first.

        Raises:
            OptionError: A width or size can't be used.
        """
        try:
            networks = [
                NetworkConfig(width, self.depth, 6, 4 * width, size=size)
                for size in self.sizes
                for width in self.widths
            ]
        except ValueError as error:
            raise OptionError(str(error)) from error
        return sorted(networks, key=lambda config: config.tokens * config.width**2)

    def counts(self, available: int) -> list[int]:
        """Return the numbers of tasks of a network that has ``available``.

        Raises:
            OptionError: One is out of range.
        """
        for count in self.tasks:
            if not 1 <= count <= available:
                raise OptionError(f"--tasks {count}: expected 1 to {available}")
        return sorted(set(self.tasks)) or [available if self.bundle else 3]

    def check(self) -> None:
        """Refuse what can't be measured, before anything is.

        Raises:
            OptionError: An option can't be used.
            BundleError: The bundle can't be used.
        """
        for fraction in self.fractions:
            if not 0 < fraction <= 1:
                raise OptionError(f"--fraction {fraction}: expected above 0, at most 1")
        longest = max(periods(self.fractions), default=1)
        if self.rounds < longest:
            raise OptionError(
                f"--rounds {self.rounds}: expected at least {longest}, so that what is computed"
                f" once in {longest} frames is there"
            )
        if self.bundle is None:
            self.networks()
            self.counts(len(TASKS))
        else:
            self.counts(len(load_manifest(self.bundle).tasks))


def run_bench(matrix: Matrix, output: Path, on_round: OnCount = silent) -> dict[str, Any]:
    """Measure and write the result to ``output``, anew after each setting.

    Args:
        matrix: What to measure.
        output: JSON file.
        on_round: Called after each round with thousandths of the work done, and 1000.

    Returns:
        What was written; see ``result.py``.

    Raises:
        OptionError: An option can't be used.
        BundleError: The bundle can't be used.
    """
    matrix.check()
    result = new_result(matrix.command, machine(), matrix.threads, matrix.rounds)
    networks: Sequence[NetworkConfig | None] = [None] if matrix.bundle else matrix.networks()
    weights = [_weight(config) for config in networks]
    for number, config in enumerate(networks):
        report = _part(on_round, sum(weights[:number]), weights[number], sum(weights))
        report(0, 1)
        setting, rows = _measure(matrix, config, report)
        result["settings"].append(setting)
        result["cases"] += [{"setting": number, **row} for row in rows]
        write_result(output, result)
    return result


def _measure(
    matrix: Matrix, config: NetworkConfig | None, on_round: OnCount
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Measure the bundle, or one random network; return its description and its rows."""
    with tempfile.TemporaryDirectory() as scratch, pinned(matrix.threads):
        if config is None:
            assert matrix.bundle is not None
            folder = matrix.bundle
        else:
            folder = Path(scratch) / "random"
            names = list(TASKS)[: max(matrix.counts(len(TASKS)))]
            random_bundle(folder, config, LayerShare(1, config.hidden // 6), names)
        manifest = load_manifest(folder)
        counts = matrix.counts(len(manifest.tasks))
        ways = ways_of(folder, manifest, counts, matrix.fractions, Path(scratch), matrix.threads)
        rows = measure_ways(ways, matrix.rounds, on_round)
    name = manifest.name if matrix.bundle else None
    return describe(manifest, name, "onnxruntime", "fp32"), rows


def _part(on_round: OnCount, start: float, own: float, total: float) -> OnCount:
    """Return what turns the rounds of one network into thousandths of the whole work."""

    def report(done: int, rounds: int) -> None:
        on_round(round(1000 * (start + own * done / rounds) / total), 1000)

    return report


def _weight(config: NetworkConfig | None) -> float:
    """Return about how long a network takes: the multiply-adds of a block."""
    if config is None:
        return 1.0
    return config.tokens * config.width * (12 * config.width + 2 * config.tokens)
