"""Pictures of a network's training: its landscape, its borders, its curves."""

from __future__ import annotations

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr.errors import ArgumentError, DtypeError, LabelError, ShapeError

pytest.importorskip("matplotlib", reason="the extra `plot` is not installed")

from pictures import MODEL, lines, saved, texts

from tinygrad_lr.plot.descent import boundary, landscape
from tinygrad_lr.plot.descent.frame_selection import select_frames
from tinygrad_lr.plot.descent.loss_surface import principal_directions

LOSS = tg.losses.cross_entropy
MOONS = tg.datasets.moons(80, noise=0.2, generator=1)


def trained(steps=60, **options):
    """A small network and its history on two moons."""
    network = tg.nn.MLP(2, [6], 2, "tanh", generator=1)
    adam = tg.optim.Adam(network.parameters(), options.pop("rate", 0.05))
    if "epochs" not in options:
        options["steps"] = steps
    return network, tg.fit(network, MOONS.x, MOONS.y, loss=LOSS, optimizer=adam, **options)


NETWORK, HISTORY = trained()


@pytest.fixture(autouse=True)
def coarse(monkeypatch):
    """Fewer points, which take less time."""
    monkeypatch.setattr(landscape, "GRIDS", (15, 7))
    monkeypatch.setattr(boundary, "GRID", 40)


def heights_of(monkeypatch, **options):
    """Return the places along the axes of a landscape, and its losses."""
    seen = []
    draw = landscape.draw_contours
    monkeypatch.setattr(landscape, "draw_contours", lambda *a: (seen.append(a[1:]), draw(*a)))
    tg.plot.loss_landscape(NETWORK, MOONS.x, MOONS.y, loss=LOSS, **options)
    return seen[0]


@pytest.mark.slow
def test_the_middle_of_the_landscape_is_the_loss_of_the_model(monkeypatch):
    a, b, heights = heights_of(monkeypatch)
    expected = tg.train.evaluate(NETWORK, MOONS.x, MOONS.y, loss=LOSS)["loss"]
    assert (a[7], b[7]) == (0, 0) and heights[7, 7] == pytest.approx(expected, rel=1e-6)


@pytest.mark.slow
def test_a_place_of_the_landscape_is_the_loss_with_those_weights(monkeypatch):
    a, b, heights = heights_of(monkeypatch, generator=5)
    random = np.random.default_rng(5)
    center = {name: p.numpy() for name, p in NETWORK.named_parameters()}
    d1, d2 = (landscape._draw_direction(center, random) for _ in range(2))
    other = tg.nn.MLP(2, [6], 2, "tanh")
    moved = {n: (w + a[3] * d1[n] + b[11] * d2[n]).astype(np.float32) for n, w in center.items()}
    other.load_state_dict(moved)
    expected = tg.train.evaluate(other, MOONS.x, MOONS.y, loss=LOSS)["loss"]
    assert heights[11, 3] == pytest.approx(expected, rel=1e-5)


def test_each_filter_of_a_direction_is_as_long_as_that_of_the_weights():
    layer, kernel = tg.nn.Linear(3, 4), tg.nn.Conv2d(2, 5, 3)
    center = {"w": layer.weight.numpy(), "b": layer.bias.numpy(), "k": kernel.weight.numpy()}
    found = landscape._draw_direction(center, np.random.default_rng(0))
    for axes, name in (((0,), "w"), ((1, 2, 3), "k")):
        lengths = [np.sqrt((w**2).sum(axis=axes)) for w in (found[name], center[name])]
        np.testing.assert_allclose(*lengths, rtol=1e-5)
    assert not found["b"].any()


@pytest.mark.slow
def test_a_seed_gives_the_same_landscape_and_another_seed_another():
    def picture(seed):
        return saved(tg.plot.loss_landscape(NETWORK, MOONS.x, MOONS.y, loss=LOSS, generator=seed))

    assert picture(3) == picture(3) != picture(4)


