"""Pictures of a descent: the numbers drawn are the run's own, whatever the data and the names."""

from __future__ import annotations

import subprocess
import sys
import threading

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr.errors import ArgumentError, DtypeError, ShapeError

pytest.importorskip("matplotlib", reason="the extra `plot` is not installed")

from pictures import MODEL, STEP, TRUTH, lines, saved, texts

from tinygrad_lr.plot import descent_figure, loss_of
from tinygrad_lr.plot.style import clean_name

pytestmark = pytest.mark.slow


class Run:
    """A line through the SAT data, learnt on standardised scores, and its picture."""

    def __init__(self, x, y, model=None, rate=0.1, steps=200, standard=True, **labels):
        scaling = tg.data.Standardizer().fit(x)
        self.x, self.y = x, y
        self.z = scaling.transform(x) if standard else x
        self.model = model or tg.nn.Linear(1, 1, dtype=np.float64, generator=0)
        if model is None:
            for parameter in self.model.parameters():
                parameter.data = np.zeros(parameter.shape)
        self.history = tg.fit(self.model, self.z, y, learning_rate=rate, steps=steps, warn=False)
        self.labels = labels
        self.transform = scaling.transform if standard else lambda rows: rows

    def predict(self, rows):
        rows = self.transform(rows)
        return self.model(rows[:, None] if rows.ndim == 1 else rows).numpy()

    def figure(self, **options):
        given = {
            "predict": self.predict,
            "history": self.history,
            "loss_at": loss_of(self.model, self.z, self.y),
        }
        return descent_figure(self.x, self.y, **{**given, **self.labels, **options})


@pytest.fixture(scope="module")
def students():
    return tg.datasets.sat_gpa()


@pytest.fixture(scope="module")
def sat(students):
    return Run(students.sat_sum, students.fy_gpa, x_name="sat_sum", y_name="fy_gpa")


def test_the_points_are_the_data(sat):
    (points,) = sat.figure().axes[0].collections
    np.testing.assert_array_equal(points.get_offsets(), np.column_stack([sat.x, sat.y]))


def test_the_bold_line_is_what_was_learnt(sat):
    (bold,) = lines(sat.figure().axes[0], MODEL)
    x, y = bold.get_data()
    np.testing.assert_allclose(y, sat.predict(x)[:, 0], rtol=1e-12)
    assert (x.min(), x.max()) == (sat.x.min(), sat.x.max())


def test_the_thin_line_is_the_closed_form(sat):
    line = tg.linear.closed_form(sat.x, sat.y)
    (thin,) = lines(sat.figure(closed_form=line).axes[0], TRUTH)
    np.testing.assert_allclose(thin.get_ydata(), line.predict(thin.get_xdata()), rtol=1e-12)


def test_the_loss_curve_is_the_history(sat):
    curve = lines(sat.figure().axes[1], MODEL)[0]
    np.testing.assert_array_equal(curve.get_xdata(), np.arange(len(sat.history.losses)))
    np.testing.assert_array_equal(curve.get_ydata(), sat.history.losses)


def test_the_reference_of_the_loss_is_that_of_the_closed_form(sat):
    line = tg.linear.closed_form(sat.x, sat.y)
    panel = sat.figure(closed_form=line).axes[1]
    assert lines(panel, TRUTH)[0].get_ydata()[0] == line.mse
    assert any("closed form 0.4321" in text.get_text() for text in panel.texts)


def test_the_hill_is_the_loss_over_w(sat):
    hill = lines(sat.figure().axes[2], TRUTH)[0]
    b = sat.model.bias.data[0]
    expected = [np.mean((w * sat.z + b - sat.y) ** 2) for w in hill.get_xdata()]
    np.testing.assert_allclose(hill.get_ydata(), expected, rtol=1e-10)


def test_the_path_is_where_descent_went(sat):
    path = lines(sat.figure().axes[2], STEP)[0]
    w, heights = path.get_data()
    track = sat.history.weights["weight"].ravel()
    np.testing.assert_array_equal(w[:12], track[:12])
    assert w[-1] == track[-1] and np.isin(w, track).all()
    b = sat.model.bias.data[0]
    np.testing.assert_allclose(heights, [np.mean((v * sat.z + b - sat.y) ** 2) for v in w])


