"""What every kind of file has in common."""

from mtshare_ros.datasets.bags.recorded_file import Losses
from mtshare_ros.errors import reason_of


def test_what_is_lost_is_noted_once():
    losses = Losses()
    for text in ("b", "a", "b"):
        losses.note(text)
    assert list(losses) == ["b", "a"]


def test_the_reason_of_an_exception_is_one_line():
    assert reason_of(ValueError("two\n lines")) == "two lines"
    assert reason_of(KeyError()) == "KeyError"
