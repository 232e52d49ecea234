"""Fixed numbers of rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtshare_ros.bundle.manifest import InputSpec
from mtshare_ros.perception.engines.sizes import check_index, fill_rows, next_size, static_sizes


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 9))
def test_the_largest_size_is_every_row_and_each_count_has_one(columns, rows, prefix):
    spec = InputSpec(16 * columns, 16 * rows, (0.0, 0.0, 0.0), 1.0, 16, 4, 0.8, prefix)
    sizes = static_sizes(spec)
    assert list(sizes) == sorted(set(sizes)) and sizes[-1] == columns * rows + prefix
    for count in range(1, sizes[-1] + 1):
        size = next_size(count, sizes)
        assert count <= size and all(other < count or other >= size for other in sizes)
    with pytest.raises(ValueError, match="expected at most"):
        next_size(sizes[-1] + 1, sizes)


def test_filling_up_repeats_the_last_row():
    assert fill_rows(np.array([1, 4], np.int64), 5).tolist() == [1, 4, 4, 4, 4]


@pytest.mark.parametrize("rows", [[], [3, 2], [1, 1], [-1], [8], list(range(9))])
def test_an_index_that_would_reach_beyond_the_caches_is_refused(rows):
    with pytest.raises(ValueError, match="index of base"):
        check_index("base", np.array(rows, np.int64), 8)
    check_index("base", np.arange(8, dtype=np.int64), 8)


def test_another_type_or_shape_is_refused():
    for index in (np.array([1], np.int32), np.ones((1, 1), np.int64)):
        with pytest.raises(ValueError, match="expected 1 to 8 int64"):
            check_index("base", index, 8)


def test_sizes_are_parts_of_the_image_s_tokens():
    def sizes(width, height, prefix=0):
        return static_sizes(InputSpec(width, height, (0.0, 0.0, 0.0), 1.0, 16, 4, 0.8, prefix))

    assert sizes(128, 96) == (3, 6, 12, 24, 48)
    assert sizes(128, 96, prefix=5) == (8, 11, 17, 29, 53)
    assert sizes(32, 16) == (1, 2)  # parts that come to the same are one size
