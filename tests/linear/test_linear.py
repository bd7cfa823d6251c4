"""The closed-form line against exact rational arithmetic and NIST's certified values.

The problems are NIST's StRD (https://www.itl.nist.gov/div898/strd/lls/lls.shtml), in the public
domain. Fractions solve each of them here again, so nothing rests on a table copied right.
"""

from __future__ import annotations

import itertools
import math
import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from operands import quick

from tinygrad_lr.datasets import sat_gpa
from tinygrad_lr.errors import ArgumentError, DtypeError, ShapeError
from tinygrad_lr.linear import closed_form, least_squares

NORRIS_X = """
0.2 337.4 118.2 884.6 10.1 226.5 666.3 996.3 448.6 777.0 558.2 0.4 0.6 775.5 666.9 338.0 447.5
11.6 556.0 228.1 995.8 887.6 120.2 0.3 0.3 556.8 339.1 887.2 999.0 779.0 11.1 118.3 229.2 669.1
448.9 0.5
"""
NORRIS_Y = """
0.1 338.8 118.1 888.0 9.2 228.1 668.5 998.5 449.1 778.9 559.2 0.3 0.1 778.1 668.8 339.3 448.9 10.8
557.7 228.3 998.0 888.8 119.6 0.3 0.6 557.6 339.3 888.0 998.5 778.9 10.2 117.6 228.9 668.4 449.2
0.2
"""
PONTIUS_Y = """
.11019 .21956 .32949 .43899 .54803 .65694 .76562 .87487 .98292 1.09146 1.20001 1.30822 1.41599
1.52399 1.63194 1.73947 1.84646 1.95392 2.06128 2.16844 .11052 .22018 .32939 .43886 .54798 .65739
.76596 .87474 .98300 1.09150 1.20004 1.30818 1.41613 1.52408 1.63159 1.73965 1.84696 1.95445
2.06177 2.16829
"""
# Employed, then deflator, GNP, unemployed, armed forces, population, year.
LONGLEY = """
60323 83.0 234289 2356 1590 107608 1947 61122 88.5 259426 2325 1456 108632 1948 60171 88.2 258054
3682 1616 109773 1949 61187 89.5 284599 3351 1650 110929 1950 63221 96.2 328975 2099 3099 112075
1951 63639 98.1 346999 1932 3594 113270 1952 64989 99.0 365385 1870 3547 115094 1953 63761 100.0
363112 3578 3350 116219 1954 66019 101.2 397469 2904 3048 117388 1955 67857 104.6 419180 2822 2857
118734 1956 68169 108.4 442769 2936 2798 120445 1957 66513 110.8 444546 4681 2637 121950 1958
68655 112.6 482704 3813 2552 123366 1959 69564 114.2 502601 3931 2514 125368 1960 69331 115.7
518173 4806 2572 127852 1961 70551 116.9 554894 4007 2827 130081 1962
"""
FILIP_X = """
-6.860120914 -4.324130045 -4.358625055 -4.358426747 -6.955852379 -6.661145254 -6.355462942
-6.118102026 -7.115148017 -6.815308569 -6.519993057 -6.204119983 -5.853871964 -6.109523091
-5.79832982 -5.482672118 -5.171791386 -4.851705903 -4.517126416 -4.143573228 -3.709075441
-3.499489089 -6.300769497 -5.953504836 -5.642065153 -5.031376979 -4.680685696 -4.329846955
-3.928486195 -8.56735134 -8.363211311 -8.107682739 -7.823908741 -7.522878745 -7.218819279
-6.920818754 -6.628932138 -6.323946875 -5.991399828 -8.781464495 -8.663140179 -8.473531488
-8.247337057 -7.971428747 -7.676129393 -7.352812702 -7.072065318 -6.774174009 -6.478861916
-6.159517513 -6.835647144 -6.53165267 -6.224098421 -5.910094889 -5.598599459 -5.290645224
-4.974284616 -4.64454848 -4.290560426 -3.885055584 -3.408378962 -3.13200249 -8.726767166
-8.66695597 -8.511026475 -8.165388579 -7.886056648 -7.588043762 -7.283412422 -6.995678626
-6.691862621 -6.392544977 -6.067374056 -6.684029655 -6.378719832 -6.065855188 -5.752272167
-5.132414673 -4.811352704 -4.098269308 -3.66174277 -3.2644011
"""
FILIP_Y = """
0.8116 0.9072 0.9052 0.9039 0.8053 0.8377 0.8667 0.8809 0.7975 0.8162 0.8515 0.8766 0.8885 0.8859
0.8959 0.8913 0.8959 0.8971 0.9021 0.909 0.9139 0.9199 0.8692 0.8872 0.89 0.891 0.8977 0.9035
0.9078 0.7675 0.7705 0.7713 0.7736 0.7775 0.7841 0.7971 0.8329 0.8641 0.8804 0.7668 0.7633 0.7678
0.7697 0.77 0.7749 0.7796 0.7897 0.8131 0.8498 0.8741 0.8061 0.846 0.8751 0.8856 0.8919 0.8934
0.894 0.8957 0.9047 0.9129 0.9209 0.9219 0.7739 0.7681 0.7665 0.7703 0.7702 0.7761 0.7809 0.7961
0.8253 0.8602 0.8809 0.8301 0.8664 0.8834 0.8898 0.8964 0.8963 0.9074 0.9119 0.9228
"""
# Coefficients, their standard errors, the residual standard deviation, R².
CERTIFIED = """
Norris -0.262323073774029 1.00211681802045 0.232818234301152 0.429796848199937E-03
 0.884796396144373 0.999993745883712
Pontius 0.673565789473684E-03 0.732059160401003E-06 -0.316081871345029E-14
 0.107938612033077E-03 0.157817399981659E-09 0.486652849992036E-16
 0.205177424076185E-03 0.999999900178537
NoInt1 0 2.07438016528926 0 0.165289256198347E-01 3.56753034006338 0.999365492298663
NoInt2 0 0.727272727272727 0 0.420827318078432E-01 0.369274472937998 0.993348115299335
Longley -3482258.63459582 15.0618722713733 -0.358191792925910E-01 -2.02022980381683
 -1.03322686717359 -0.511041056535807E-01 1829.15146461355
 890420.383607373 84.9149257747669 0.334910077722432E-01 0.488399681651699
 0.214274163161675 0.226073200069370 455.478499142212 304.854073561965 0.995479004577296
Filip -1467.48961422980 -2772.17959193342 -2316.37108160893 -1127.97394098372
 -354.478233703349 -75.1242017393757 -10.8753180355343 -1.06221498588947
 -0.670191154593408E-01 -0.246781078275479E-02 -0.402962525080404E-04
 298.084530995537 559.779865474950 466.477572127796 227.204274477751
 71.6478660875927 15.2897178747400 2.23691159816033 0.221624321934227
 0.142363763154724E-01 0.535617408889821E-03 0.896632837373868E-05
 0.334801051324544E-02 0.996727416185620
Wampler1 1 1 1 1 1 1 0 0 0 0 0 0 0 1
Wampler2 1 0.1 0.01 0.001 0.0001 0.00001 0 0 0 0 0 0 0 1
Wampler3 1 1 1 1 1 1 2152.32624678170 2363.55173469681 779.343524331583 101.475507550350
 5.64566512170752 0.112324854679312 2360.14502379268 0.999995559025820
Wampler4 1 1 1 1 1 1 215232.624678170 236355.173469681 77934.3524331583 10147.5507550350
 564.566512170752 11.2324854679312 236014.502379268 0.957478440825662
Wampler5 1 1 1 1 1 1 21523262.4678170 23635517.3469681 7793435.24331583 1014755.07550350
 56456.6512170752 1123.24854679312 23601450.2379268 0.224668921574940E-02
"""
# What rounding the decimals to float64 leaves; the others are whole numbers and lose nothing.
DIGITS = {"Norris": 13.5, "Pontius": 13, "Longley": 14, "Filip": 7.5, "Wampler2": 13}


