"""The report's page in Chromium: it opens without a network, and its scrubber scrubs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mtshare_ros.evaluation.report.report_files import write_report
from support.report_files import RUN, manifest, outcome, scores_of

playwright = pytest.importorskip("playwright.sync_api")

BROWSER = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chrome")
FRAMES = 40

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium (apt install chromium)")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the page of 40 frames that grow brighter; frame 23 is the worst."""
    folder = tmp_path_factory.mktemp("report")
    outcomes = [outcome(i, 2.5 if i == 23 else 1.1, grey=6 * i) for i in range(FRAMES)]
    write_report(folder, RUN, scores_of(*outcomes), manifest())
    return folder / "index.html"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Return a Chromium."""
    with playwright.sync_playwright() as started:
        found = started.chromium.launch(
            executable_path=BROWSER, args=["--no-sandbox"], timeout=120_000
        )
        yield found
        found.close()


class Page:
    """An open page, with all that went wrong and all that was fetched."""

    def __init__(self, browser: Any, path: Path, width: int) -> None:
        """Open ``path`` without a network in a window ``width`` pixels wide."""
        self.troubles: list[str] = []
        self.requests: list[str] = []
        context = browser.new_context(viewport={"width": width, "height": 800}, offline=True)
        self.page = context.new_page()
        self.page.set_default_timeout(60_000)
        self.page.on("console", lambda message: self.troubles.append(message.text))
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())

    def now(self) -> str:
        """Return what the page says of the frame that is shown."""
        return str(self.page.locator("#now").inner_text())

    def brightness(self, name: str = "camera") -> float:
        """Return the mean level of a picture as it is on the screen."""
        shot = self.page.locator(f'img[data-name="{name}"]').first.screenshot()
        picture = cv2.imdecode(np.frombuffer(shot, np.uint8), cv2.IMREAD_COLOR)
        height, width = picture.shape[:2]
        return float(picture[height // 4 : -height // 4, width // 4 : -width // 4].mean())

    def cursor(self) -> float:
        """Return where the line in the visible plot is, in pixels."""
        line = self.page.locator(".timeline:visible .cursor").first
        return float(line.evaluate("e => e.getBoundingClientRect().x"))


@pytest.fixture
def page(browser: Any, report: Path) -> Iterator[Page]:
    """Return the page in a window 1280 pixels wide; nothing may go wrong or be fetched."""
    opened = Page(browser, report, 1280)
    yield opened
    assert opened.troubles == []
    assert [url for url in opened.requests if not url.startswith(("data:", "file:"))] == []
    assert sum(url.startswith("file:") for url in opened.requests) == 1
    opened.page.context.close()


def test_the_page_opens_with_the_first_frame_and_all_pictures_shown(page: Page) -> None:
    assert page.now() == "frame 0 · 0.00 s · 100 % of the tokens recomputed · 2.0 ms"
    widths = page.page.evaluate("[...document.images].map(image => image.naturalWidth)")
    assert widths == [32] * (2 + 3 * 3)
    assert page.brightness() < 5


def test_scrubbing_shows_another_frame(page: Page) -> None:
    before = page.cursor()
    slider = page.page.locator("#frame")
    slider.fill("30")
    assert page.now().startswith("frame 30 · 1.00 s · 25 % of the tokens recomputed · 32.0 ms")
    assert page.brightness() == pytest.approx(180, abs=6)
    assert page.page.locator('[data-accuracy="depth"]').inner_text() == "AbsRel 0.100"
    assert "stem" in page.page.locator("#stages").inner_text()
    wide = page.page.locator(".timeline:visible").bounding_box()["width"]
    assert 0.6 * wide < page.cursor() - before < 0.8 * wide
    slider.press("ArrowRight")
    assert page.now().startswith("frame 31")


def test_the_worst_frame_is_one_click_away(page: Page) -> None:
    button = page.page.get_by_role("button", name="depth · 23")
    button.click()
    assert page.now().startswith("frame 23")
    assert page.page.locator('[data-accuracy="depth"]').inner_text() == "AbsRel 1.500"
    assert button.get_attribute("aria-current") == "true"


def test_a_click_into_the_plot_shows_that_frame(page: Page) -> None:
    box = page.page.locator(".timeline:visible").bounding_box()
    left, right = page.page.locator(".timeline:visible").evaluate(
        "e => JSON.parse(e.dataset.ends)"
    )
    share = left + (right - left) * 20 / (FRAMES - 1)
    position = {"x": share * box["width"], "y": box["height"] / 2}
    page.page.locator(".timeline:visible").click(position=position)
    assert page.now().startswith("frame 20 ")
    assert page.cursor() == pytest.approx(box["x"] + position["x"], abs=2)


def test_playing_goes_on_and_stops(page: Page) -> None:
    play = page.page.locator("#play")
    play.click()
    page.page.wait_for_function("document.getElementById('frame').value >= 2")
    play.click()
    stopped = page.now()
    page.page.wait_for_timeout(500)
    assert page.now() == stopped and not stopped.startswith("frame 0 ")


@pytest.mark.parametrize("width", [1280, 400])
def test_nothing_is_cut_off_or_illegible(
    browser: Any, report: Path, width: int, tmp_path: Path
) -> None:
    opened = Page(browser, report, width)
    assert opened.page.evaluate("document.documentElement.scrollWidth") == width
    assert opened.page.locator(".timeline:visible").count() == 1
    # Every text inside a plot: inside of it, and large enough to be read.
    texts = opened.page.evaluate(
        """[...document.querySelectorAll('svg text')].filter(t => t.getClientRects().length)
           .map(t => { const b = t.getBoundingClientRect(), s = t.closest('svg')
           .getBoundingClientRect(); return [t.textContent, b.height, b.left - s.left,
           s.right - b.right]; })"""
    )
    assert {"stem", "p50 21.5", "frame", "depth: AbsRel (lower is better)"} <= {
        words for words, *_ in texts
    }
    for words, height, left, right in texts:
        assert height >= 10 and min(left, right) > -2, words
    shot = tmp_path / "page.png"
    opened.page.screenshot(path=shot, full_page=True)
    picture = cv2.imread(str(shot))
    assert picture.shape[1] == width
    # Blue, orange and vermillion of the plots are there.
    for colour in ((0, 114, 178), (230, 159, 0), (213, 94, 0)):
        near = np.abs(picture[..., ::-1].astype(int) - colour).max(-1) < 12
        assert near.sum() > 100, colour
    assert opened.troubles == []
    opened.page.context.close()