def test_the_plane_of_the_path_is_that_of_its_principal_components():
    path = np.concatenate([w.reshape(len(w), -1) for w in HISTORY.weights.values()], axis=1)
    away = path.astype(float) - path[-1]
    directions, lengths = principal_directions(away)
    values, axes = np.linalg.svd(away, full_matrices=False)[1:]
    np.testing.assert_allclose(np.abs(np.diag(directions @ axes[:2].T)), 1, rtol=1e-6)
    np.testing.assert_allclose(lengths, values)
    assert (directions @ away[0] < 0).all()
    share = (values[:2] ** 2).sum() / (values**2).sum()
    told = "\n".join(texts(tg.plot.loss_landscape(
        NETWORK, MOONS.x, MOONS.y, HISTORY, loss=LOSS, plane="path"
    )))  # fmt: skip
    assert f"with {share:.0%} of its squared length" in told and "start" in told


def test_a_path_in_a_random_plane_tells_how_little_of_it_is_seen():
    figure = tg.plot.loss_landscape(NETWORK, MOONS.x, MOONS.y, HISTORY, loss=LOSS)
    assert "of the distance from the start" in "\n".join(texts(figure))


@pytest.mark.slow
def test_a_landscape_of_many_rows_or_columns_is_bounded(monkeypatch):
    monkeypatch.setattr(landscape, "MAX_WORK", 1e6)
    x = np.random.default_rng(0).normal(size=(400, 10_000)).astype(np.float32)
    model = tg.nn.Linear(10_000, 1, generator=0)
    history = tg.fit(model, x, x[:, 0], learning_rate=1e-5, steps=3)
    figure = tg.plot.loss_landscape(model, x, x[:, 0], history)
    assert "over 58 of 400 rows" in "\n".join(texts(figure))
    names = [f"column {i}" for i in range(10_000)]
    figure = tg.plot.loss_over_weight(model, x[:50], x[:50, 0], history, x_name=names)
    assert figure.axes[0].get_xlabel().startswith("w, the weight of column")


@pytest.mark.slow
def test_a_network_with_a_running_mean_is_looked_at_as_it_is():
    network = tg.nn.Sequential(tg.nn.Linear(2, 4), tg.nn.BatchNorm1d(4), tg.nn.Linear(4, 2))
    history = tg.fit(network, MOONS.x, MOONS.y, loss=LOSS, learning_rate=0.1, steps=10)
    before = network.state_dict()
    tg.plot.loss_landscape(network, MOONS.x, MOONS.y, history, loss=LOSS)
    tg.plot.decision_boundary(network, MOONS.x, MOONS.y, history)
    assert all((before[name] == array).all() for name, array in network.state_dict().items())
    assert network.training


@pytest.mark.slow
def test_the_last_border_is_that_of_the_model():
    figure = tg.plot.decision_boundary(NETWORK, MOONS.x, MOONS.y, HISTORY)
    right = np.mean(tg.train.predict(NETWORK, MOONS.x).argmax(axis=1) == MOONS.y)
    assert f"{right:.1%} of 80 rows correct" in "\n".join(texts(figure)[-60:])
    border = figure.axes[-1].collections[0].get_paths()[0].vertices
    logits = tg.train.predict(NETWORK, border.astype(np.float32))
    assert np.abs(logits[:, 0] - logits[:, 1]).max() < 0.2


def test_the_borders_tell_their_steps_and_losses():
    figure = tg.plot.decision_boundary(NETWORK, MOONS.x, MOONS.y, HISTORY, steps=[0, 9, 10_000])
    assert [panel.get_title("left") for panel in figure.axes] == ["Step 0", "Step 9", "Step 60"]
    assert f"loss {HISTORY.losses[9]:.4g}, " in "\n".join(texts(figure))


@pytest.mark.slow
def test_the_names_of_features_and_classes_are_literal():
    names = {"x_names": ["$a^2$", "<i>"], "y_name": "$y$", "labels": ["<script>", "\\frac{"]}
    figure = tg.plot.decision_boundary(NETWORK, MOONS.x, MOONS.y, HISTORY, steps=[60], **names)
    assert {"$a^2$", "<i>", "$y$", "<script>", "\\frac{"} <= set(texts(figure))
    assert b"<script>" not in saved(figure, "svg")


@pytest.mark.parametrize("sides", [(0, 1), (-1, 1)])
def test_one_output_tells_two_classes_apart(sides):
    network = tg.nn.MLP(2, [4], 1, "tanh", generator=0)
    y = np.where(MOONS.y == 1, *sides[::-1]).astype(float)
    loss = tg.losses.hinge if -1 in sides else tg.losses.binary_cross_entropy
    history = tg.fit(network, MOONS.x, y, loss=loss, learning_rate=0.5, steps=50)
    right = np.mean((tg.train.predict(network, MOONS.x)[:, 0] > 0) == (MOONS.y == 1))
    figure = tg.plot.decision_boundary(network, MOONS.x, y, history, steps=[50])
    assert f"{right:.1%} of 80 rows correct" in "\n".join(texts(figure))