def test_the_tangent_has_the_slope_of_the_first_step(sat):
    figure = sat.figure()
    (tangent,) = lines(figure.axes[2], "#56B4E9")  # negative: sky blue
    rise = np.diff(tangent.get_ydata()) / np.diff(tangent.get_xdata())
    expected = 2 * np.mean((sat.model.bias.data[0] - sat.y) * sat.z)
    np.testing.assert_allclose(rise, expected, rtol=1e-9)
    assert f"slope {expected:.4g}".replace("-", "−") in texts(figure)


def test_the_direction_of_the_step_is_told_in_words(sat):
    assert any("negative, so w moves right" in text for text in texts(sat.figure()))


def test_losses_over_decades_get_a_logarithmic_scale(students):
    x = np.arange(10.0)
    assert Run(x, 2 * x + 1).figure().axes[1].get_yscale() == "log"
    assert Run(students.sat_sum, students.fy_gpa).figure().axes[1].get_yscale() == "linear"


def test_several_features_are_drawn_as_predicted_against_observed(students):
    x = np.column_stack([students.sat_v, students.sat_m, students.hs_gpa])
    model = tg.nn.Linear(3, 1, dtype=np.float64, generator=0)
    run = Run(x, students.fy_gpa, model, x_name=["sat_v", "sat_m", "hs_gpa"], y_name="fy_gpa")
    figure = run.figure(closed_form=tg.linear.closed_form(x, students.fy_gpa))
    expected = np.column_stack([run.y, run.predict(x)[:, 0]])
    np.testing.assert_array_equal(figure.axes[0].collections[0].get_offsets(), expected)
    assert figure.axes[0].get_xlabel() == "fy_gpa, observed"
    tracks = run.history.weights["weight"][:, :, 0]
    furthest = ["sat_v", "sat_m", "hs_gpa"][np.abs(tracks - tracks[0]).max(axis=0).argmax()]
    assert figure.axes[2].get_xlabel() == f"w, the weight of {furthest}"


def test_a_network_shows_its_curve_and_the_weight_that_moved_furthest():
    x = np.linspace(-3, 3, 50)
    model = tg.nn.MLP(1, [8, 8], 1, "tanh", dtype=np.float64, generator=0)
    run = Run(x, np.sin(x), model)
    figure = run.figure()
    assert "learnt: a curve" in texts(figure)
    moved = {
        (name, *place): abs(w[-1] - w[0])[place]
        for name, w in run.history.weights.items()
        for place in np.ndindex(w.shape[1:])
        if name.endswith("weight")
    }
    name, *place = max(moved, key=moved.get)
    assert figure.axes[2].get_xlabel() == f"w = {name}{place}"


def test_a_divergence_is_drawn_from_the_weights_that_were_kept(students):
    run = Run(students.sat_sum, students.fy_gpa, rate=0.001, steps=1000, standard=False)
    assert run.history.reason == "diverged"
    figure = run.figure()
    assert figure.axes[1].get_yscale() == "log" and len(saved(figure)) > 10_000
    assert any(text.startswith("kept: w = 0") for text in texts(figure))


@pytest.mark.parametrize("size", [1e308, 1e-308, 1e160, 1.0])
def test_any_finite_numbers_can_be_drawn(size):
    x = np.array([-1.0, 0.0, 1.0]) * size
    run = Run(x, x, rate=0.1, steps=20, standard=False)
    assert len(saved(run.figure())) > 10_000


def test_rows_and_losses_that_cannot_be_drawn_are_counted():
    x = np.array([0.0, 1.0, 2.0, 3.0])
    run = Run(x, x)
    run.x, run.y = np.array([0.0, np.nan, np.inf, 1e308]), np.array([0.0, 1.0, 2.0, 3.0])
    run.history.losses[3] = np.nan
    run.history.losses[4] = np.inf
    figure = descent_figure(
        run.x,
        run.y,
        predict=lambda rows: np.full(len(rows), np.nan),
        history=run.history,
        loss_at=lambda weights: np.nan,
    )
    told = texts(figure)
    assert "3 rows not finite or beyond 1e150: not drawn" in told
    assert "2 losses not finite or beyond 1e150: not drawn" in told


