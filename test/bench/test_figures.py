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
