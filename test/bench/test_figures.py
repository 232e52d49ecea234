"""What plots have in common."""

import cv2

from mtshare_ros.bench.figures import COLOURS, WIDTH, legend_below, new_figure, save_figure


def test_a_figure_has_its_panels_and_each_label_once_in_the_legend(tmp_path):
    figure, panels = new_figure(3.0, 1, 2)
    for panel in panels:
        panel.plot([0, 1], [0, 1], color=COLOURS[0], label="ours")
        panel.plot([0, 1], [1, 0], color=COLOURS[1], label="theirs")
    legend_below(figure, panels, ["theirs", "ours"])
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["theirs", "ours"]
    path = tmp_path / "plots" / "x.png"
    save_figure(figure, path)
    picture = cv2.imread(str(path))
    assert picture.shape[1] == WIDTH * figure.dpi and picture.shape[0] == 3 * figure.dpi


def test_colours_differ():
    assert len(set(COLOURS)) == len(COLOURS)


def test_panels_come_row_by_row_in_a_figure_of_the_common_width() -> None:
    figure, panels = new_figure(3.0, 2, 3)
    assert list(figure.get_size_inches()) == [WIDTH, 3.0] and len(panels) == 6
    places = [panel.get_subplotspec() for panel in panels]
    cells = [(place.rowspan.start, place.colspan.start) for place in places]
    assert cells == [(row, column) for row in range(2) for column in range(3)]


def test_a_figure_is_a_png_that_can_be_read_whatever_its_name(tmp_path):
    figure, panels = new_figure(2.0, 1, 1)
    for number, label in enumerate("abcd"):
        panels[0].plot([0, 1], [number, 1], label=label, color=COLOURS[number])
    panels[0].plot([0, 1], [3, 3], label="a", color=COLOURS[5])
    legend_below(figure, panels)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b", "c", "d"]
    # The first of a name stands for it, and three stand beside each other.
    assert legend.get_lines()[0].get_color() == COLOURS[0] and legend._ncols == 3
    save_figure(figure, tmp_path / "x.svg")
    assert (tmp_path / "x.svg").read_bytes().startswith(b"\x89PNG")
    assert figure.dpi * WIDTH >= 1600