def numbers(text):
    return [Fraction(word) for word in text.split()]


def floats(values):
    return np.array(values, dtype=object).astype(np.float64)


def powers(x, degree):
    return [[Fraction(v) ** k for k in range(1, degree + 1)] for v in x]


def wampler(noise, base=1):
    deltas = numbers("759 -2048 2048 -2048 2523 -2048 2048 -2048 1838 -2048 2048")
    spikes = enumerate(deltas + deltas[9::-1])
    return [sum((Fraction(x) * base) ** k for k in range(6)) + noise * d for x, d in spikes]


LONGLEY_ROWS = np.reshape(numbers(LONGLEY), (16, 7)).tolist()
DATA = {
    "Norris": (powers(numbers(NORRIS_X), 1), numbers(NORRIS_Y)),
    "Pontius": (powers([150000 * (i % 20 + 1) for i in range(40)], 2), numbers(PONTIUS_Y)),
    "NoInt1": (powers(range(60, 71), 1), [Fraction(y) for y in range(130, 141)]),
    "NoInt2": (powers([4, 5, 6], 1), numbers("3 4 4")),
    "Longley": ([row[1:] for row in LONGLEY_ROWS], [row[0] for row in LONGLEY_ROWS]),
    "Filip": (powers(numbers(FILIP_X), 10), numbers(FILIP_Y)),
    "Wampler1": (powers(range(21), 5), wampler(0)),
    "Wampler2": (powers(range(21), 5), wampler(0, Fraction(1, 10))),
    "Wampler3": (powers(range(21), 5), wampler(1)),
    "Wampler4": (powers(range(21), 5), wampler(100)),
    "Wampler5": (powers(range(21), 5), wampler(10000)),
}