def test_the_moments_of_a_descent_are_its_first_its_last_and_some_between():
    chosen = select_frames("a picture", HISTORY, 6)
    assert chosen[0] == 0 and chosen[-1] == 60 and len(chosen) == 6
    parts = np.sqrt(np.array(HISTORY.losses)[chosen] - HISTORY.losses[-1])
    np.testing.assert_allclose(parts / parts[0], np.linspace(1, 0, 6), atol=0.1)


@pytest.mark.slow
def test_the_curves_are_the_history():
    _, history = trained(
        epochs=15, batch_size=16, validation=0.25, metrics="accuracy",
        rate=tg.schedules.Exponential(0.05, factor=0.9),
    )  # fmt: skip
    figure = tg.plot.learning_curves(history)
    loss, accuracy, rate = figure.axes
    names = [panel.get_ylabel() for panel in figure.axes]
    assert names == ["loss", "accuracy", "learning rate"]
    behind, mean, held_out = loss.get_lines()[:3]
    np.testing.assert_array_equal(behind.get_ydata(), history.losses)
    np.testing.assert_array_equal(mean.get_ydata(), [e["loss"] for e in history.evaluations])
    told = [e["validation_loss"] for e in history.evaluations]
    np.testing.assert_array_equal(held_out.get_ydata(), told)
    np.testing.assert_array_equal(held_out.get_xdata(), [e["step"] for e in history.evaluations])
    np.testing.assert_array_equal(
        accuracy.get_lines()[1].get_ydata(), [e["validation_accuracy"] for e in history.evaluations]
    )
    np.testing.assert_array_equal(rate.get_lines()[0].get_ydata(), history.learning_rates)
    best = history.evaluations[int(np.argmin(told))]
    assert f"best: {best['validation_loss']:.4g} at step {best['step']}" in texts(figure)


def test_the_best_step_is_the_one_that_early_stopping_restored():
    _, history = trained(epochs=200, batch_size=8, validation=0.3, early_stopping=3, rate=0.3)
    assert history.best_step is not None
    told = "\n".join(texts(tg.plot.learning_curves(history)))
    assert f"at step {history.best_step}" in told and "stopped early after" in told


def test_a_plain_sequence_of_losses_is_a_curve():
    for given in ([3.0, 2.0, 1.0], np.array([3.0, 2.0, 1.0]), {"loss": [3, 2, 1]}):
        panel = tg.plot.learning_curves(given).axes[0]
        np.testing.assert_array_equal(lines(panel, MODEL)[0].get_ydata(), [3, 2, 1])


def test_losses_over_decades_get_a_logarithmic_scale():
    assert tg.plot.learning_curves([1000.0, 1.0]).axes[0].get_yscale() == "log"
    assert tg.plot.learning_curves([1000.0, 0.0]).axes[0].get_yscale() == "linear"


def test_metrics_can_be_chosen_and_unknown_ones_are_refused():
    _, history = trained(20, metrics=["accuracy", "f1"])
    panels = tg.plot.learning_curves(history, metrics="f1").axes
    assert [panel.get_ylabel() for panel in panels] == ["loss", "f1"]
    with pytest.raises(
        ArgumentError, match=r"metrics must be names in the history \(accuracy, f1\)"
    ):
        tg.plot.learning_curves(history, metrics=["recall"])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Glyph")  # where no font has them
def test_numbers_that_cannot_be_drawn_are_counted_and_names_are_literal():
    curves = {"$a$ <script>\n点": [1.0, np.nan, np.inf, 1e308, 2.0], "b": [-1e160, 1.0]}
    figure = tg.plot.learning_curves(curves, title="<b>$x$")
    told = texts(figure)
    assert "3 values not finite or beyond 1e150: not drawn" in told
    assert "<b>$x$" in told and "$a$ <script> 点" in told
    assert b"<script>" not in saved(tg.plot.learning_curves({"<script>": [1.0]}), "svg")
    assert len(saved(tg.plot.learning_curves([np.nan]))) > 2_000
    assert len(saved(tg.plot.learning_curves([5.0]))) > 2_000


