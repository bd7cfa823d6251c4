"""The report page in a browser: every control, the run's own numbers, no message and no request."""

import base64
import json
import struct

import numpy as np
import pytest
from chromium import ActionChains, By, Keys, Select, WebDriverWait, started

import tinygrad_lr as tg
from tinygrad_lr.data.standardizer import original_units
from tinygrad_lr.report_page.document import join_modules

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with started(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture(scope="module")
def sat(tmp_path_factory):
    students = tg.datasets.sat_gpa()
    scaling = tg.data.Standardizer().fit(students.sat_sum[:, None])
    z, y = scaling.transform(students.sat_sum[:, None]), students.fy_gpa
    line = tg.nn.Linear(1, 1, dtype=np.float64)
    line.load_state_dict({"weight": [[0.0]], "bias": [0.0]})
    history = tg.fit(line, z, y, learning_rate=0.1, tolerance=1e-12)
    path = tmp_path_factory.mktemp("sat") / "page.html"
    tg.report(
        *(history, line, z, y),
        path=path, x_names="sat_sum", y_name="fy_gpa", x_scaling=scaling, command="tinygrad-lr fit",
    )  # fmt: skip
    return path.as_uri(), history, z[:, 0], y, scaling


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    random = np.random.default_rng(0)
    x = random.standard_normal((60, 2))
    y = np.sin(x[:, 0]) + 0.3 * x[:, 1]
    model = tg.nn.MLP(2, [4, 3], 1, "tanh", dtype=np.float64, generator=1)
    history = tg.fit(model, x, y, learning_rate=0.1, steps=300, warn=False)
    path = tmp_path_factory.mktemp("network") / "page.html"
    tg.report(history, model, x, y, path=path, x_names=["left", "right"])
    return path.as_uri(), history, model, x, y


@pytest.fixture(scope="module")
def moons(tmp_path_factory):
    data = tg.datasets.moons(80, noise=0.1, generator=0)
    model = tg.nn.MLP(2, [6], 2, "relu", generator=0)
    adam = tg.optim.Adam(model.parameters(), 0.02)
    loss = tg.losses.cross_entropy
    history = tg.fit(model, data.x, data.y, loss=loss, optimizer=adam, epochs=20, batch_size=20)
    path = tmp_path_factory.mktemp("moons") / "page.html"
    tg.report(history, model, data.x, data.y, loss=loss, path=path, labels=["upper", "lower"])
    return path.as_uri(), history, model, data.x, data.y


@pytest.fixture
def page(browser):
    """Opens a page; afterwards nothing may have been said on the console or asked for."""
    browser.get_log("browser"), browser.get_log("performance")

    def opened(address, fragment=""):
        browser.get("about:blank")
        browser.get(address + fragment)
        return browser

    yield opened
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert [entry["message"] for entry in browser.get_log("browser")] == []
    sent = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    addresses = [
        message["params"]["request"]["url"]
        for message in sent
        if message["method"] == "Network.requestWillBeSent"
    ]
    own = ("file:", "about:", "data:", "chrome:")  # the last is the browser's own first tab
    assert not [a for a in addresses if not a.startswith(own)]


def step_of(browser):
    return int(browser.execute_script("return document.documentElement.dataset.step"))


def settled(browser, step):
    WebDriverWait(browser, 10, 0.05).until(lambda _: step_of(browser) == step)


def frames(browser, count):
    """Wait until the browser has drawn so many pictures."""
    browser.execute_async_script(
        "const [count, done] = arguments; let k = 0;"
        "const next = () => ((k += 1) > count ? done() : requestAnimationFrame(next)); next()",
        count,
    )


def press(browser, key):
    ActionChains(browser).send_keys(key).perform()


def click(browser, element):
    """Click where the strip below does not cover it."""
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
    element.click()


def text(browser, selector):
    return browser.find_element(By.CSS_SELECTOR, selector).text


def numbers(browser, selector):
    """The numbers of a table, by the name of their line."""
    lines = browser.find_elements(By.CSS_SELECTOR, f"{selector} tbody tr")
    found = {}
    for line in lines:
        cells = [cell.text for cell in line.find_elements(By.CSS_SELECTOR, "th, td")]
        found[cells[0]] = [number(cell) for cell in cells[1:]]
    return found


def number(told):
    plain = told.replace("\u2212", "-").replace("\u2009", "")
    if "\u00d7" not in plain:
        return float(plain)
    mantissa, power = plain.split("\u00d7")
    raised = power.strip()[2:].translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))
    return float(mantissa) * 10.0 ** int(raised)


