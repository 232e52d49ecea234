"""Other processes that compute on the same cores."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np


def work(stop: float) -> None:
    """Keep a core busy for at most so many seconds."""
    matrix = np.random.default_rng(0).normal(size=(96, 96))
    end = time.monotonic() + stop
    while time.monotonic() < end:
        matrix = np.tanh(matrix @ matrix.T)


@contextmanager
def others(count: int) -> Iterator[None]:
    """Let other processes compute meanwhile."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=work, args=(120.0,), daemon=True) for _ in range(count)]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.terminate()
            process.join()
