"""Arrays of a file that may claim anything."""

import io
import zipfile

import numpy as np
import pytest

from mtshare_ros.perception.engines.bounded_arrays import load_arrays


def test_arrays_come_back_as_they_were(tmp_path):
    np.savez_compressed(tmp_path / "x.npz", a=np.arange(6).reshape(2, 3), b=np.ones(2, np.float32))
    found = load_arrays(tmp_path / "x.npz", 1000)
    assert found["a"].tolist() == [[0, 1, 2], [3, 4, 5]] and found["b"].dtype == np.float32


def test_more_than_is_allowed_is_refused_before_it_is_read(tmp_path):
    np.savez_compressed(tmp_path / "x.npz", a=np.zeros(10_000))
    with pytest.raises(ValueError, match=r"arrays of 80\d{3} bytes; expected at most 1000"):
        load_arrays(tmp_path / "x.npz", 1000)


def test_a_header_that_claims_gigabytes_is_refused(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": (1 << 40,)}
    )
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("a.npy", header.getvalue())
    with pytest.raises(ValueError, match="expected at most"):
        load_arrays(tmp_path / "x.npz", 1 << 20)


@pytest.mark.parametrize("data", [b"", b"no archive", b"PK\x03\x04" + bytes(40)])
def test_what_is_no_archive_is_malformed(tmp_path, data):
    (tmp_path / "x.npz").write_bytes(data)
    with pytest.raises(ValueError, match="malformed"):
        load_arrays(tmp_path / "x.npz", 1000)


def test_objects_are_refused(tmp_path):
    np.savez(tmp_path / "x.npz", a=np.array([{}], object))
    with pytest.raises(ValueError, match="expected numbers"):
        load_arrays(tmp_path / "x.npz", 1 << 20)


def test_the_bound_is_on_all_arrays_together(tmp_path):
    np.savez_compressed(tmp_path / "x.npz", a=np.zeros(1000, np.uint8), b=np.zeros(1000, np.uint8))
    assert set(load_arrays(tmp_path / "x.npz", 3000)) == {"a", "b"}
    with pytest.raises(ValueError, match="expected at most 1999"):
        load_arrays(tmp_path / "x.npz", 1999)