def slide(browser, identity, value):
    """Drag a slider, as its user does: the value, then the event."""
    browser.execute_script(
        "const s = document.getElementById(arguments[0]); s.value = arguments[1];"
        "s.dispatchEvent(new Event('input', {bubbles: true}))",
        *(identity, value),
    )


# ---- the numbers


@pytest.mark.parametrize("step", [0, 1, 7, 118])
def test_the_numbers_of_a_step_are_the_runs_own(page, sat, step):
    address, history, _, _, scaling = sat
    told = numbers(page(address, f"#step={step}"), "#model-numbers")
    place = history.weight_steps.index(step)
    w, b = history.weights["weight"][place].item(), history.weights["bias"][place].item()
    slope, intercept = original_units([[w]], [b], scaling)
    line = tg.linear.closed_form(scaling.inverse_transform(sat[2][:, None])[:, 0], sat[3])
    assert told["slope"] == pytest.approx([slope.item(), line.slope], rel=1e-5)
    assert told["intercept"] == pytest.approx([intercept.item(), line.intercept], rel=1e-5)
    assert told["loss"] == pytest.approx([history.losses[step], line.mse], rel=1e-5)


def test_the_words_about_the_hill_are_true(page, sat):
    address, _, z, y, _ = sat
    browser = page(address, "#step=0")
    slope = 2 * np.mean(-y * z)
    words = text(browser, "#hill-words")
    assert f"{slope:.4g}".replace("-", "−") in words and "negative, so w moves right" in words
    assert f"{-0.1 * slope:.3g}" in words


@pytest.mark.parametrize("step", [0, 7])
def test_the_chain_of_a_row_multiplies_to_its_share(page, sat, step):
    address, history, z, y, _ = sat
    browser = page(address, "#row=5")
    slide(browser, "slider", step)
    u = history.weights["weight"][step].item() * z + history.weights["bias"][step].item() - y
    shares = [number(cell.text) for cell in browser.find_elements(By.CSS_SELECTOR, "#product td")]
    g = 2 * u[4] / 1000
    wanted = [g, g, g * z[4], 2 * np.mean(u * z), g, 2 * np.mean(u)]
    assert shares == pytest.approx(wanted, rel=1e-3)


def test_a_nudge_shows_what_was_promised_and_what_is_seen(page, network):
    address, history, model, x, y = network
    browser = page(address, "#step=20&weight=2")
    slide(browser, "nudge", 0.5)
    told = numbers(browser, "#nudge-numbers")
    (delta,), (promised,), (seen,) = told.values()
    place = history.weight_steps.index(20)
    weights = {name: w[place] for name, w in history.weights.items()}
    loss_at = tg.plot.loss_of(model, x, y)
    moved = weights["layers.0.weight"].copy()
    moved[0, 2] += delta
    change = loss_at(weights | {"layers.0.weight": moved}) - loss_at(weights)
    assert seen == pytest.approx(change, rel=0.02)
    moved[0, 2] += 1e-5 - delta
    slope = (loss_at(weights | {"layers.0.weight": moved}) - loss_at(weights)) / 1e-5
    assert promised == pytest.approx(slope * delta, rel=0.02)
    said = browser.find_element(By.ID, "nudge").get_attribute("aria-valuetext")
    assert number(said.removeprefix("by ")) == pytest.approx(delta)


def test_the_confusion_is_that_of_the_step(page, moons):
    address, history, model, x, y = moons
    step = history.weight_steps[-1]
    told = numbers(page(address, f"#step={step}"), "#confusion")
    counts = tg.metrics.confusion_matrix(tg.train.predict(model, x), y, 2)
    assert list(told.values()) == counts.tolist()


# ---- the controls


