"""The report page as a file: its numbers are the run's, its text is text, its size is bounded."""

import base64
import hashlib
import html.parser
import json
import re
import shlex
import subprocess
import sys
import types
from collections.abc import Mapping
from pathlib import Path
from typing import (
    Annotated,
    Literal,
    NotRequired,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr.cli import main
from tinygrad_lr.errors import ArgumentError, DataFileError, ShapeError
from tinygrad_lr.report_page import schema
from tinygrad_lr.support.files import printable
from tinygrad_lr.support.text_format import number_text

HOSTILE = [
    "<img src=x onerror=alert(1)>",
    '"onmouseover=alert(1) x="',
    "</title><script>alert(1)</script>",
    "{{7*7}} {{data}} ${x}",
    "</script><!--<script>",
    "line\u2028separator\u2029 \u202e nul\x00 \ud800",
]


class Elements(html.parser.HTMLParser):
    """The elements of a page, each with its attributes and the text inside."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.found, self.open = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs), []))
        self.open.append(self.found[-1])

    def handle_data(self, data):
        if self.open:
            self.open[-1][2].append(data)

    def handle_endtag(self, tag):
        while self.open and self.open.pop()[0] != tag:
            pass

    def all(self, tag):
        return [(attrs, "".join(text)) for name, attrs, text in self.found if name == tag]


def told(page):
    """The numbers on a page, read as strictly as a browser reads them."""
    (text,) = [text for attrs, text in Elements(page.html).all("script") if "type" in attrs]
    return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


def line_run(x, y, rate=0.1, **options):
    line = tg.nn.Linear(1, 1, dtype=np.float64)
    line.load_state_dict({"weight": [[0.0]], "bias": [0.0]})
    return line, tg.fit(line, x, y, learning_rate=rate, warn=False, **options)


@pytest.fixture(scope="module")
def students():
    return tg.datasets.sat_gpa()


@pytest.fixture(scope="module")
def sat(students):
    """The lesson's run: model, history, scaling, z, y and the page's numbers."""
    scaling = tg.data.Standardizer().fit(students.sat_sum[:, None])
    z, y = scaling.transform(students.sat_sum[:, None]), students.fy_gpa
    line, history = line_run(z, y, tolerance=1e-12)
    page = tg.report(history, line, z, y, x_names="sat_sum", y_name="fy_gpa", x_scaling=scaling)
    return line, history, z, y, page


@pytest.fixture(scope="module")
def network(students):
    x = np.column_stack([students.sat_v, students.hs_gpa])[:200]
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    y = students.fy_gpa[:200] - students.fy_gpa.mean()
    model = tg.nn.MLP(2, [4, 3], 1, "tanh", dtype=np.float64, generator=0)
    history = tg.fit(model, x, y, learning_rate=0.1, steps=900, warn=False)
    return model, history, x, y, tg.report(history, model, x, y, x_names=["a", "b"])


@pytest.fixture(scope="module")
def moons():
    data = tg.datasets.moons(80, noise=0.1, generator=0)
    model = tg.nn.MLP(2, [4], 2, "relu", generator=0)
    history = tg.fit(
        *(model, data.x, data.y),
        loss=tg.losses.cross_entropy,
        optimizer=tg.optim.Adam(model.parameters(), 0.01),
        epochs=30,
        batch_size=20,
        validation=0.25,
        early_stopping=3,
    )
    page = tg.report(history, model, data.x, data.y, loss=tg.losses.cross_entropy)
    return model, history, data.x, data.y, page


# ---- its schema


def misfits(data, hint, path="payload"):
    """Return the places at which JSON differs from a type of the schema."""
    origin, arguments = get_origin(hint), get_args(hint)
    if is_typeddict(hint):
        if not isinstance(data, dict):
            return [path]
        hints = get_type_hints(hint, include_extras=True)
        required = {key for key, inner in hints.items() if get_origin(inner) is not NotRequired}
        wrong = [f"{path}.{key}" for key in (required - data.keys()) | (data.keys() - hints.keys())]
        for key in data.keys() & hints.keys():
            wrong += misfits(data[key], hints[key], f"{path}.{key}")
        return wrong
    if origin is NotRequired:
        return misfits(data, arguments[0], path)
    if origin is Annotated:
        kind = hint.__metadata__[0]
        if kind.endswith("[]"):
            inner = Annotated[object, kind[:-2].strip("()")]
            rows = data if isinstance(data, list) else [data]
            wrong = [] if isinstance(data, list) else [path]
            return wrong + [x for row in rows for x in misfits(row, inner, f"{path}[]")][:1]
        fits = isinstance(data, (int, float)) or (data is None and "null" in kind)
        return [] if fits else [path]
    if origin is Literal:
        return [] if data in arguments else [path]
    if origin in {Union, types.UnionType}:
        return min((misfits(data, inner, path) for inner in arguments), key=len)
    if origin is tuple:
        return [x for row in zip(data, arguments, strict=True) for x in misfits(*row, path)]
    if origin is not None and issubclass(origin, Mapping):
        return [x for row in data.values() for x in misfits(row, arguments[1], path)]
    if origin is not None:
        rows = data if isinstance(data, list) else [path]
        return [x for row in rows for x in misfits(row, arguments[0], f"{path}[]")]
    kinds = {float: (int, float), type(None): type(None)}
    return [] if isinstance(data, kinds.get(hint, hint)) else [path]


@pytest.mark.parametrize("run", ["sat", "network", "moons", "convolution"])
def test_the_data_of_a_page_are_as_the_schema_says(run, request):
    page = convolution() if run == "convolution" else request.getfixturevalue(run)[-1]
    assert misfits(told(page), schema.Payload) == []


def convolution():
    """The page of a model that the page cannot compute."""
    x = np.random.default_rng(0).standard_normal((6, 1, 5, 5)).astype("f4")
    model = tg.nn.Sequential(tg.nn.Conv2d(1, 2, 3, generator=0), tg.nn.Flatten(),
                             tg.nn.Linear(18, 3, generator=0))  # fmt: skip
    loss = tg.losses.cross_entropy
    history = tg.fit(model, x, np.arange(6) % 3, loss=loss, learning_rate=0.1, steps=3)
    return tg.report(history, model, x, np.arange(6) % 3, loss=loss)


def test_the_scripts_are_typed_by_the_same_schema():
    declarations = Path(tg.__file__).parent / "report_page" / "browser" / "payload.d.ts"
    assert declarations.read_text() == schema.typescript_declarations()


# ---- its numbers


@pytest.mark.slow
def test_losses_and_weights_are_those_of_the_history(sat):
    _, history, _, _, page = sat
    run = told(page)
    places = [history.weight_steps.index(step) for step in run["steps"]]
    assert run["losses"] == [history.losses[step] for step in run["steps"]]
    assert [w for w, _ in run["weights"]] == history.weights["weight"][places].ravel().tolist()
    assert [b for _, b in run["weights"]] == history.weights["bias"][places].ravel().tolist()


def test_rows_have_their_numbers_in_the_data_from_one(sat):
    _, _, _, y, page = sat
    data = told(page)["data"]
    rows = np.array(data["row_numbers"]) - 1
    assert rows.min() >= 0 and len(rows) == len(data["y"]) and (np.diff(rows) > 0).all()
    np.testing.assert_allclose(data["y"], np.ravel(y)[rows], rtol=1e-4)


def test_slopes_are_those_of_central_differences(sat):
    _, _, z, y, page = sat
    run = told(page)
    for (w, b), slopes in zip(run["weights"][:9], run["gradients"][:9], strict=True):

        def loss(w, b):
            return np.mean((w * z[:, 0] + b - y) ** 2)

        h = 1e-5
        np.testing.assert_allclose(
            slopes,
            [
                (loss(w + h, b) - loss(w - h, b)) / (2 * h),
                (loss(w, b + h) - loss(w, b - h)) / (2 * h),
            ],
            rtol=1e-6,
        )


def test_the_next_weights_follow_from_the_slope(sat):
    run = told(sat[-1])
    assert run["plain"]
    for before, slopes, after in list(
        zip(run["weights"], run["gradients"], run["next"], strict=True)
    )[:-1]:
        np.testing.assert_allclose(np.array(before) - 0.1 * np.array(slopes), after, rtol=1e-9)


def test_the_closed_form_is_in_the_units_of_the_data(sat, students):
    line = tg.linear.closed_form(students.sat_sum, students.fy_gpa)
    found = told(sat[-1])["closed_form"]
    assert found["slope"] == pytest.approx([line.slope], rel=1e-9)
    assert found["intercept"] == pytest.approx(line.intercept, rel=1e-7)
    assert found["mse"] == pytest.approx(line.mse, rel=1e-12)


def test_the_surface_is_the_loss_over_w_and_b(sat):
    _, _, z, y, page = sat
    surface = told(page)["surface"]
    for i, j in [(0, 0), (7, 30), (40, 21)]:
        w, b = surface["a"][j], surface["b"][i]
        assert surface["losses"][i][j] == pytest.approx(np.mean((w * z[:, 0] + b - y) ** 2), 1e-5)


def test_the_learning_rates_are_around_the_largest_stable_one(sat):
    trials = told(sat[-1])["trials"]
    assert trials["limit"] == pytest.approx(1.0)
    assert [t["verdict"] for t in trials["trials"]] == ["too small", "right", "too large"]
    assert [t["reason"] for t in trials["trials"]] == ["limit", "converged", "diverged"]


@pytest.mark.slow
def test_a_networks_slopes_are_those_of_backward(network):
    _, history, x, y, page = network
    run = told(page)
    row = len(run["steps"]) - 1
    twin = tg.nn.MLP(2, [4, 3], 1, "tanh", dtype=np.float64)
    twin.load_state_dict({name: w[-1] for name, w in history.weights.items()})
    tg.losses.mse(twin(x), y[:, None]).backward()
    slopes = np.concatenate([p.grad.ravel() for p in twin.parameters()])
    assert run["steps"][row] == history.steps
    np.testing.assert_allclose(run["gradients"][row], slopes, rtol=1e-5, atol=1e-12)


def test_steps_of_a_long_run_are_thinned_and_the_first_ones_kept(network):
    _, history, _, _, page = network
    steps = told(page)["steps"]
    assert steps[:40] == list(range(40)) and steps[-1] == history.steps == 900
    assert len(steps) <= 160 and steps == sorted(set(steps))


@pytest.mark.slow
def test_the_batches_of_a_run_are_told_from_all_rows(moons):
    _, history, _, _, page = moons
    run = told(page)
    assert not run["plain"] and run["losses"][3] == history.losses[3] != run["full"][3]
    assert run["evaluations"] == history.evaluations and run["run"]["best_step"] is not None
    counts = np.array(run["confusion"][-1])
    assert counts.sum() == 80 and counts.shape == (2, 2)


# ---- its text


@pytest.mark.slow
@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_text_wherever_they_stand(name):
    x = np.arange(6.0)[:, None]
    line, history = line_run(x, x[:, 0], rate=0.01, steps=3)
    page = tg.report(
        history, line, x, x[:, 0], x_names=[name], y_name=name, title=name, command=name,
        settings={name: name},
    )  # fmt: skip
    found = Elements(page.html)
    assert len(found.all("script")) == 2 and not found.all("img")
    assert not [a for _, attrs, _ in found.found for a in attrs if a.startswith("on")]
    safe = printable(name)
    assert found.all("title")[0][1] == found.all("h1")[0][1] == safe
    run = told(page)
    assert run["data"]["x_names"] == [safe] and run["command"] == safe
    assert [safe, safe] in run["settings"]


@pytest.mark.slow
def test_the_labels_of_classes_are_text_too():
    x, y = np.array([[0.0], [1.0]]), np.array([0, 1])
    model = tg.nn.Linear(1, 2, generator=0)
    history = tg.fit(model, x, y, loss=tg.losses.cross_entropy, steps=2)
    page = tg.report(history, model, x, y, loss=tg.losses.cross_entropy, labels=HOSTILE[:2])
    assert "<img" not in page.html and told(page)["data"]["labels"] == HOSTILE[:2]


def test_the_policy_allows_this_script_and_nothing_else(sat):
    found = Elements(sat[-1].html)
    metas = [attrs for attrs, _ in found.all("meta")]
    assert metas[0] == {"charset": "utf-8"}
    policy = metas[1]["content"]
    assert policy.startswith("default-src 'none'; ") and "http" not in policy
    digest = base64.b64encode(hashlib.sha256(found.all("script")[-1][1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in policy and "script-src 'unsafe" not in policy


def test_nothing_is_asked_for_from_elsewhere(sat):
    for tag, attrs, _ in Elements(sat[-1].html).found:
        for name in ("src", "href", "action", "srcset", "data"):
            assert attrs.get(name, "data:").startswith("data:"), (tag, attrs)
    assert "@import" not in sat[-1].html and "url(#" in sat[-1].html


def test_the_graph_and_the_derivation_of_the_first_step_are_there(sat):
    _, history, z, y, page = sat
    weights = {name: w[0] for name, w in history.weights.items()}
    twin = tg.nn.Linear(1, 1, dtype=np.float64)
    twin.load_state_dict(weights)
    loss = tg.losses.mse(twin(np.reshape(z, (-1, 1))), np.reshape(y, (-1, 1)))
    assert tg.plot.computation_graph(loss, model=twin).svg() in page.html
    slope = tg.derivation(loss, twin.weight).gradient.item()
    told = page.html[page.html.index('<details id="derivation">') :]
    assert number_text(loss.item()) in told and number_text(slope) in told


def test_without_the_converter_the_pip_line_is_named(sat, monkeypatch):
    line, history, z, y, _ = sat
    monkeypatch.setitem(sys.modules, "latex2mathml.converter", None)
    with pytest.raises(tg.errors.MissingExtraError, match=r"pip install 'tinygrad_lr\[explain\]'"):
        tg.report(history, line, z, y)


@pytest.mark.slow
def test_two_processes_write_the_same_bytes(sat, tmp_path):
    code = (
        "import sys; from tinygrad_lr.cli import main; "
        "main(['fit', '--steps', '30', '--hidden', '3', '--report', sys.argv[1]])"
    )
    pages = []
    for seed in ("1", "2"):
        path = tmp_path / seed / "page.html"
        path.parent.mkdir()
        command = [sys.executable, "-c", code, str(path)]
        environment = {"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path), "HOME": "/root"}
        subprocess.run(command, check=True, capture_output=True, env=environment)
        pages.append(path.read_bytes())
    assert pages[0] == pages[1]
    assert not re.search(rb"/root|/tmp|/work|/home", pages[0])
    assert str(tmp_path).encode() not in pages[0]


# ---- whatever the run


@pytest.mark.slow
def test_a_run_without_a_step_has_a_page():
    x = np.arange(5.0)[:, None]
    line, history = line_run(x, x[:, 0], steps=0)
    run = told(tg.report(history, line, x, x[:, 0]))
    assert run["steps"] == [0] and run["surface"] is not None


@pytest.mark.slow
@pytest.mark.parametrize("size", [1e308, 1e160, 1e-200])
def test_numbers_near_the_ends_of_float64_have_a_page(size):
    x = np.array([[-1.0], [0.5], [1.0]]) * size
    line, history = line_run(x, x[:, 0], steps=30)
    run = told(tg.report(history, line, x, x[:, 0]))
    first = history.losses[0] if np.isfinite(history.losses[0]) else None
    assert run["data"]["x"] == x.tolist() and run["full"][0] == first


@pytest.mark.slow
def test_a_run_that_diverged_has_a_page(students):
    line, history = line_run(students.sat_sum, students.fy_gpa, rate=0.001)
    assert history.reason == "diverged"
    page = tg.report(history, line, students.sat_sum, students.fy_gpa)
    run = told(page)
    assert run["run"]["limit"] == pytest.approx(9.1897e-05, rel=1e-4)
    assert run["closed_form"]["slope"] == pytest.approx([0.0238657], rel=1e-5)


@pytest.mark.slow
def test_losses_that_are_not_finite_are_null():
    x = np.array([[1.0], [2.0]])
    line, history = line_run(x, x[:, 0], steps=3)
    history.losses[1:] = [np.nan, np.inf, -np.inf]
    run = told(tg.report(history, line, x, x[:, 0]))
    assert run["losses"][1:] == [None] * 3


@pytest.mark.slow
def test_ten_thousand_columns_make_a_small_page():
    random = np.random.default_rng(0)
    x, y = random.standard_normal((40, 10_000)), random.standard_normal(40)
    model = tg.nn.Linear(10_000, 1, dtype=np.float64, generator=0)
    history = tg.fit(model, x, y, learning_rate=1e-5, steps=5, warn=False)
    page = tg.report(history, model, x, y)
    assert len(page.html.encode()) < 500_000 and not told(page)["open"]
    assert "<h1>y, learnt from 10\u202f000 columns</h1>" in page.html


@pytest.mark.slow
def test_one_row_and_one_step_are_told_in_the_singular():
    x = np.array([[1.0]])
    line, history = line_run(x, x[:, 0], steps=1)
    assert "A line, 1 row, 1 step of descent: " in tg.report(history, line, x, x[:, 0]).html


@pytest.mark.slow
def test_many_rows_and_many_steps_make_a_bounded_page():
    random = np.random.default_rng(0)
    x = random.standard_normal((200_000, 1))
    line, history = line_run(x, 2 * x[:, 0] + random.standard_normal(200_000), steps=20)
    history.losses = [*history.losses[:1] * 100_000, *history.losses]
    page = tg.report(history, line, x, 2 * x[:, 0])
    run = told(page)
    assert len(page.html.encode()) < 1_000_000
    assert run["data"]["rows"] == 200_000 and len(run["data"]["x"]) == 2000 and run["same_rows"]
    assert len(run["curve"]["steps"]) <= 1100


@pytest.mark.slow
def test_the_largest_open_network_stays_below_five_megabytes():
    random = np.random.default_rng(0)
    x = random.standard_normal((500, 40))
    model = tg.nn.MLP(40, [60, 40], 1, "relu", generator=0)
    history = tg.fit(model, x, x[:, 0], learning_rate=0.01, steps=60, warn=False)
    page = tg.report(history, model, x, x[:, 0])
    assert told(page)["open"] and len(page.html.encode()) < 5_000_000


def test_a_model_that_the_page_cannot_compute_is_reported_all_the_same():
    random = np.random.default_rng(0)
    images = random.standard_normal((30, 1, 6, 6)).astype(np.float32)
    labels = np.arange(30) % 3
    model = tg.nn.Sequential(
        tg.nn.Conv2d(1, 2, 3, generator=0), tg.nn.ReLU(), tg.nn.Flatten(),
        tg.nn.Linear(32, 3, generator=0),
    )  # fmt: skip
    history = tg.fit(model, images, labels, loss=tg.losses.cross_entropy, steps=4, warn=False)
    run = told(tg.report(history, model, images, labels, loss=tg.losses.cross_entropy))
    assert not run["open"] and len(run["sizes"][0]) == 4
    assert np.array(run["confusion"][0]).sum() == 30


def test_another_loss_is_reported_without_what_needs_its_formula(students):
    z = (students.sat_sum - 103) / 14
    line, history = line_run(z, students.fy_gpa, loss=tg.losses.mae, steps=20)
    run = told(tg.report(history, line, z, students.fy_gpa, loss=tg.losses.mae))
    assert run["loss"] == "mae" and not run["open"] and run["surface"] is not None


@pytest.mark.slow
def test_a_line_on_several_features_has_a_page(students):
    x = np.column_stack([students.sat_v, students.sat_m, students.hs_gpa])
    scaling = tg.data.Standardizer().fit(x)
    model = tg.nn.Linear(3, 1, dtype=np.float64, generator=0)
    z = scaling.transform(x)
    history = tg.fit(model, z, students.fy_gpa, learning_rate=0.1, steps=50, warn=False)
    run = told(tg.report(history, model, z, students.fy_gpa, x_scaling=scaling))
    line = tg.linear.closed_form(x, students.fy_gpa)
    assert run["line"] and run["open"] and run["surface"]["kind"] == "principal"
    assert run["closed_form"]["slope"] == pytest.approx(line.slope.tolist(), rel=1e-8)


@pytest.mark.slow
def test_what_is_reported_on_is_left_alone(network):
    model, history, x, y, _ = network
    before = model.state_dict()
    model.train()
    state, losses = np.random.get_state()[1].copy(), list(history.losses)  # noqa: NPY002
    tg.report(history, model, x, y)
    assert model.training and all(p.grad is not None or p.grad is None for p in model.parameters())
    assert all((before[name] == w).all() for name, w in model.state_dict().items())
    assert (np.random.get_state()[1] == state).all() and history.losses == losses  # noqa: NPY002


# ---- files, notebooks, refusals


@pytest.mark.slow
def test_the_page_is_written_whole_and_shown_in_a_frame(sat, tmp_path):
    line, history, z, y, page = sat
    path = tmp_path / "page.html"
    again = tg.report(history, line, z, y, path=path)
    assert path.read_text(encoding="utf-8") == again.html and list(tmp_path.iterdir()) == [path]
    (frame,) = Elements(page._repr_html_()).all("iframe")
    assert frame[0]["srcdoc"] == page.html
    assert repr(page).startswith("Report(0.")


@pytest.mark.slow
def test_what_does_not_fit_together_is_refused(sat, tmp_path):
    line, history, z, y, _ = sat
    other = tg.nn.MLP(1, [2], 1)
    with pytest.raises(ArgumentError, match="the history comes first"):
        tg.report(line, history, z, y)
    with pytest.raises(ArgumentError, match="history must be that of this model"):
        tg.report(history, other, z, y)
    with pytest.raises(ShapeError, match="x_names must have a name for each of the 1 columns"):
        tg.report(history, line, z, y, x_names=["a", "b"])
    other = tg.data.Standardizer().fit(np.eye(3))
    with pytest.raises(ShapeError, match="x_scaling must be a Standardizer fitted to 1 columns"):
        tg.report(history, line, z, y, x_scaling=other)
    with pytest.raises(ShapeError, match=r"y_scaling must be .* got one that isn't fitted"):
        tg.report(history, line, z, y, y_scaling=tg.data.Standardizer())
    labels = {"loss": tg.losses.cross_entropy, "labels": ["one"]}
    with pytest.raises(ShapeError, match="labels must have a label for each class from 0 to 1"):
        tg.report(history, line, z, np.arange(1000) % 2, **labels)
    with pytest.raises(ArgumentError, match=r"y must be finite .* in row 3"):
        tg.report(history, line, z, np.where(np.arange(1000) == 3, np.nan, y))
    with pytest.raises(DataFileError, match="cannot be written"):
        tg.report(history, line, z, y, path=tmp_path / "none" / "page.html")


# ---- the command


@pytest.mark.slow
def test_fit_writes_the_lesson_as_a_page_below_a_megabyte(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["fit", "--report", "lesson.html"]) == 0
    assert "Saved the page: lesson.html" in capsys.readouterr().out
    page = (tmp_path / "lesson.html").read_bytes()
    assert len(page) < 1_000_000


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ["rows.csv", "--x", "a b", "--x", "c", "--y", "kind of", "--seed", "3", "--steps", "20"],
        ["rows.csv", "--x", "c", "--y", "d", "--hidden", "3,2", "--batch-size", "4"],
        ["rows.csv", "--x", "c", "--y", "d", "--no-standardize", "--lr", "0.001"],
        ["rows.csv", "--x", "a b", "--y", "k", "--classes", "--test", "0.3", "--steps", "9"],
    ],
    ids=" ".join,
)
def test_the_command_on_a_page_makes_the_same_page_again(arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    kinds = ["x", "</script>"]
    rows = "".join(f"{i},{i * i % 7},{i + i % 3},{kinds[i % 2]},{i % 2}\n" for i in range(20))
    (tmp_path / "rows.csv").write_text("a b,c,d,kind of,k\n" + rows, encoding="utf-8")
    assert main(["fit", *arguments, "--report", "page.html"]) == 0
    first = (tmp_path / "page.html").read_text(encoding="utf-8")
    (text,) = [t for a, t in Elements(first).all("script") if "type" in a]
    program, *again = shlex.split(json.loads(text)["command"])
    assert program == "tinygrad-lr" and main(again) == 0
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == first


@pytest.mark.parametrize(
    ("page", "said"), [("page.pdf", "must be .html"), ("rows.csv", "must be .html")]
)
def test_a_page_needs_a_name_of_its_own(page, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n2,3\n3,5\n", encoding="utf-8")
    assert main(["fit", "rows.csv", "--x", "a", "--y", "b", "--report", page]) == 1
    error = capsys.readouterr().err
    assert (said in error or "got the same file as" in error) and error.count("\n") == 1
