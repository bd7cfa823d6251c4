"""Pictures of an influence: what they draw are the influence's numbers; nothing else is touched."""

from __future__ import annotations

import io

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr.errors import ArgumentError

pytest.importorskip("matplotlib", reason="the extra `plot` is not installed")

import matplotlib
from matplotlib.colors import to_hex
from matplotlib.patches import Circle
from pictures import check_texts

UP, DOWN, STEP = "#d55e00", "#56b4e9", "#009e73"


def influence_of(hidden=(3, 2), activation="tanh", rows=6, inputs=2, **options):
    model = tg.nn.MLP(inputs, list(hidden), 1, activation=activation, dtype=np.float64, generator=2)
    x = np.random.default_rng(0).normal(size=(rows, inputs))
    return tg.influence(model, tg.losses.mse(model(x), np.ones((rows, 1))), **options)


def saved(figure):
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def texts(figure):
    saved(figure)
    found = figure.findobj(lambda artist: hasattr(artist, "get_text"))
    return [text.get_text() for text in found if text.get_text()]


def lines_of(influence):
    """The lines from the units of the data to those of the first layer, by units."""
    lines = tg.plot.network(influence).axes[0].lines
    shape = influence.layers[0].connections.weights.shape
    return {place: lines[i] for i, place in enumerate(np.ndindex(shape))}


def test_a_line_is_as_wide_as_its_weight_is_large():
    found = influence_of()
    weights = np.abs(found.layers[0].connections.weights)
    most = max(np.abs(layer.connections.weights).max() for layer in found.layers)
    for place, line in lines_of(found).items():
        if found.weights[0].index != place:
            assert line.get_linewidth() == pytest.approx(0.4 + 3.6 * weights[place] / most)


def test_the_chosen_weight_has_the_colour_of_its_gradients_sign():
    found = influence_of()
    red, _, blue = lines_of(found)[found.weights[0].index].get_color()
    assert (red > blue) == (found.weights[0].gradient > 0)


def test_units_tell_the_shares_of_the_lit_weight():
    found = influence_of()
    w = found.weights[0]
    told = texts(tg.plot.network(found))
    for part in w.through:
        for share in part.contributions / w.gradient:
            if abs(share) >= 0.005:
                assert f"{round(100 * share)}%".replace("-", "−") in told
    assert any(f"dL/dw = {w.gradient:.4g}".replace("-", "−") in text for text in told)


def test_there_is_a_circle_for_each_unit_and_the_loss():
    ax = tg.plot.network(influence_of()).axes[0]
    assert sum(isinstance(patch, Circle) for patch in ax.patches) == 2 + 3 + 2 + 1 + 1


@pytest.mark.slow
def test_units_that_there_is_no_room_for_are_counted():
    figure = tg.plot.network(influence_of(hidden=(250, 4)))
    assert sum(isinstance(patch, Circle) for patch in figure.axes[0].patches) == 2 + 9 + 4 + 1 + 1
    assert any(text.startswith("… 241 more") for text in texts(figure))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("layers", "width"), [(0, 12), (1, 3), (6, 12), (8, 3), (19, 12), (100, 2)]
)
def test_a_network_of_any_depth_fits_a_page_and_its_texts_are_apart(layers, width):
    found = influence_of([width] * layers, inputs=2 * width)
    for weight in sorted({0, len(found.weights) - 1}):
        figure = tg.plot.network(found, weight, dark=layers == 8)
        assert figure.get_figwidth() <= 17
        check_texts(figure)


@pytest.mark.slow
def test_every_layer_of_twenty_is_drawn_and_of_a_hundred_the_rest_is_counted():
    ax = tg.plot.network(influence_of([3] * 19)).axes[0]
    assert sum(isinstance(patch, Circle) for patch in ax.patches) == 2 + 19 * 3 + 1 + 1
    said = texts(tg.plot.network(influence_of([3] * 99)))
    columns = {round(patch.center[0], 6) for patch in ax.patches if isinstance(patch, Circle)}
    assert len(columns) == 22 and "… 56 more\nlayers …" in said