def test_the_buttons_and_the_slider_move_the_step(page, sat):
    browser = page(sat[0])
    assert step_of(browser) == 0
    browser.find_element(By.ID, "forth").click()
    settled(browser, 1)
    browser.find_element(By.ID, "forth").click()
    settled(browser, 2)
    browser.find_element(By.ID, "back").click()
    settled(browser, 1)
    slide(browser, "slider", 50)
    settled(browser, 50)
    assert text(browser, "#told") == "step 50 of 118"


def test_play_runs_to_the_end_and_pause_stops_it(page, sat):
    browser = page(sat[0], "#step=100")
    Select(browser.find_element(By.ID, "speed")).select_by_visible_text("fast")
    play = browser.find_element(By.ID, "play")
    play.click()
    WebDriverWait(browser, 10, 0.05).until(lambda _: step_of(browser) > 101)
    assert play.get_attribute("aria-label") == "Pause"
    play.click()
    stopped = step_of(browser)
    frames(browser, 15)  # longer than two steps take
    assert step_of(browser) == stopped and play.get_attribute("aria-label") == "Play"
    play.click()
    settled(browser, 118)
    WebDriverWait(browser, 5).until(lambda _: play.get_attribute("aria-label") == "Play")


def test_the_keyboard_does_what_the_strip_does(page, sat):
    browser = page(sat[0])
    for key, step in [
        (Keys.ARROW_RIGHT, 1), (Keys.ARROW_RIGHT, 2), (Keys.ARROW_LEFT, 1), (Keys.END, 118),
        (Keys.HOME, 0),
    ]:  # fmt: skip
        press(browser, key)
        settled(browser, step)
    press(browser, Keys.SPACE)
    WebDriverWait(browser, 10, 0.05).until(lambda _: step_of(browser) >= 1)
    press(browser, Keys.SPACE)
    assert browser.find_element(By.ID, "play").get_attribute("aria-label") == "Play"


def test_a_key_within_a_field_stays_there(page, sat):
    browser = page(sat[0])
    browser.find_element(By.ID, "row").send_keys(Keys.ARROW_LEFT, Keys.HOME)
    assert step_of(browser) == 0


def test_the_address_restores_the_moment(page, network):
    address = network[0]
    browser = page(address)
    slide(browser, "slider", 12)
    first, source, target = (
        Select(select) for select in browser.find_elements(By.CSS_SELECTOR, "#network select")
    )
    first.select_by_value("1")
    source.select_by_visible_text("unit 3")
    target.select_by_visible_text("unit 2")
    row = browser.find_element(By.ID, "row")
    row.clear()
    row.send_keys("7", Keys.ENTER)
    WebDriverWait(browser, 5, 0.05).until(lambda _: "row=7" in browser.current_url)
    seen = [text(browser, "#network"), text(browser, "#chain"), text(browser, "#hill")]
    fragment = browser.execute_script("return location.hash")
    assert "step=12" in fragment and "row=7" in fragment and "weight=" in fragment
    again = page(address, fragment)
    assert [text(again, "#network"), text(again, "#chain"), text(again, "#hill")] == seen


@pytest.mark.parametrize(
    "fragment", ["#step=1e9", "#step=x&row=-4&weight=99999", "#%3Cscript%3E", "#nudge=NaN&speed=no"]
)
def test_an_address_that_tells_nonsense_does_no_harm(page, network, fragment):
    browser = page(network[0], fragment)
    assert step_of(browser) in {0, 300}


def test_every_box_of_the_chain_opens(page, network):
    browser = page(network[0], "#step=5")
    boxes = len(browser.find_elements(By.CSS_SELECTOR, ".chain button"))
    assert boxes == 6
    for k in range(boxes):
        click(browser, browser.find_elements(By.CSS_SELECTOR, ".chain button")[k])
        detail = text(browser, ".detail")
        assert "Formula" in detail and "Shape" in detail and "Values" in detail
        assert "not finite" not in detail
    click(browser, browser.find_elements(By.CSS_SELECTOR, ".chain button")[boxes - 1])
    assert text(browser, ".detail") == ""


