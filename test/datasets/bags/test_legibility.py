"""Counts of messages that can't be read."""

from mtshare_ros.datasets.bags.legibility import Legibility


def test_a_topic_that_was_read_has_nothing_to_tell():
    assert str(Legibility("a", read=3)) == "" and not Legibility("a").hopeless


def test_the_first_messages_are_named_and_all_are_counted():
    found = Legibility("camera/image", read=96)
    for second in range(3):
        found.skip(second * 10**9 + 5, "empty")
    assert str(found).endswith("; 2.000000005 s: empty")
    found.skip(3 * 10**9 + 5, "empty")
    assert str(found) == (
        "/camera/image: 4 of 100 messages can't be used: 0.000000005 s: empty; "
        "1.000000005 s: empty; 2.000000005 s: empty; ..."
    )
    assert not found.hopeless
    found.reject(9 * 10**9, "too large")
    assert (found.read, found.unread) == (95, 5)


def test_a_topic_is_hopeless_where_most_can_not_be_read():
    found = Legibility("a", read=1)
    found.skip(0, "empty")
    assert not found.hopeless
    found.skip(0, "cut")
    assert found.hopeless and found.verdict() == "/a: empty (2 of 3 messages can't be used)"
