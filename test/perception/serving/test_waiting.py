"""Frames that wait for the network, as there was no key to them."""

from mtshare_ros.perception.serving.waiting import Waiting
from support.panning import view

VIEWS = [view(0, frame) for frame in range(5)]


def holding(*frames, in_work=None):
    """Return frames that wait, and the list of those that were given up."""
    given_up = []
    waiting = Waiting(given_up.append)
    for frame in frames:
        waiting.hold(VIEWS[frame], frame, None if in_work is None else VIEWS[in_work])
    return waiting, given_up


def test_the_newest_waits_and_the_one_in_work():
    assert holding(0, 1, 2)[1] == [0, 1]
    waiting, given_up = holding(0, 1, 2, 3, in_work=1)
    assert given_up == [0, 2] and len(waiting) == 2


def test_what_the_network_has_done_is_answered_and_what_came_before_is_given_up():
    waiting, given_up = holding(0, 1, in_work=0)
    assert waiting.take(VIEWS[0]) == 0 and given_up == [] and len(waiting) == 1
    assert waiting.take(VIEWS[0]) is None
    assert waiting.take(VIEWS[4]) is None and given_up == []
    waiting, given_up = holding(0, 1, in_work=0)
    assert waiting.take(VIEWS[1]) == 1 and given_up == [0] and len(waiting) == 0


def test_an_equal_frame_is_not_the_same():
    waiting, _ = holding(0)
    assert waiting.take(view(0, 0)) is None and waiting.take(VIEWS[0]) == 0


def test_each_is_given_up_once():
    waiting, given_up = holding(0, 1, in_work=0)
    waiting.give_up()
    waiting.give_up()
    assert given_up == [0, 1] and len(waiting) == 0