class Problem:
    """One of NIST's, with what it certifies and what `closed_form` says."""

    def __init__(self, name):
        (self.x, self.y), self.intercept = DATA[name], not name.startswith("NoInt")
        text = re.search(rf"^{name}((\n | |\S)*)", CERTIFIED, re.MULTILINE)[1]
        *both, self.deviation, self.r_squared = numbers(text)
        self.coefficients, self.errors = both[: len(both) // 2], both[len(both) // 2 :]
        self.digits = DIGITS.get(name, 14.5)
        self.line = closed_form(floats(self.x), floats(self.y), intercept=self.intercept)


def solved(matrix, right):
    """Gauss and Jordan, in fractions."""
    rows = [[*left, *other] for left, other in zip(matrix, right, strict=True)]
    for i in range(len(rows)):
        rows[i] = [v / rows[i][i] for v in rows[i]]  # X'X is positive definite: no pivots needed
        for k in set(range(len(rows))) - {i}:
            rows[k] = [v - rows[k][i] * w for v, w in zip(rows[k], rows[i], strict=True)]
    return [row[len(rows) :] for row in rows]


def root(value):
    return Fraction(math.isqrt(int(value * 10**80)), 10**40)


class ExactLine:
    """Least squares by the normal equations, which lose nothing in fractions."""

    def __init__(self, x, y, intercept=True):
        rows = [[Fraction(1), *row][not intercept :] for row in x]
        columns = list(zip(*rows, strict=True))
        square = [[sum(map(Fraction.__mul__, a, b)) for b in columns] for a in columns]
        right = [sum(map(Fraction.__mul__, a, y)) for a in columns]
        identity = [[Fraction(i == j) for j in range(len(right))] for i in range(len(right))]
        both = solved(square, [[v, *line] for v, line in zip(right, identity, strict=True)])
        found = [row[0] for row in both]
        self.inverse = [row[1:] for row in both]
        fitted = [sum(map(Fraction.__mul__, row, found)) for row in rows]
        rss = sum((v - f) ** 2 for v, f in zip(y, fitted, strict=True))
        mean = sum(y) / len(y) * intercept
        self.r_squared = 1 - rss / sum((v - mean) ** 2 for v in y)
        self.mse = rss / len(rows)
        self.variance = rss / (len(rows) - len(columns))
        errors = [root(self.variance * line[i]) for i, line in enumerate(self.inverse)]
        left_out = [Fraction(0)] * (not intercept)
        self.coefficients, self.errors = left_out + found, left_out + errors


def as_held(x, y, intercept=True):
    """The exact line through the numbers as float64 holds them."""
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    rows = [[Fraction(v) for v in row] for row in x.reshape(len(x), -1).tolist()]
    return ExactLine(rows, [Fraction(v) for v in y.tolist()], intercept)


def digits(got, want):
    """Correct decimal digits, the fewest of all entries; 17 where got is the nearest float64."""
    pairs = list(zip(np.ravel(got).tolist(), np.ravel(np.array(want, dtype=object)), strict=True))
    return min(-math.log10(abs((Fraction(g) - w) / w)) if g != float(w) else 17.0 for g, w in pairs)


def places(got, want):
    """The largest error in units in the last place of the exact number: 0.5 from rounding it."""
    pairs = [(Fraction(g), w) for g, w in zip(got.tolist(), want, strict=True) if w]
    return max(float(abs(g - w) / Fraction(np.spacing(abs(float(w))).item())) for g, w in pairs)


def coefficients(line):
    return np.append(line.intercept, line.slope)


@pytest.fixture(params=DATA)
def problem(request):
    return Problem(request.param)


def test_exact_arithmetic_gives_what_nist_certifies(problem):
    exact = ExactLine(problem.x, problem.y, problem.intercept)
    found = [*exact.coefficients, *exact.errors, root(exact.variance), exact.r_squared]
    certified = [*problem.coefficients, *problem.errors, problem.deviation, problem.r_squared]
    assert floats(found) == pytest.approx(floats(certified), rel=1e-14, abs=0)


def test_certified_coefficients_come_out_to_the_digits_that_float64_input_allows(problem):
    exact = ExactLine(problem.x, problem.y, problem.intercept)
    assert digits(coefficients(problem.line), exact.coefficients) >= problem.digits


def test_coefficients_of_the_numbers_as_held_are_the_nearest_floats(problem):
    exact = as_held(floats(problem.x), floats(problem.y), problem.intercept)
    assert digits(coefficients(problem.line), exact.coefficients) > 15
    assert places(coefficients(problem.line), exact.coefficients) < 0.51


def test_scatter_and_standard_errors_come_out_to_the_digits_that_conditioning_leaves(problem):
    line, rounding = problem.line, 10 ** (1.5 - min(problem.digits, 14))
    got = [line.intercept_error, *line.slope_error, line.residual_standard_deviation]
    wanted, perfect = floats([*problem.errors, problem.deviation]), problem.deviation == 0
    assert got == pytest.approx(wanted, rel=rounding, abs=1e-14 * perfect)
    assert line.r_squared == pytest.approx(float(problem.r_squared), rel=rounding)


def test_the_sat_line_is_the_reference_to_the_last_digit_that_its_decimals_hold():
    students = sat_gpa()
    line = closed_form(students.sat_sum, students.fy_gpa)
    got = [line.slope, line.intercept, line.r_squared, line.mse]
    wanted = "0.02386573594038181504 0.00192737101628743374 0.21185861585988907 0.43209338896546544"
    assert digits(got, numbers(wanted)) > 13.5
    exact = as_held(students.sat_sum, students.fy_gpa)
    assert digits(got, [*exact.coefficients[::-1], exact.r_squared, exact.mse]) > 15


def test_the_fit_on_three_scores_agrees_with_its_reference():
    students = sat_gpa()
    x = np.column_stack([students.sat_v, students.sat_m, students.hs_gpa])
    line = closed_form(x, students.fy_gpa)
    assert coefficients(line).round(8).tolist() == [-0.86692662, 0.01645881, 0.01239756, 0.58006828]
    assert round(line.r_squared, 8) == 0.35862190
    assert round(closed_form(students.hs_gpa, students.fy_gpa).r_squared, 5) == 0.29523


def test_the_share_explained_is_right_however_far_the_target_is_from_zero():
    x, noise = np.random.default_rng(0).normal(size=(2, 300))
    for offset in (0.0, 1e9, 1e12, 1e15):
        y = x + noise + offset
        exact = as_held(x, y)
        got = closed_form(x, y)
        assert got.r_squared == pytest.approx(float(exact.r_squared), rel=1e-14)
        assert got.mse == pytest.approx(float(exact.mse), rel=1e-12)


def test_no_share_explained_is_above_one():
    for seed in range(40):  # in one of five the sums are rounded to more than 1
        x = np.random.default_rng(seed).normal(size=5)
        for intercept in (True, False):
            found = closed_form(x, 3 * x + intercept, intercept=intercept).r_squared
            assert 1 - 1e-15 <= found <= 1


@pytest.mark.slow
@given(
    st.lists(st.tuples(st.integers(-999, 999), st.integers(-999, 999)), min_size=3, max_size=9),
    st.sampled_from([0, 10**6, 10**12, 10**15]),
)
def test_any_line_is_the_exact_one_however_far_from_zero(points, offset):
    x, y = np.array([*points, (-1000, 0), (1000, 1)], dtype=np.float64).T  # some spread, always
    line, exact = closed_form(x + offset, y), as_held(x + offset, y)
    assert coefficients(line) == pytest.approx(floats(exact.coefficients), rel=1e-12, abs=1e-12)
    assert line.mse == pytest.approx(float(exact.mse), rel=1e-12, abs=1e-20)


@pytest.mark.slow
@given(st.integers(-50, 50).filter(bool), st.integers(-50, 50), st.integers(0, 2**32 - 1))
def test_predictions_do_not_change_with_the_units_of_a_feature(factor, shift, seed):
    x, y = np.random.default_rng(seed).integers(-99, 99, (2, 12))
    x[0] = 100
    plain = closed_form(x, y).predict(x)
    assert closed_form(factor * x + shift, y).predict(factor * x + shift) == pytest.approx(plain)


def test_a_prediction_comes_with_the_spread_of_a_new_student():
    students = sat_gpa()
    line, exact = (fit(students.sat_sum, students.fy_gpa) for fit in (closed_form, as_held))
    (a, b), (_, d) = exact.inverse
    spread = root(exact.variance * (1 + a + 2 * 110 * b + 110**2 * d))
    assert digits(line.prediction_spread(110), spread) > 14
    assert digits(line.predict(110), sum(exact.coefficients[k] * 110**k for k in (0, 1))) > 14


def test_spread_through_the_origin_needs_no_column_of_ones():
    line = closed_form([1, 2, 3], [1, 2, 4], intercept=False)
    scatter = line.residual_standard_deviation
    assert line.prediction_spread(5) == pytest.approx(scatter * math.sqrt(1 + 25 / 14))


def test_rows_predict_as_an_array_and_a_row_as_a_float():
    line = closed_form([[0, 0], [1, 0], [0, 1], [2, 2]], [1, 2, 3, 7.5])
    for ask in (line.predict, line.prediction_spread):
        rows, row = ask([[1, 1], [2, 3]]), ask([2, 3])
        assert rows.shape == (2,) and isinstance(row, float) and row == pytest.approx(rows[1])


def test_a_line_through_every_point_says_nothing_about_scatter():
    line = closed_form([0, 1], [1, 3])
    assert (line.slope, line.intercept, line.degrees_of_freedom) == (2.0, 1.0, 0)
    unknown = [line.residual_standard_deviation, line.slope_error, line.prediction_spread(3)]
    assert np.isnan(unknown).all() and line.r_squared == 1.0


def test_a_perfect_fit_with_rows_to_spare_has_no_scatter():
    line = closed_form([0, 1, 2, 3], [1, 3, 5, 7])
    assert line.r_squared == 1.0 and line.degrees_of_freedom == 2
    assert line.residual_standard_deviation < 1e-15 and line.prediction_spread(9) < 1e-15


def test_a_target_that_does_not_vary_has_no_r_squared():
    line = closed_form([1, 2, 3], [0.1, 0.1, 0.1])
    assert math.isnan(line.r_squared) and abs(line.slope) < 1e-15
    assert math.isnan(closed_form([1, 2], [0, 0], intercept=False).r_squared)


def test_one_feature_given_as_a_column_has_an_array_as_slope():
    line, same = closed_form([[1], [2], [4]], [1, 2, 3]), closed_form([1, 2, 4], [1, 2, 3])
    assert line.slope.shape == (1,) and line.slope[0] == same.slope
    assert (line.names, same.names) == (("x[:, 0]",), ("x",))


def test_a_line_cannot_be_altered():
    line = closed_form([[1], [2], [4]], [1, 2, 3])
    with pytest.raises(ValueError, match="read-only"):
        line.slope[0] = 5
    with pytest.raises(AttributeError):
        line.intercept = 5


@pytest.mark.parametrize("scale", [1e-150, 1e-30, 1e30, 1e150])
def test_huge_and_tiny_numbers_neither_overflow_nor_vanish(scale):
    line = closed_form(np.array([1, 2, 4]) * scale, np.array([1, 3, 4]) * scale)
    plain = closed_form([1, 2, 4], [1, 3, 4])
    assert line.slope == pytest.approx(plain.slope)
    got, wanted = (a.residual_standard_deviation for a in (line, plain))
    assert got / scale == pytest.approx(wanted)


def test_nearly_equal_columns_are_still_told_apart():
    draw = np.random.default_rng(0).normal(size=(3, 15))
    x = np.column_stack([draw[0], draw[0] + 1e-13 * draw[1]])
    exact = as_held(x, draw[2])
    assert digits(coefficients(closed_form(x, draw[2])), exact.coefficients) > 15


@pytest.mark.slow
@given(st.integers(0, 2**32 - 1), st.sampled_from([0, 1, 1e9]), st.integers(3, 200))
def test_a_combination_of_columns_is_always_found(seed, offset, rows):
    x = np.random.default_rng(seed).normal(size=(rows + 4, 3)) + offset
    x = np.column_stack([x, x @ [1.0, -0.3, 100.0] + 7])
    with pytest.raises(ArgumentError, match=r"'x\[:, 3\]' is a combination of 'x\[:, 0\]'"):
        closed_form(x, x[:, 0])


GRID = [[1, 0, 1], [2, 1, 3], [3, 5, 8], [4, 2, 6]]
WRONG = {
    "one row": (([1], [1]), {}, "at least 2 rows, one for each coefficient.*pass more rows"),
    "no rows": (([], []), {}, "at least 2 rows"),
    "no columns": ((np.zeros((3, 0)), [1, 2, 3]), {}, "at least 1 column"),
    "constant": (([5, 5, 5], [1, 2, 3]), {"names": "age"}, "'age' is constant.*leave out 'age'"),
    "zeros": (([0, 0], [1, 2]), {"intercept": False}, "'x' is all zeros"),
    "sum": (
        (GRID, [1, 2, 3, 5]),
        {"names": [*"abc"]},
        "'c' is a combination of 'a' and 'b'.*leave",
    ),
    "twins": (([[1, 2], [2, 4], [3, 6]], [1, 2, 3]), {}, "'x.:, 1.' is a combination of 'x.:, 0.'"),
    "groups": (([[1, 0], [0, 1], [1, 0]], [1, 2, 3]), {}, "'x.:, 0.' and the intercept"),
    "nan": (
        ([[1, 2], [3, math.nan], [5, 6]], [1, 2, 3]),
        {"names": [*"ab"]},
        r"x\[1, 1\] \(column 'b'\) must be finite",
    ),
    "infinite": (([1, 2, 3], [1, math.inf, 3]), {}, r"y\[1\] must be finite, got inf; leave"),
    "masked": ((np.ma.array([1, 2, 3], mask=[0, 0, 1]), [1, 2, 3]), {}, "x must not be a masked"),
    "column y": (([1, 2, 3], [[1], [2], [3]]), {}, r"shape \(3,\).*\(3, 1\); pass y\[:, 0\]"),
    "other rows": (([1, 2, 3], [1, 2]), {}, "pass one y for each row of x"),
    "a number": ((3, [1]), {}, r"x must have shape \(n,\) or \(n, features\), got \(\)"),
    "names": (
        ([1, 2, 3], [1, 2, 3]),
        {"names": [*"ab"]},
        "names must be 1, one for each column, got 2",
    ),
    "ragged": (([[1], [1, 2]], [1, 2]), {}, "rows of equal length"),
    "text": ((["1", "2"], [1, 2]), {}, "dtype <U1; convert x to floats first"),
    "a table of tables": (
        (np.zeros((2, 2, 2)), [1, 2]),
        {},
        r"x must have shape \(n,\) or \(n, features\), got \(2, 2, 2\)",
    ),
    "other columns": (([[1], [2]], [[1, 2], [3, 4]]), {}, "got .2, 2.; pass one y for each row"),
    "few rows": (([[1, 2], [3, 5]], [1, 2]), {}, "at least 3 rows"),
    "fewer rows": (([[1, 2]], [1]), {"intercept": False}, "at least 2 rows"),
    "intercept": (([1, 2, 3], [1, 2, 3]), {"intercept": 1}, "intercept must be True or False"),
    "tiny": (([1e-300, 2e-300], [1e100, 3e100]), {}, "squares fit in float64"),
    "large": (([1, 2, 3], [1e200, 3e200, 4e200]), {}, "squares fit in float64.*rescale"),
}


@pytest.mark.parametrize("offset", [0.0, 50.0])
@pytest.mark.parametrize("unit", [1e-4, 1.0, 1e4])
@pytest.mark.parametrize("intercept", [True, False])
def test_a_dependent_column_is_named_with_exactly_what_it_is_made_of(intercept, unit, offset):
    draw = np.random.default_rng(0).normal(size=(12, 3)) * [1, unit, 1] + [offset, 0, 0]
    for *weights, constant in itertools.product([0, -2, 0.5], [0, 1], [0, 3], [0, 7]):
        last = draw @ weights + constant
        if not intercept and constant:  # then only rounding makes it dependent: never here
            assert closed_form(np.column_stack([draw, last]), last, intercept=False).names
            continue
        parts = [f"'{name}'" for name, weight in zip("abc", weights, strict=True) if weight]
        parts += ["the intercept"] * (constant != 0)
        reason = "a combination of " + " and ".join(parts) if parts else "all zeros"
        reason = "constant" if parts == ["the intercept"] else reason
        with pytest.raises(ArgumentError) as caught:
            closed_form(
                np.column_stack([draw, last]), draw[:, 0], intercept=intercept, names=[*"abcd"]
            )
        vary = " that vary" * intercept
        assert str(caught.value) == (
            f"closed_form: x must have independent columns{vary}, but 'd' is {reason}; "
            "leave out 'd'"
        )


def test_every_dependent_column_is_named_and_none_that_is_not():
    a, b, c = np.random.default_rng(0).normal(size=(3, 12)) * [[1], [1e3], [1e-3]] + 5
    columns = np.column_stack([a, 3 * a, b, np.full(12, 2.0), c, b - c + 1, np.zeros(12)])
    told = (
        "'p1' is a combination of 'p0', and 'p3' is constant, and 'p5' is a combination of 'p2' "
        "and 'p4' and the intercept, and 'p6' is all zeros; leave out 'p1', 'p3', 'p5', 'p6'"
    )
    with pytest.raises(ArgumentError, match=re.escape(told)):
        closed_form(columns, a, names=[f"p{i}" for i in range(7)])
    kept = closed_form(columns[:, [0, 2, 4]], 2 * a - b + 4)
    assert kept.slope == pytest.approx([2, -1, 0], abs=1e-9)
    assert kept.intercept == pytest.approx(4)


@pytest.mark.parametrize(("arguments", "options", "told"), WRONG.values(), ids=WRONG.keys())
def test_a_bad_argument_is_answered_in_one_sentence(arguments, options, told):
    with pytest.raises((ArgumentError, DtypeError), match=told) as caught:
        closed_form(*arguments, **options)
    assert str(caught.value).startswith("closed_form: ") and "\n" not in str(caught.value)


def test_predicting_from_other_columns_is_an_error_with_the_cure():
    line, plane = closed_form([1, 2, 4], [1, 2, 3]), closed_form(np.eye(3)[:, :2], [1, 2, 4])
    with pytest.raises(ShapeError, match=r"got \(2, 1\); pass x\[:, 0\]"):
        line.predict([[1], [2]])
    with pytest.raises(ShapeError, match=r"x must have shape \(n, 2\) or \(2,\), got \(3,\)"):
        plane.prediction_spread([1, 2, 3])
    with pytest.raises(ArgumentError, match="x must be finite"):
        line.predict(math.nan)


# ---- another line beside this one

units = st.sampled_from([1e-140, 1e-12, 1e-3, 1.0, 1e6, 1e140])


@quick
@given(st.integers(0, 2**32 - 1), units, units, st.sampled_from([0.0, 1.0, 100.0]))
def test_a_line_agrees_with_itself_in_any_unit_and_with_no_other(seed, x_unit, y_unit, middle):
    rng = np.random.default_rng(seed)
    x = (rng.normal(size=(20, 2)) + middle) * x_unit
    z = x / x_unit
    y = (2 * z[:, 0] + rng.choice([0.0, 1.0]) * rng.normal(size=20)) * y_unit
    line = closed_form(x, y)
    size = y_unit / x_unit
    assert line.agrees_with(line.slope, line.intercept)
    assert line.agrees_with(line.slope * (1 + 1e-8) + 1e-14 * size, line.intercept * (1 + 1e-8))
    for other in ([1e-2 * size, 0], [0, 1e-2 * size]):
        assert not line.agrees_with(line.slope + other, line.intercept)
    assert not line.agrees_with(line.slope, line.intercept + 1e-2 * y_unit * (1 + middle))


def unit_of(line, x, y):
    """The size of y, and that over the spread of each feature beside the others."""
    centred = x - x.mean(axis=0)
    spread = np.sqrt(1 / np.diag(np.linalg.inv(centred.T @ centred)) / len(x))
    sizes = abs(y.mean()), (abs(line.slope) * spread).sum(), math.sqrt(line.mse)
    return np.append(max(sizes) / spread, max(sizes)), int(np.argmax(sizes))


@pytest.mark.parametrize(("middle", "slopes", "noise"), [(9, 1, 0.1), (0, 1, 0.1), (0, 0.01, 1)])
def test_the_bound_of_agreement_is_a_thousandth_of_the_unit_beside_the_coefficient(
    middle, slopes, noise
):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(30, 2)) * [1, 20] + [3, 0]
    x[:, 1] += 12 * x[:, 0]
    y = (x - x.mean(axis=0)) @ [slopes, -slopes / 20] + noise * rng.normal(size=30) + middle
    line = closed_form(x, y)
    units, largest = unit_of(line, x, y)
    assert largest == [(9, 0.1), (0, 0.1), (0, 1)].index((middle, noise))
    found = np.append(line.slope, line.intercept)
    for entry, side in itertools.product(range(3), (-1, 1)):
        limit = 0.01 * (abs(found[entry]) + units[entry] / 1000)
        for factor, agrees in ((0.999, True), (1.001, False)):
            other = found.copy()
            other[entry] += side * factor * limit
            assert line.agrees_with(other[:2], other[2], 0.01) == agrees
    assert line.agrees_with(line.slope, line.intercept, 0)