@pytest.mark.slow
def test_the_columns_of_the_chosen_weight_are_large_and_small_units_are_shaded_by_their_share():
    found = influence_of([4] * 19, weight="layers.20.weight", at=(1, 2))
    circles = [x for x in tg.plot.network(found).axes[0].patches if isinstance(x, Circle)]
    columns = [circles[:2], *(circles[i : i + 4] for i in range(2, 78, 4)), circles[78:79]]
    assert [columns[i][0].radius > 0.2 for i in (0, 1, 2, 9, 10, 11, 12, 17, 18, 19, 20)] == [
        *(True, True, False, False, True, True, False, False, True, True, True)
    ]
    w = found.weights[0]
    shares = np.abs(w.through[12 - 11].contributions / w.gradient)
    inks = [1 - x.get_facecolor()[0] for x in columns[12]]
    expected = np.minimum(shares, 1) * max(inks) / np.minimum(shares, 1).max()
    np.testing.assert_allclose(inks, expected, atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("rate", [None, 1e-4, 0.1, 5.0])
def test_no_text_of_a_slice_or_of_depth_is_cut_or_overlaps(rate):
    for found in (influence_of(), influence_of([8] * 30, "sigmoid")):
        check_texts(tg.plot.loss_slice(found, learning_rate=rate))
        check_texts(tg.plot.gradient_by_depth(found))


@pytest.mark.slow
def test_the_chosen_weights_own_units_are_always_drawn():
    found = influence_of(hidden=(40, 3), weight="layers.0.weight", at=(1, 31))
    assert "31" in texts(tg.plot.network(found))


@pytest.mark.slow
def test_the_sizes_through_depth_are_the_influences():
    found = influence_of(hidden=[4] * 8, activation="sigmoid")
    figure = tg.plot.gradient_by_depth(found)
    line = figure.axes[0].lines[0]
    np.testing.assert_array_equal(line.get_ydata(), [x.delta_norm for x in found.layers])
    factors = figure.axes[1].lines[1].get_ydata()
    expected = [np.median(layer.factor.spectral) for layer in found.layers[1:]]
    np.testing.assert_allclose(factors, expected)
    told = texts(figure)
    assert "The gradient vanishes through depth" in told
    assert any("it vanishes. Each sigmoid multiplies it by" in x.replace("\n", " ") for x in told)


def test_the_slice_is_the_loss_and_its_tangent_has_the_gradients_slope():
    found = influence_of(weight="layers.0.weight", at=(0, 1))
    w = found.weights[0]
    ax = tg.plot.loss_slice(found, learning_rate=0.5).axes[0]
    curve, tangent = ax.lines[:2]
    for x, y in list(zip(*curve.get_data(), strict=True))[::20]:
        assert y == pytest.approx(w.loss_at(x))
    slope = np.diff(tangent.get_ydata()) / np.diff(tangent.get_xdata())
    assert slope == pytest.approx(w.gradient)
    assert to_hex(tangent.get_color()) == (UP if w.gradient > 0 else DOWN)


def test_the_step_lands_where_descent_does():
    found = influence_of(weight="layers.0.weight", at=(0, 1))
    w = found.weights[0]
    ax = tg.plot.loss_slice(found, learning_rate=0.5).axes[0]
    end = w.value - 0.5 * w.gradient
    landed, promised = ax.lines[-2:]
    assert to_hex(landed.get_color()) == STEP
    assert landed.get_xydata()[0] == pytest.approx([end, w.loss_at(end)])
    assert promised.get_xydata()[0] == pytest.approx([end, w.loss - 0.5 * w.gradient**2])


def test_without_a_learning_rate_there_is_no_step():
    assert not any("learning rate" in x for x in texts(tg.plot.loss_slice(influence_of())))


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True])
def test_all_three_draw_the_same_bytes_twice(dark):
    found = influence_of()
    for draw in (tg.plot.network, tg.plot.gradient_by_depth, tg.plot.loss_slice):
        assert saved(draw(found, dark=dark)) == saved(draw(found, dark=dark))


def test_the_paper_is_dark_where_it_is_asked_to_be():
    for draw in (tg.plot.network, tg.plot.gradient_by_depth, tg.plot.loss_slice):
        assert sum(draw(influence_of(), dark=True).get_facecolor()[:3]) < 0.5


def test_nothing_of_matplotlib_is_changed():
    before = dict(matplotlib.rcParams)
    saved(tg.plot.network(influence_of()))
    assert dict(matplotlib.rcParams) == before


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:invalid value")
def test_numbers_that_are_not_finite_break_no_picture():
    model = tg.nn.MLP(2, [3, 3], 1, dtype=np.float64, generator=0)
    model[0].weight.data = np.full((2, 3), np.inf)
    found = tg.influence(model, tg.losses.mse(model(np.ones((3, 2))), np.ones((3, 1))))
    for draw in (tg.plot.network, tg.plot.gradient_by_depth, tg.plot.loss_slice):
        assert saved(draw(found))


