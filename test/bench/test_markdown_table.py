"""Tables in Markdown."""

from mtshare_ros.bench.markdown_table import markdown_table


def test_the_first_column_is_left_and_a_bar_does_not_split_a_cell():
    text = markdown_table(["way", "ms"], [["a|b", "1.0"], ["c", "2.0"]])
    assert text.splitlines() == ["| way | ms |", "| --- | ---: |", "| a/b | 1.0 |", "| c | 2.0 |"]


def test_a_table_without_rows_is_its_header() -> None:
    assert markdown_table(("case",), []) == "| case |\n| --- |"