@pytest.mark.parametrize("shape", [(1, 2, 2), (2, 1, 2), (2, 3), (3,), ()])
def test_a_plane_predicts_rows_of_its_own_width_alone(shape):
    plane = closed_form([[0, 0], [1, 0], [0, 1], [2, 2]], [1, 2, 3, 7.5])
    for ask in (plane.predict, plane.prediction_spread):
        with pytest.raises(ShapeError, match="pass the columns that were fitted"):
            ask(np.zeros(shape))


def test_an_intercept_of_rounding_is_none():
    line = closed_form([1, 2, 3, 4], [2, 4, 6, 8])
    assert line.agrees_with(2.0, -8.9e-16) and not line.agrees_with(2.0, 1e-6)
    assert closed_form([1, 2, 3], [0, 0, 0]).agrees_with(1e-13, 1e-13)
    assert not line.agrees_with(math.nan, 0.0)
    with pytest.raises(ShapeError, match="slope must have shape"):
        line.agrees_with([2.0, 0.0], 0.0)
    for wrong in (math.nan, -1, "1e-6"):
        with pytest.raises(ArgumentError, match="tolerance must be"):
            line.agrees_with(2.0, 0.0, wrong)


wide = st.floats(-1e100, 1e100, allow_subnormal=False).filter(lambda x: x == 0 or abs(x) > 1e-100)


@given(wide, wide)
def test_sums_and_products_in_two_parts_are_exact(a, b):
    total, rest = map(Fraction, least_squares._two_sum(a, b))
    assert total + rest == Fraction(a) + Fraction(b)
    product, error = map(Fraction, least_squares._two_product(np.float64(a), np.float64(b)))
    assert product + error == Fraction(a) * Fraction(b)
    vectors = np.array([[a, b, a], [b, -a, 1e-3]])
    exact = sum(Fraction(x) * Fraction(y) for x, y in vectors.T.tolist())
    assert least_squares._exact_dot(*vectors) == float(exact)