def test_an_edge_that_is_clicked_is_the_weight_of_all_panels(page, network):
    browser = page(network[0], "#step=5")
    browser.execute_script(
        "document.querySelectorAll('.edge-room')[9]"
        ".dispatchEvent(new MouseEvent('click', {bubbles: true}))"
    )
    said = text(browser, "#network figcaption")
    assert said.startswith("The weight from unit 1 of layer 1 to unit 2 of layer 2")
    assert len(browser.find_elements(By.CSS_SELECTOR, "line.edge.chosen")) == 1
    lit = browser.find_elements(By.CSS_SELECTOR, "line.edge.lit")
    assert len(lit) == 2  # itself, and the one path from its unit to the loss
    chosen = [
        s.get_attribute("value") for s in browser.find_elements(By.CSS_SELECTOR, "#hill select")
    ]
    assert chosen == ["1", "0", "1"]


def test_pointing_at_a_row_shows_it_everywhere_and_a_click_keeps_it(page, sat):
    browser = page(sat[0], "#row=334")
    before = text(browser, "#data .followed"), text(browser, "#product")
    chart = browser.find_element(By.CSS_SELECTOR, "#data svg.chart")
    ActionChains(browser).move_to_element_with_offset(chart, 40, -60).perform()
    during = text(browser, "#data .followed"), text(browser, "#product")
    assert before[0] != during[0] and before[1] != during[1]
    ActionChains(browser).click().perform()
    ActionChains(browser).move_to_element(browser.find_element(By.TAG_NAME, "h1")).perform()
    assert text(browser, "#data .followed") == during[0]


def test_a_click_on_the_loss_goes_to_that_step(page, sat):
    browser = page(sat[0])
    chart = browser.find_element(By.CSS_SELECTOR, "#run-screen svg.chart")
    ActionChains(browser).move_to_element(chart).click().perform()
    assert 40 < step_of(browser) < 80


# ---- for everybody


