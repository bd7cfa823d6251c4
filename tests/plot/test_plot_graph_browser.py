"""Graph pictures in a browser: all text within its box, layers open, no message, no request."""

from __future__ import annotations

import numpy as np
import pytest
from chromium import By, Keys, started

import tinygrad_lr as tg

OUTSIDE = """
return [...document.querySelectorAll("svg g > rect.tg-box")].flatMap(box => {
  const width = box.getBBox().width
  return [...box.parentNode.querySelectorAll(":scope > text")].filter(text => {
    const extent = text.getBBox()
    return extent.x < 0 || extent.x + extent.width > width
  }).map(text => text.textContent)
})"""
CONTRAST = """
const light = color => {
  const [r, g, b] = color.match(/\\d+/g).map(x => x / 255)
    .map(x => x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4)
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}
return Math.min(...[...document.querySelectorAll("svg g > rect.tg-box")].flatMap(box => {
  const paper = light(getComputedStyle(box).fill)
  const texts = box.parentNode.querySelectorAll(":scope > text")
  return [...texts].map(text => {
    const ink = light(getComputedStyle(text).fill)
    return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05)
  })
}))"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with started(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    model = tg.nn.MLP(2, [16, 16], 1, activation="tanh", dtype=np.float64, generator=0)
    x = np.random.default_rng(0).normal(size=(100, 2))
    loss = tg.losses.mse(model(x), x[:, :1] * x[:, 1:])
    path = tmp_path_factory.mktemp("graph") / "graph.html"
    tg.plot.computation_graph(loss, model=model, open=()).save(path)
    return path.as_uri()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stays_in_its_box_and_stands_out_from_it(browser, page, scheme):
    scheme = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", scheme)
    browser.get(page)
    browser.execute_script("document.querySelectorAll('details').forEach(x => { x.open = true })")
    assert browser.execute_script(OUTSIDE) == []
    assert browser.execute_script(CONTRAST) >= 4.5
    assert browser.get_log("browser") == []


def test_a_layer_opens_by_click_and_by_keyboard(browser, page):
    browser.get(page)
    first, second, *_ = browser.find_elements(By.TAG_NAME, "summary")
    inner = browser.find_elements(By.CSS_SELECTOR, "details svg")
    assert not inner[0].is_displayed()
    first.click()
    second.send_keys(Keys.ENTER)
    assert inner[0].is_displayed() and inner[1].is_displayed()


def test_a_phone_scrolls_a_wide_picture_and_not_the_page(browser, page):
    size = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get(page)
    wide = browser.execute_script("return document.documentElement.scrollWidth")
    assert wide <= 390
