"""Standardising: one scale for every column, there and back, and a line brought back with it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from tinygrad_lr.data import Standardizer, original_units
from tinygrad_lr.datasets import sat_gpa
from tinygrad_lr.errors import ArgumentError, DtypeError, ShapeError
from tinygrad_lr.linear import closed_form

numbers = st.floats(-1e6, 1e6, allow_subnormal=False)
tables = arrays(np.float64, array_shapes(min_dims=1, max_dims=2, max_side=8), elements=numbers)


def spread(rows, columns, seed=0):
    return np.random.default_rng(seed).normal(size=(rows, columns)) * [1e-3, 1, 1e4][:columns]


@pytest.mark.slow
@given(tables)
def test_there_and_back_is_where_it_began(x):
    scaling = Standardizer().fit(x)
    back = scaling.inverse_transform(scaling.transform(x))
    np.testing.assert_allclose(back, x, rtol=1e-13, atol=1e-14 * abs(x).max())


@pytest.mark.slow
@given(tables)
def test_what_it_gives_is_finite_and_constant_columns_become_zero(x):
    scaling = Standardizer().fit(x)
    z = scaling.transform(x)
    assert np.isfinite(z).all() and (scaling.scale > 0).all()
    assert (z.reshape(len(x), -1)[:, list(scaling.constant)] == 0).all()


@pytest.mark.slow
@given(st.integers(0, 2**32 - 1), st.integers(-8, 8))
def test_standardised_columns_have_mean_zero_and_deviation_one(seed, power):
    x = spread(30, 3, seed) * 10.0**power + 10.0**power
    z = Standardizer().fit(x).transform(x)
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-11)
    np.testing.assert_allclose(z.std(axis=0), 1, rtol=1e-11)


@pytest.mark.parametrize("offset", [0.0, 1e8, 1e15])
def test_the_deviation_is_right_however_far_from_zero(offset):
    scaling = Standardizer().fit(offset + np.array([1.0, 2.0, 3.0]))
    assert scaling.mean == offset + 2
    assert scaling.scale == pytest.approx(math.sqrt(2 / 3), rel=1e-15)


def test_a_constant_column_is_scaled_by_one_and_listed():
    x = np.array([[0.1, 1.0], [0.1, 2.0], [0.1, 4.0]])
    scaling = Standardizer().fit(x)
    assert scaling.constant == (0,) and scaling.scale[0] == 1.0 and scaling.mean[0] == 0.1
    assert scaling.transform(x)[:, 0].tolist() == [0.0, 0.0, 0.0]
    assert Standardizer().fit([3, 3]).constant == (0,)


@pytest.mark.parametrize("rows", [1, 3, 7, 49, 1000])
def test_a_column_is_constant_whatever_its_mean_is_rounded_to(rows):
    x = np.random.default_rng(rows).normal(size=40) * 10.0 ** np.arange(-20, 20)
    scaling = Standardizer().fit(np.tile(x, (rows, 1)))
    assert scaling.constant == tuple(range(40)) and (scaling.mean == x).all()
    assert (scaling.scale == 1).all() and not scaling.transform(np.tile(x, (rows, 1))).any()


def test_a_column_whose_deviation_vanishes_in_float64_is_constant():
    scaling = Standardizer().fit([[0.0, 1.0], [5e-324, 2.0]])
    assert scaling.constant == (0,) and scaling.scale.tolist() == [1.0, 0.5]
    assert np.isfinite(scaling.transform([[5e-324, 1.0]])).all()


@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_huge_and_tiny_numbers_neither_overflow_nor_vanish(scale):
    z = Standardizer().fit(np.array([1.0, 2.0, 3.0]) * scale).transform([2 * scale, 3 * scale])
    assert z == pytest.approx([0, math.sqrt(3 / 2)])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.longdouble])
def test_floats_keep_their_dtype(dtype):
    x = np.array([[1, 5], [2, 7]], dtype=dtype)
    scaling = Standardizer().fit(x)
    z = scaling.transform(x)
    assert z.dtype == dtype and scaling.inverse_transform(z).dtype == dtype


def test_integers_become_float64():
    assert Standardizer().fit([1, 2]).transform([1, 2]).dtype == np.float64


def test_float32_is_measured_in_float64():
    x = np.arange(100_000, dtype=np.float32) + np.float32(1e6)
    wide = x.astype(np.float64)
    scaling = Standardizer().fit(x)
    assert (scaling.mean, scaling.scale) == pytest.approx((wide.mean(), wide.std()), rel=1e-14)


def test_new_rows_are_scaled_by_what_was_learnt():
    scaling = Standardizer().fit([[0.0, 10.0], [2.0, 30.0]])
    assert scaling.transform([3.0, 20.0]).tolist() == [2.0, 0.0]
    assert scaling.transform([[3.0, 20.0]]).tolist() == [[2.0, 0.0]]
    assert Standardizer().fit([0.0, 2.0]).transform(3.0) == 2.0


def test_nan_in_new_rows_stays_nan():
    assert np.isnan(Standardizer().fit([0.0, 2.0]).transform([math.nan, 1.0])).tolist() == [1, 0]


def test_a_line_learnt_on_standardised_scores_comes_back_in_points():
    students = sat_gpa()
    scores, grades = (Standardizer().fit(x) for x in (students.sat_sum, students.fy_gpa))
    learnt = closed_form(scores.transform(students.sat_sum), grades.transform(students.fy_gpa))
    slope, intercept = original_units(learnt.slope, learnt.intercept, scores, grades)
    assert slope == pytest.approx(0.02386573594038181504, rel=1e-13)
    assert intercept == pytest.approx(0.00192737101628743374, rel=1e-10)


@pytest.mark.slow
@given(st.integers(0, 2**32 - 1), st.booleans(), st.sampled_from([(3,), (3, 1), (3, 2)]))
def test_predictions_are_the_same_in_either_unit(seed, y_too, shape):
    x, rng = spread(20, 3, seed) + 5, np.random.default_rng(seed)
    slope, intercept = rng.normal(size=shape), rng.normal(size=shape[1:])
    features, target = Standardizer().fit(x), Standardizer().fit(rng.normal(3, 4, (9, *shape[1:])))
    learnt = features.transform(x) @ slope + intercept
    weight, bias = original_units(slope, intercept, features, target if y_too else None)
    assert weight.shape == shape and np.shape(bias) == shape[1:]
    expected = target.inverse_transform(learnt) if y_too else learnt
    np.testing.assert_allclose(x @ weight + bias, expected, rtol=1e-9, atol=1e-6)


def test_numbers_come_back_as_floats_and_layers_in_their_shapes():
    scores = Standardizer().fit([0.0, 2.0, 4.0, 6.0])
    slope, intercept = original_units(math.sqrt(5), 1.0, scores)
    assert (type(slope), type(intercept)) == (float, float)
    assert (slope, intercept) == pytest.approx((1.0, -2.0))
    weight, bias = original_units([[math.sqrt(5)]], [1.0], scores)
    assert weight.tolist() == [[slope]] and bias.tolist() == [intercept]


WRONG = {
    "cube": (np.zeros((2, 2, 2)), ShapeError, r"x must have shape \(n,\) or \(n, columns\)"),
    "number": (3.0, ShapeError, r"got \(\); flatten each row"),
    "empty": ([], ArgumentError, "x must have at least one row"),
    "nan": ([[1.0, 2.0], [3.0, math.nan]], ArgumentError, r"x\[1, 1\] .*got nan"),
    "masked": (np.ma.array([1, 2], mask=[0, 1]), DtypeError, r"x must not be a masked array"),
    "text": (["a"], DtypeError, "x must contain integers or floats.*convert x to floats"),
    "ragged": ([[1], [1, 2]], ShapeError, "rows of equal length"),
}


@pytest.mark.parametrize(("x", "kind", "told"), WRONG.values(), ids=WRONG.keys())
def test_what_cannot_be_standardised_is_answered_in_one_sentence(x, kind, told):
    with pytest.raises(kind, match=told) as caught:
        Standardizer().fit(x)
    assert str(caught.value).startswith("Standardizer.fit: ") and "\n" not in str(caught.value)


def test_before_fit_there_is_no_scale():
    with pytest.raises(ArgumentError, match=r"Standardizer.transform: .*call fit\(x\) first"):
        Standardizer().transform([1.0])
    with pytest.raises(ArgumentError, match=r"original_units: .*call fit\(x\) first"):
        original_units(1.0, 0.0, Standardizer())


def test_other_columns_than_those_fitted_are_refused():
    scaling = Standardizer().fit([[1.0, 2.0], [3.0, 4.0]])
    with pytest.raises(ShapeError, match=r"must have shape \(n, 2\) or \(2,\), .*, got \(3,\)"):
        scaling.transform([1.0, 2.0, 3.0])
    with pytest.raises(ShapeError, match=r"shape \(\) or \(n,\), .*, got \(2, 1\)"):
        Standardizer().fit([1.0, 2.0]).inverse_transform([[1.0], [2.0]])


@pytest.mark.parametrize(("slope", "intercept"), [([1.0], 0.0), (1.0, 0.0), ([1.0, 2.0], [1.0])])
def test_a_slope_of_other_features_is_refused(slope, intercept):
    with pytest.raises(ShapeError, match=r"slope must have shape .*learnt with"):
        original_units(slope, intercept, Standardizer().fit([[1.0, 2.0], [3.0, 4.0]]))