@pytest.mark.slow
def test_a_divergence_can_be_drawn_in_every_way():
    network, history = trained(200, rate=1e4, warn=False)
    history.losses[-1] = np.inf
    for array in history.weights.values():
        array[-1] = np.nan
    history.reason = "diverged"
    for figure in (
        tg.plot.learning_curves(history),
        tg.plot.decision_boundary(network, MOONS.x, MOONS.y, history),
        tg.plot.loss_landscape(network, MOONS.x, MOONS.y, history, loss=LOSS, plane="path"),
        tg.plot.loss_landscape(network, MOONS.x, MOONS.y, history, loss=LOSS, dark=True),
        tg.plot.loss_over_weight(network, MOONS.x, MOONS.y, history, loss=LOSS),
    ):
        assert len(saved(figure)) > 5_000


def test_what_does_not_fit_a_networks_pictures_is_refused():
    x, y = MOONS
    with pytest.raises(ShapeError, match="x must have two features"):
        tg.plot.decision_boundary(tg.nn.Linear(1, 1), x[:, 0], y, _empty(tg.nn.Linear(1, 1)))
    with pytest.raises(LabelError, match="y must be labels from 0 to 1"):
        tg.plot.decision_boundary(NETWORK, x, y + 1, HISTORY)
    with pytest.raises(ShapeError, match="labels must be 2 names, one for each class"):
        tg.plot.decision_boundary(NETWORK, x, y, HISTORY, labels=["a"])
    with pytest.raises(ShapeError, match="names of x must be 2"):
        tg.plot.decision_boundary(NETWORK, x, y, HISTORY, x_names=["a"])
    with pytest.raises(ArgumentError, match="plane must be 'random' or 'path'"):
        tg.plot.loss_landscape(NETWORK, x, y, loss=LOSS, plane="sky")
    with pytest.raises(ArgumentError, match="history must be given for plane='path'"):
        tg.plot.loss_landscape(NETWORK, x, y, loss=LOSS, plane="path")
    with pytest.raises(ArgumentError, match="reach must be a finite number > 0"):
        tg.plot.loss_landscape(NETWORK, x, y, loss=LOSS, reach=0)
    with pytest.raises(ArgumentError, match="generator must be a numpy"):
        tg.plot.loss_landscape(NETWORK, x, y, loss=LOSS, generator="a")
    with pytest.raises(ArgumentError, match="with at least one value"):
        tg.plot.learning_curves([])
    with pytest.raises((DtypeError, ShapeError), match="loss must"):
        tg.plot.learning_curves([[1.0, 0.5], 3.0])
    with pytest.raises((DtypeError, ShapeError), match="loss must"):
        tg.plot.learning_curves(["a"])


def _empty(model):
    return tg.fit(model, [0.0], [0.0], steps=0)


def test_logits_become_probabilities_that_add_up_to_one():
    logits = np.array([[0.0, np.log(3.0), -np.inf], [1e3, 1e3, 1e3]])
    expected = [[1 / 4, 3 / 4, 0.0], [1 / 3, 1 / 3, 1 / 3]]
    np.testing.assert_allclose(boundary._compute_probabilities("a picture", logits), expected)


def test_the_share_of_the_way_in_a_plane_is_its_length_there_over_its_length():
    directions, start = np.array([[1.0, 0.0], [0.0, 0.0]]), np.array([3.0, 4.0])
    assert landscape._describe_share(start, np.array([3.0, 0.0]), directions) == "60%"


@pytest.mark.slow
def test_the_paper_of_each_picture_is_dark_where_it_is_asked_to_be():
    network = tg.nn.MLP(2, [4], 2, "tanh", generator=0)
    run = tg.fit(network, MOONS.x, MOONS.y, loss=LOSS, steps=3)
    for dark in (True, False):
        for figure in (
            tg.plot.loss_landscape(network, MOONS.x, MOONS.y, loss=LOSS, dark=dark),
            tg.plot.decision_boundary(network, MOONS.x, MOONS.y, run, dark=dark),
            tg.plot.learning_curves(run, dark=dark),
        ):
            assert (sum(figure.get_facecolor()[:3]) < 0.5) == dark
