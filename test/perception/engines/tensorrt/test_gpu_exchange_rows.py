"""The kernel that commits rows: its source, what is shipped of it, and what stands in for it."""

from __future__ import annotations

import ctypes
import hashlib
import subprocess
from pathlib import Path

import numpy as np
import pytest

import mtshare_ros
from support.standins import pycuda_driver
from support.standins.device import reset
from support.standins.real_names import compiler

ENGINES = Path(mtshare_ros.__file__).parent / "perception" / "engines" / "tensorrt"
ON_THE_CPU = """
#define __global__
struct { unsigned x, y; } blockIdx, threadIdx, blockDim;
%s
void run(const unsigned long long *table, const long long *index, unsigned rows, unsigned caches)
{
    blockDim.x = 2;
    for (blockIdx.y = 0; blockIdx.y < caches; blockIdx.y++)
        for (blockIdx.x = 0; blockIdx.x < rows; blockIdx.x++)
            for (threadIdx.x = 0; threadIdx.x < blockDim.x; threadIdx.x++)
                exchange_rows(table, index);
}
"""


def test_what_is_shipped_was_made_from_the_source() -> None:
    digest = hashlib.sha256((ENGINES / "exchange_rows.cu").read_bytes()).hexdigest()
    shipped = (ENGINES / "exchange_rows.ptx").read_text()
    assert digest in shipped, "exchange_rows.ptx has to be made anew with NVRTC"
    assert ".target sm_75" in shipped  # what newer GPUs' drivers compile on


@pytest.fixture
def compiled(tmp_path: Path) -> ctypes.CDLL:
    """The kernel's source, compiled for the CPU, one thread after the other."""
    if compiler() is None:
        pytest.skip("no C compiler")
    source = (ENGINES / "exchange_rows.cu").read_text().replace('extern "C" ', "")
    (tmp_path / "kernel.c").write_text(ON_THE_CPU % source)
    command = [compiler(), "-shared", "-fPIC", "-o", tmp_path / "kernel.so", tmp_path / "kernel.c"]
    subprocess.run(command, check=True)
    return ctypes.CDLL(str(tmp_path / "kernel.so"))


def _tensors(widths: tuple[int, ...], index: list[int]) -> tuple[list, np.ndarray]:
    rng = np.random.default_rng(0)
    pairs = []
    for width in widths:
        computed = rng.integers(0, 1 << 31, (9, width), dtype=np.uint32)
        for row in range(1, len(index)):
            if index[row] == index[row - 1]:
                computed[row] = computed[row - 1]  # computed twice, to the same values
        pairs.append([computed, rng.integers(0, 1 << 31, (9, width), dtype=np.uint32)])
    return pairs, np.array(index, np.int64)


@pytest.mark.parametrize("index", [[0, 1, 2], [4], [0, 3, 8, 8, 8], list(range(9))])
def test_the_kernel_exchanges_rows_and_a_second_time_undoes_it(
    compiled: ctypes.CDLL, index: list[int]
) -> None:
    pairs, rows = _tensors((1, 3, 8), index)
    before = [[array.copy() for array in pair] for pair in pairs]
    table = np.array([[a.ctypes.data, b.ctypes.data, a.shape[1]] for a, b in pairs], np.uint64)
    arguments = (table.ctypes.data, rows.ctypes.data)
    pointers = [ctypes.c_void_p(a) for a in arguments] + [len(index), len(pairs)]
    compiled.run(*pointers)
    for (computed, cached), (old_computed, old_cached) in zip(pairs, before, strict=True):
        clean = np.setdiff1d(np.arange(9), rows)
        assert np.array_equal(cached[rows], old_computed[: len(index)])
        assert np.array_equal(cached[clean], old_cached[clean])
        assert np.array_equal(computed[len(index) :], old_computed[len(index) :])
    compiled.run(*pointers)
    for pair, old in zip(pairs, before, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(pair, old, strict=True))


@pytest.mark.parametrize("index", [[0, 1, 2], [0, 3, 8, 8, 8]])
def test_the_stand_in_does_what_the_kernel_does(compiled: ctypes.CDLL, index: list[int]) -> None:
    pairs, rows = _tensors((1, 3, 8), index)
    device = reset()

    def on_device(array: np.ndarray) -> int:
        address = device.allocate(array.nbytes)
        device.bytes_at(address, array.nbytes)[:] = array.reshape(-1).view(np.uint8)
        return address

    places = [[on_device(array) for array in pair] for pair in pairs]
    table = [[*place, pair[0].shape[1]] for place, pair in zip(places, pairs, strict=True)]
    entries = on_device(np.array(table, np.uint64))
    pycuda_driver.exchange_rows(entries, on_device(rows), len(index), len(pairs))
    host = np.array([[a.ctypes.data, b.ctypes.data, a.shape[1]] for a, b in pairs], np.uint64)
    compiled.run(
        ctypes.c_void_p(host.ctypes.data),
        ctypes.c_void_p(rows.ctypes.data),
        len(index),
        len(pairs),
    )
    for pair, place in zip(pairs, places, strict=True):
        for array, address in zip(pair, place, strict=True):
            assert device.bytes_at(address, array.nbytes).tobytes() == array.tobytes()
