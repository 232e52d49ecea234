"""MCAP files whose end is missing."""

import pytest

from mtshare_ros.datasets.bags.cut_off import MAGIC, WholeRecords, is_cut_off
from support.bag_files import write


@pytest.fixture
def whole(tmp_path):
    return write(tmp_path / "whole.mcap")


def cut(whole, length, tail=b""):
    path = whole.with_name("cut.mcap")
    path.write_bytes(whole.read_bytes()[:length] + tail)
    return path


def test_only_a_file_with_messages_and_without_an_end_is_cut_off(whole):
    size = whole.stat().st_size
    assert not is_cut_off(whole)
    assert is_cut_off(cut(whole, size - 1))
    assert not is_cut_off(cut(whole, len(MAGIC) + 20))  # no message yet
    assert not is_cut_off(cut(whole, 0, b"something else"))


def test_what_is_read_is_the_whole_records_and_a_footer(whole):
    cut_file = cut(whole, whole.stat().st_size - 30, b"torn")
    records = WholeRecords(cut_file)
    assert records.exists() and not records.is_dir() and str(records) == str(cut_file)
    with records.open("rb") as file:
        content = file.read()
        assert file.seek(-len(MAGIC), 2) == len(content) - len(MAGIC)
        assert file.read() == MAGIC
        file.seek(4)
        assert file.read(4) == content[4:8]
    end = content.index(b"\x02\x14\0\0\0\0\0\0\0", len(content) - 60)
    assert cut_file.read_bytes().startswith(content[:end]) and end > 1000