@pytest.mark.slow
def test_dead_networks_break_no_picture():
    model = tg.nn.MLP(2, [3, 3], 1, dtype=np.float64, generator=0)
    model[0].bias.data = np.full(3, -90.0)
    found = tg.influence(model, tg.losses.mse(model(np.ones((3, 2))), np.ones((3, 1))))
    for draw in (tg.plot.network, tg.plot.gradient_by_depth, tg.plot.loss_slice):
        assert saved(draw(found))


def test_names_are_shown_literally():
    w = tg.Value(1.0, name="$x^2$ <b>")
    found = tg.influence(None, (w * 2.0 - 1.0) ** 2)
    assert any("$x^2$ <b>" in text for text in texts(tg.plot.network(found)))


def test_what_cannot_be_drawn_is_refused_in_a_sentence():
    found = influence_of()
    for draw in (tg.plot.network, tg.plot.loss_slice):
        for weight in (3, "W₁", 0.5, -1):
            with pytest.raises(ArgumentError, match="weight must be an integer from 0 to"):
                draw(found, weight)
    for draw in (tg.plot.network, tg.plot.loss_slice, tg.plot.gradient_by_depth):
        with pytest.raises(ArgumentError, match=r"pass tg.influence\(model, loss\)"):
            draw(tg.nn.Linear(1, 1))
    with pytest.raises(ArgumentError, match="learning_rate must be a finite number > 0"):
        tg.plot.loss_slice(found, learning_rate=0.0)
    with pytest.raises(ArgumentError, match="must have at least two layers, got 1"):
        tg.plot.gradient_by_depth(influence_of(hidden=()))
    conv = tg.nn.Sequential(tg.nn.Conv2d(1, 2, 2, generator=0), tg.nn.Flatten())
    loss = np.mean(conv(np.ones((2, 1, 3, 3), np.float32)) ** 2)
    with pytest.raises(ArgumentError, match="a single weight between two units"):
        tg.plot.network(tg.influence(conv, loss))
    w = tg.Value(1.0)
    with pytest.raises(ArgumentError, match="a loss with layers"):
        tg.plot.network(tg.influence(None, w * w, weight=w))


def test_the_dotted_line_has_the_slope_and_the_curvature():
    found = influence_of()
    w = found.weights[0]
    ax = tg.plot.loss_slice(found).axes[0]
    (dotted,) = (line for line in ax.lines if line.get_linestyle() == ":")
    places, heights = map(np.asarray, dotted.get_data())
    moved = places - w.value
    expected = w.loss + w.gradient * moved + 0.5 * w.curvature * moved**2
    seen = np.isfinite(heights)
    assert seen.sum() > 20
    np.testing.assert_allclose(heights[seen], expected[seen])


def test_the_picture_of_depth_draws_the_lengths_and_the_factors_that_it_names():
    found = influence_of(hidden=(4, 3, 2), rows=7)
    sizes, factors = tg.plot.gradient_by_depth(found).axes
    hidden, owned = (line.get_ydata() for line in sizes.lines[:2])
    np.testing.assert_allclose(hidden, [np.linalg.norm(x.delta) for x in found.layers])
    whole = [np.concatenate([p.gradient.ravel() for p in x.parameters]) for x in found.layers]
    np.testing.assert_allclose(owned, [np.linalg.norm(x) for x in whole])
    spectral = [x.factor.spectral for x in found.layers[1:]]
    (bars,) = factors.collections
    ends = [segment[:, 1] for segment in bars.get_segments()]
    np.testing.assert_allclose(ends, [(x.min(), x.max()) for x in spectral])
    (slopes,) = (line for line in factors.lines if line.get_marker() == "D")
    means = [np.abs(x.activations[0].slopes).mean() for x in found.layers[:-1]]
    np.testing.assert_allclose(slopes.get_ydata(), means)


@pytest.mark.slow
def test_the_band_of_vanishing_ends_at_a_thousandth_of_the_last_layers_gradient():
    found = influence_of(hidden=[8] * 10, activation="sigmoid")
    (band,) = tg.plot.gradient_by_depth(found).axes[0].patches
    bottom, top = band.get_bbox().intervaly
    assert bottom < top == pytest.approx(1e-3 * found.layers[-1].delta_norm)