def test_a_run_without_a_step_can_be_drawn():
    run = Run(np.array([1.0, 2.0, 4.0]), np.array([1.0, 3.0, 2.0]), steps=0)
    assert len(saved(run.figure())) > 10_000


def test_one_row_can_be_drawn():
    run = Run(np.array([2.0]), np.array([5.0]), standard=False)
    assert len(saved(run.figure())) > 10_000


@pytest.mark.parametrize("name", ["price in $ (or $^2$)", "<script>&amp;", r"\frac{a", "a\nb\tc"])
@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_names_are_shown_literally(name, kind):
    run = Run(np.arange(5.0), np.arange(5.0), x_name=name, y_name=name)
    figure = run.figure(w_label=name, closed_form=tg.linear.closed_form(run.x, run.y))
    assert figure.axes[0].get_xlabel() == clean_name(name) == " ".join(name.split())
    assert not figure.axes[0].xaxis.label.get_parse_math()
    content = saved(figure, kind)
    assert b"<script>" not in content


def test_a_long_name_is_shortened_in_the_middle():
    assert clean_name("a" * 50 + "b" * 50) == "a" * 15 + "…" + "b" * 14


def test_the_model_the_data_and_the_history_are_left_alone(sat):
    before = sat.model.state_dict(), list(sat.history.losses), sat.x.copy()
    saved(sat.figure())
    assert all((before[0][name] == w).all() for name, w in sat.model.state_dict().items())
    assert before[1] == sat.history.losses and (before[2] == sat.x).all()


def test_loss_of_is_the_loss_that_fit_saw(sat):
    at = loss_of(sat.model, sat.z, sat.y)
    for record, step in list(enumerate(sat.history.weight_steps))[:5]:
        weights = {name: w[record] for name, w in sat.history.weights.items()}
        assert at(weights) == sat.history.losses[step]


def test_pictures_can_be_drawn_in_threads(sat):
    made = []
    threads = [threading.Thread(target=lambda: made.append(saved(sat.figure()))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 1 and len(made) == 3


def test_neither_pyplot_nor_settings_of_matplotlib_are_touched(tmp_path):
    code = """
import sys, numpy as np, tinygrad_lr as tg, tinygrad_lr.plot
assert not [name for name in sys.modules if name.startswith("matplotlib")]
import matplotlib
before = matplotlib.rcParams.copy()
x = np.arange(4.0)
line = tg.nn.Linear(1, 1)
history = tg.fit(line, x, x, learning_rate=0.01, steps=5)
figure = tinygrad_lr.plot.descent_figure(
    x, x, predict=lambda x: line(np.float32(x[:, None])).numpy(), history=history,
    loss_at=tinygrad_lr.plot.loss_of(line, x, x))
figure.savefig(sys.argv[1])
assert "matplotlib.pyplot" not in sys.modules
assert dict.__eq__(matplotlib.rcParams.copy(), before)
"""
    subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(tmp_path / "out.png")], check=True
    )


def test_without_matplotlib_the_pip_line_is_named(sat, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setitem(sys.modules, "matplotlib.layout_engine", None)
    with pytest.raises(tg.errors.MissingExtraError, match=r"pip install 'tinygrad_lr\[plot\]'"):
        sat.figure()


def test_what_does_not_fit_together_is_refused(sat):
    with pytest.raises(ShapeError, match="x_name a name for each feature"):
        sat.figure(x_name=["a", "b"])
    with pytest.raises(ShapeError, match="predict must return"):
        sat.figure(predict=lambda rows: np.zeros((len(rows), 2)))
    with pytest.raises(DtypeError, match="output of predict must contain integers or floats"):
        sat.figure(predict=lambda rows: np.array(["1"] * len(rows)))
    empty = tg.History([], {}, [], 0, "limit", "", 0.1)
    with pytest.raises(ArgumentError, match="history must be what fit returned for a model"):
        sat.figure(history=empty)
