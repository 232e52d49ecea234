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


def test_a_member_that_holds_more_than_its_header_claims_is_counted_in_full(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": (1,)}
    )
    with zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", header.getvalue() + bytes(100_000))
    with pytest.raises(ValueError, match=r"arrays of 100\d{3} bytes; expected at most 1000"):
        load_arrays(tmp_path / "x.npz", 1000)


def test_an_array_of_exactly_what_is_allowed_is_taken(tmp_path):
    np.savez(tmp_path / "x.npz", a=np.zeros(1000, np.uint8))
    size = zipfile.ZipFile(tmp_path / "x.npz").infolist()[0].file_size
    assert load_arrays(tmp_path / "x.npz", size)["a"].nbytes == 1000
    with pytest.raises(ValueError, match="expected at most"):
        load_arrays(tmp_path / "x.npz", size - 1)


def test_a_member_whose_data_are_damaged_or_cut_short_is_malformed(tmp_path):
    values = np.random.default_rng(0).integers(0, 255, 5000, dtype=np.uint8)
    np.savez_compressed(tmp_path / "x.npz", a=values)
    whole = bytearray((tmp_path / "x.npz").read_bytes())
    for place in (300, 2000, 4000):
        damaged = whole.copy()
        damaged[place : place + 40] = bytes(255 - b for b in damaged[place : place + 40])
        (tmp_path / "x.npz").write_bytes(damaged)
        with pytest.raises(ValueError):
            load_arrays(tmp_path / "x.npz", 1 << 20)


@pytest.mark.parametrize("shape", [(-1,), (-4, -5), (3, -2)])
def test_a_negative_side_is_refused(tmp_path, shape):
    text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape!r}, }}".ljust(117) + "\n"
    data = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode() + bytes(800)
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("a.npy", data)
    with pytest.raises(ValueError, match="expected numbers"):
        load_arrays(tmp_path / "x.npz", 1 << 20)


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (b"\x93NUMPY\x03\x00", r"a\.npy: format \(3, 0\); expected one of \[\(1, 0\), \(2"),
        (b"\x93NUMPY\x09\x09", r"format \(9, 9\)"),
        (b"no array", "magic string"),
    ],
)
def test_a_format_that_is_not_known_is_refused(tmp_path, kind, says):
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("a.npy", kind + bytes(200))
    with pytest.raises(ValueError, match=says):
        load_arrays(tmp_path / "x.npz", 1 << 20)


def test_a_locked_or_oddly_packed_member_is_malformed(tmp_path):
    np.savez(tmp_path / "x.npz", a=np.zeros(10))
    whole = (tmp_path / "x.npz").read_bytes()
    directory = whole.index(b"PK\x01\x02")
    for offset, value in ((8, 1), (10, 99)):  # encrypted; a compression that there isn't
        changed = bytearray(whole)
        changed[directory + offset] = value
        changed[offset - 2] = value
        (tmp_path / "x.npz").write_bytes(changed)
        with pytest.raises(ValueError, match="malformed"):
            load_arrays(tmp_path / "x.npz", 1 << 20)