def test_every_control_has_a_name_and_every_picture_tells_its_finding(page, network):
    browser = page(network[0])
    unnamed = browser.execute_script(
        "return [...document.querySelectorAll('button, select, input')].filter(c =>"
        " !(c.getAttribute('aria-label') || c.closest('label')?.textContent.trim()))"
        ".map(c => c.outerHTML)"
    )
    silent = browser.execute_script(
        "return [...document.querySelectorAll('svg[role=img]')]"
        ".filter(s => (s.getAttribute('aria-label') || (s.getAttribute('aria-labelledby') || '')"
        ".split(' ').map(id => document.getElementById(id)?.textContent).join(' ')).length < 20)"
        ".map(s => s.outerHTML)"
    )
    assert unnamed == silent == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_the_page_by_at_least_four_and_a_half(page, network, scheme):
    browser = page(network[0])
    looked_at(browser, 1024, scheme)
    faint = browser.execute_script(
        """
        const light = (c) => {
          const [r, g, b] = c.match(/[\\d.]+/g).map((v) => v / 255)
            .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
          return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const paper = light(getComputedStyle(document.documentElement).backgroundColor);
        return [...document.querySelectorAll("body *")].filter((e) =>
          [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim())
          && e.checkVisibility() && !e.closest("script, style, option, button, code")).map((e) => {
          const style = getComputedStyle(e);
          const ink = light(e.namespaceURI.endsWith("svg") ? style.fill : style.color);
          const ratio = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
          return [ratio, e.outerHTML.slice(0, 120)];
        }).filter(([ratio]) => ratio < 4.5);
        """
    )
    assert faint == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_borders_of_controls_stand_out_from_the_page_by_at_least_three(page, network, scheme):
    browser = page(network[0])
    looked_at(browser, 1024, scheme)
    paper, borders = browser.execute_script(
        "const style = (e) => getComputedStyle(e);"
        "const controls = [...document.querySelectorAll('select, #row, .box')];"
        "return [style(document.documentElement).backgroundColor,"
        " [...new Set(controls.map((e) => style(e).borderTopColor))]]"
    )
    assert borders
    for border in borders:
        light, dark = sorted(map(luminance, (paper, border)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 3


def luminance(colour):
    """The relative luminance of WCAG 2, of rgb(...)."""
    parts = [int(v) / 255 for v in colour.removeprefix("rgb(").removesuffix(")").split(",")]
    red, green, blue = (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def looked_at(browser, width, scheme):
    """The whole page as a picture (PNG) at a width, in a colour scheme."""
    run = browser.execute_cdp_cmd
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    run("Emulation.setEmulatedMedia", {"features": features})
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    run("Emulation.setDeviceMetricsOverride", size)
    frames(browser, 3)
    options = {"format": "png", "captureBeyondViewport": True}
    return base64.b64decode(run("Page.captureScreenshot", options)["data"])


@pytest.mark.parametrize(
    ("run", "width", "scheme"),
    [
        *(("sat", width, scheme) for width in (390, 1024, 1920) for scheme in ("light", "dark")),
        *(("network", 390, "light"), ("network", 1024, "dark"), ("network", 1920, "light")),
        *(("moons", 390, "dark"), ("moons", 1024, "light"), ("moons", 1920, "dark")),
    ],
)
def test_it_fits_a_phone_a_laptop_and_a_projector(page, run, width, scheme, request):
    browser = page(request.getfixturevalue(run)[0], "#step=5")
    picture = looked_at(browser, width, scheme)
    assert struct.unpack(">I", picture[16:20])[0] == width and len(picture) > 40_000
    wide = browser.execute_script("return document.documentElement.scrollWidth")
    assert wide <= width
    columns = browser.execute_script(
        "return getComputedStyle(document.querySelector('.pair')).gridTemplateColumns.split(' ')"
    )
    assert len(columns) == (1 if width == 390 else 2)


def test_it_prints_the_last_step_without_its_controls(page, sat):
    browser = page(sat[0], "#step=3")
    browser.execute_script("window.dispatchEvent(new Event('beforeprint'))")
    assert step_of(browser) == 118
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert not browser.find_element(By.ID, "controls").is_displayed()
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    browser.execute_script("window.dispatchEvent(new Event('afterprint'))")
    assert step_of(browser) == 3


def test_names_from_a_file_are_text_in_the_browser_too(page, tmp_path):
    name = "<img src=x onerror=console.error(1)>\"onmouseover='</title></script>{{7*7}}"
    x = np.arange(6.0)[:, None]
    line = tg.nn.Linear(1, 1, dtype=np.float64, generator=0)
    history = tg.fit(line, x, x[:, 0], learning_rate=0.01, steps=3)
    path = tmp_path / "page.html"
    tg.report(history, line, x, x[:, 0], path=path, x_names=name, y_name=name, command=name)
    browser = page(path.as_uri())
    assert not browser.find_elements(By.TAG_NAME, "img")
    commands = browser.find_elements(By.CSS_SELECTOR, "main > section:last-child pre")
    assert name in "".join(command.text for command in commands)


@pytest.mark.parametrize("kind", ["zero", "diverged", "wide", "extreme"])
def test_odd_runs_are_shown_without_a_fault(page, kind, tmp_path):
    random = np.random.default_rng(0)
    x, rate, steps = random.standard_normal((40, 1)), 0.1, 50
    if kind == "zero":
        steps = 0
    if kind == "diverged":
        rate = 5.0
    if kind == "wide":
        x, rate = random.standard_normal((40, 600)), 1e-4
    if kind == "extreme":
        x = x * 1e160
    y = x[:, 0] * 2
    line = tg.nn.Linear(x.shape[1], 1, dtype=np.float64, generator=0)
    history = tg.fit(line, x, y, learning_rate=rate, steps=steps, warn=False)
    path = tmp_path / "page.html"
    tg.report(history, line, x, y, path=path)
    browser = page(path.as_uri())
    press(browser, Keys.END)
    drawn = browser.execute_script(
        "return [...document.querySelectorAll('svg *')].flatMap(e => [...e.attributes])"
        ".filter(a => /NaN|Infinity|undefined|null/.test(a.value)).map(a => a.value)"
    )
    assert drawn == [] and "undefined" not in text(browser, "body")


def test_from_one_step_to_the_next_the_model_glides_where_motion_is_wanted(page, network):
    browser = page(network[0])
    features = [{"name": "prefers-reduced-motion", "value": "no-preference"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    places = browser.execute_async_script(
        """
        const done = arguments[0];
        const seen = new Set();
        const look = () => {
          seen.add(document.querySelector("#hill .now").getAttribute("cx"));
          if (document.documentElement.dataset.step === "1") done([...seen]);
          else requestAnimationFrame(look);
        };
        document.getElementById("forth").click();
        requestAnimationFrame(look);
        """
    )
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert len(places) > 3


def test_nothing_moves_by_itself_where_no_motion_is_wanted(page, network):
    browser = page(network[0])  # the browser is started with reduced motion
    at_once = browser.execute_script(
        "document.getElementById('forth').click(); return document.documentElement.dataset.step"
    )
    moving = browser.execute_script(
        "return [...document.querySelectorAll('*')].filter((e) =>"
        " getComputedStyle(e).transitionDuration !== '0s' ||"
        " getComputedStyle(e).animationName !== 'none').map((e) => e.outerHTML)"
    )
    assert at_once == "1" and moving == []


@pytest.mark.parametrize(
    "name", ["tanh", "relu", "sigmoid", "softplus", "silu", "leaky_relu", "elu"]
)
def test_the_page_computes_losses_and_slopes_as_the_run_did(page, name, tmp_path):
    random = np.random.default_rng(0)
    x, y = random.standard_normal((12, 2)), np.arange(12) % 3
    model = tg.nn.MLP(2, [4, 3], 3, name, dtype=np.float64, generator=0)
    loss = tg.losses.cross_entropy
    history = tg.fit(model, x, y, loss=loss, learning_rate=0.3, steps=5, warn=False)
    text = tg.report(history, model, x, y, loss=loss).html
    data = text[text.index('<script type="application/json"') : text.index("</script>")]
    script = join_modules("model")
    asked = """
        const sum = (w) => {
          const slopes = new Array(w.length).fill(0);
          for (let r = 0; r < count; r++) {
            for (const { layer, input, dBefore } of propagateRow(w, r).stages) {
              for (let j = 0; j < layer.outputs; j++) {
                slopes[layer.bias + j] += dBefore[j];
                for (let i = 0; i < layer.inputs; i++) {
                  slopes[layer.weight + i * layer.outputs + j] += dBefore[j] * input[i];
                }
              }
            }
          }
          return slopes;
        };
        const moved = (w) => w.map((v, k) => lossOverWeight(w, k)(v + 0.1));
        const lossAt = (w) => meanLoss(computeOutputs(w));
        const w = run.weights;
        document.title = JSON.stringify([w.map(lossAt), w.map(sum), moved(w[2])]);
    """
    path = tmp_path / "page.html"
    path.write_text(f"<meta charset='utf-8'>{data}</script><script>{script}{asked}</script>")
    seen, slopes, moved = json.loads(page(path.as_uri()).title)
    twin = tg.nn.MLP(2, [4, 3], 3, name, dtype=np.float64)
    for place in range(6):
        twin.load_state_dict({key: w[place] for key, w in history.weights.items()})
        twin.zero_grad()
        value = loss(twin(x), y)
        value.backward()
        wanted = np.concatenate([p.grad.ravel() for p in twin.parameters()])
        assert seen[place] == pytest.approx(value.item(), rel=1e-10)
        np.testing.assert_allclose(slopes[place], wanted, rtol=1e-8, atol=1e-12)
    twin.load_state_dict({key: w[2] for key, w in history.weights.items()})
    for parameter in twin.parameters():
        for index in np.ndindex(parameter.shape):
            parameter.data[index] += 0.1
            assert moved.pop(0) == pytest.approx(loss(twin(x), y).item(), rel=1e-9)
            parameter.data[index] -= 0.1


def test_pointing_at_a_weight_shows_it_everywhere_for_the_time(page, network):
    browser = page(network[0], "#step=5&weight=0")
    said = [text(browser, name) for name in ("#hill", "#product", "#network figcaption")]
    point = (
        "document.querySelectorAll('.edge-room')[9]"
        ".dispatchEvent(new PointerEvent('pointer' + arguments[0]))"
    )
    browser.execute_script(point, "enter")
    meanwhile = [text(browser, name) for name in ("#hill", "#product", "#network figcaption")]
    assert all(a != b for a, b in zip(said, meanwhile, strict=True))
    browser.execute_script(point, "leave")
    assert [text(browser, n) for n in ("#hill", "#product", "#network figcaption")] == said
    assert "weight=0" in browser.execute_script("return location.hash")


def test_keys_that_come_faster_than_the_glide_all_count(page, network):
    browser = page(network[0])
    features = [{"name": "prefers-reduced-motion", "value": "no-preference"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    ActionChains(browser).send_keys(Keys.ARROW_RIGHT * 4).perform()
    settled(browser, 4)
    assert step_of(browser) == 4
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_a_notebook_shows_the_page_in_a_frame(page, tmp_path):
    x = np.arange(6.0)[:, None]
    line = tg.nn.Linear(1, 1, dtype=np.float64, generator=0)
    history = tg.fit(line, x, x[:, 0], learning_rate=0.01, steps=3)
    path = tmp_path / "notebook.html"
    frame = tg.report(history, line, x, x[:, 0])._repr_html_()
    path.write_text(f"<meta charset='utf-8'>{frame}", encoding="utf-8")
    browser = page(path.as_uri())
    browser.switch_to.frame(0)
    click(browser, browser.find_element(By.ID, "forth"))
    settled(browser, 1)
    assert step_of(browser) == 1
    browser.switch_to.default_content()


def test_a_focus_outlives_the_steps(page, network):
    browser = page(network[0], "#step=5")
    for control in browser.find_elements(By.CSS_SELECTOR, ".chain button, #hill select, #nudge"):
        browser.execute_script("arguments[0].focus()", control)
        slide(browser, "slider", 7)
        slide(browser, "slider", 5)
        assert browser.switch_to.active_element == control


def test_what_opened_is_not_read_out_anew_at_each_step_while_one_plays(page, sat):
    browser = page(sat[0])
    click(browser, browser.find_element(By.CSS_SELECTOR, ".chain button"))
    live = "return [...document.querySelectorAll('[aria-live]')].map(e => e.ariaLive)"
    assert set(browser.execute_script(live)) == {"polite"}
    browser.find_element(By.ID, "play").click()
    WebDriverWait(browser, 10, 0.05).until(lambda _: step_of(browser) >= 1)
    assert set(browser.execute_script(live)) == {"off"}
    browser.find_element(By.ID, "play").click()
    assert set(browser.execute_script(live)) == {"polite"}


@pytest.mark.parametrize("width", [390, 1024])
def test_the_strip_covers_nothing_that_has_the_focus(page, network, width):
    browser = page(network[0])
    size = {"width": width, "height": 700, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    seen = set()
    for _ in range(22):
        press(browser, Keys.TAB)
        name, covered, outline = browser.execute_script(
            "const e = document.activeElement, box = e.getBoundingClientRect();"
            "const strip = document.getElementById('controls');"
            "const style = getComputedStyle(e);"
            "const top = strip.getBoundingClientRect().top;"
            "return [e.outerHTML, !strip.contains(e) && e !== document.body && box.bottom > top,"
            " style.outlineStyle + style.outlineWidth]"
        )
        if name.startswith("<body"):
            break
        seen.add(name)
        assert not covered and outline == "solid3px", name
    assert len(seen) > 15


@pytest.mark.parametrize("width", [390, 1024])
def test_nothing_jumps_from_step_to_step(page, sat, width):
    browser = page(sat[0])
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    frames(browser, 3)
    heights = []
    for step in [*range(12), 60, 118, 60, 3, 0]:
        slide(browser, "slider", step)
        heights.append(browser.execute_script("return document.body.offsetHeight"))
    assert heights == sorted(heights) and heights[-1] - heights[0] < 100  # four lines


def test_the_address_does_not_change_many_times_a_second(page, network):
    browser = page(network[0])
    written, passed = browser.execute_script(
        "const began = performance.now();"
        "const seen = []; const write = history.replaceState.bind(history);"
        "history.replaceState = (...all) => { seen.push(all[2]); write(...all); };"
        "const slider = document.getElementById('slider');"
        "for (let k = 0; k < 60; k++) {"
        " slider.value = k; slider.dispatchEvent(new Event('input')); }"
        "return [seen.length, performance.now() - began]"
    )
    assert written <= passed / 250 + 2 and written < 60  # milliseconds
    last = browser.find_element(By.ID, "slider").get_attribute("aria-valuetext").split()[1]
    WebDriverWait(browser, 5, 0.05).until(lambda _: f"step={last}&" in browser.current_url)


def test_arrow_keys_scroll_what_scrolls_and_step_elsewhere(page, network):
    browser = page(network[0], "#step=5")
    inside = browser.find_element(By.CSS_SELECTOR, ".product")
    browser.execute_script(
        "const e = arguments[0]; e.style.width = '60px'; e.tabIndex = 0; e.focus()", inside
    )
    press(browser, Keys.ARROW_RIGHT)
    assert step_of(browser) == 5
    browser.execute_script("arguments[0].blur()", inside)
    press(browser, Keys.ARROW_RIGHT)
    settled(browser, 6)


@pytest.mark.parametrize("kind", ["constant", "diverged", "wide names", "near rates"])
@pytest.mark.parametrize("width", [390, 1024])
def test_no_text_of_a_picture_lies_on_another_or_is_cut(page, kind, width, tmp_path):
    random = np.random.default_rng(0)
    x, rate = random.standard_normal((40, 1)), 0.1
    y = 2 * x[:, 0] + 0.3 * random.standard_normal(40)
    if kind == "constant":
        y = np.full(40, 2.0)
    if kind == "diverged":
        rate = 5.0
    if kind == "near rates":
        rate = 0.5
    name = "W" * 80 if kind == "wide names" else "x"
    line = tg.nn.Linear(1, 1, dtype=np.float64, generator=0)
    history = tg.fit(line, x, y, learning_rate=rate, steps=30, warn=False)
    path = tmp_path / "page.html"
    tg.report(history, line, x, y, path=path, x_names=name, y_name=name)
    browser = page(path.as_uri())
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    frames(browser, 3)
    for step in (0, 3, history.steps):
        slide(browser, "slider", step)
        bad = browser.execute_script(
            """
            return [...document.querySelectorAll("svg.chart")].flatMap((s) => {
              const texts = [...s.querySelectorAll("text")].filter((t) => t.textContent);
              const boxes = texts.map((t) => [t.textContent, t.getBoundingClientRect()]);
              const cut = boxes.filter(([, b]) => b.left < -1 || b.right > innerWidth + 1);
              const on = boxes.flatMap(([p, a], i) => boxes.slice(i + 1).filter(([, b]) =>
                Math.min(a.right, b.right) - Math.max(a.left, b.left) > 2 &&
                Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 4).map(([q]) => [p, q]));
              return [...cut.map(([p]) => p), ...on];
            })
            """
        )
        assert bad == []


def test_it_prints_dark_on_light_whatever_the_screen(page, network):
    browser = page(network[0])
    scheme = {"name": "prefers-color-scheme", "value": "dark"}
    media = {"media": "print", "features": [scheme]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    colours = browser.execute_script(
        "const s = getComputedStyle(document.documentElement); return [s.color, s.backgroundColor]"
    )
    folded = browser.find_elements(By.TAG_NAME, "summary")
    shown = [fold.is_displayed() for fold in folded]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    assert colours == ["rgb(31, 31, 31)", "rgb(255, 255, 255)"]
    assert shown and not any(shown)  # a handout has no lids


def test_a_sheet_of_paper_has_room_for_the_whole_chain_and_the_graph(page, network):
    browser = page(network[0])
    size = {"width": 718, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)  # A4 at 96 px an inch
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    beyond = browser.execute_script(
        "document.getElementById('graph').open = true;"
        "return [...document.querySelectorAll('.chain *, #graph svg, table')].filter((e) =>"
        " e.checkVisibility() && e.getBoundingClientRect().right > innerWidth + 1)"
        ".map((e) => e.outerHTML.slice(0, 80))"
    )
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert beyond == []
