"""The lesson's numbers: those of the references, of the gradients, and of each other."""

import json
import math

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr import lesson
from tinygrad_lr.errors import ArgumentError, DataFileError, DivergenceError
from tinygrad_lr.lesson.condensed import condense
from tinygrad_lr.lesson.training import stable_rate

REFERENCE = {  # exact rational arithmetic, see tinygrad_lr/datasets/satgpa.md
    "slope": 0.02386573594038181504,
    "intercept": 0.00192737101628743374,
    "r_squared": 0.21185861585988907,
    "mse": 0.43209338896546544,
}


def parts_of(problem, settings=None):
    return {type(part).__name__: part for part in lesson.run(problem, settings)}


@pytest.fixture(scope="module")
def parts():
    return parts_of(lesson.read_problem())


@pytest.fixture(scope="module")
def told():
    return lesson.as_object(lesson.run(lesson.read_problem()))


@pytest.mark.slow
def test_the_closed_form_has_the_figures_of_the_reference(parts):
    form = parts["ClosedForm"]
    found = [form.slopes[0], form.intercept, form.r_squared, form.mse]
    np.testing.assert_allclose(found, list(REFERENCE.values()), rtol=1e-12)


@pytest.mark.slow
def test_descent_ends_on_the_same_line_to_six_digits(told):
    descent = told["descent"]
    assert descent["slopes"] == pytest.approx([REFERENCE["slope"]], rel=5e-7)
    assert descent["intercept"] == pytest.approx(REFERENCE["intercept"], rel=5e-7)
    assert descent["reason"] == "converged"


def test_descent_starts_at_zero_with_the_mean_square_of_the_grades(told):
    first = told["descent"]["course"][0]
    grades = tg.datasets.sat_gpa().fy_gpa
    assert (first["step"], first["weights"], first["bias"]) == (0, [0.0], 0.0)
    assert first["loss"] == pytest.approx(np.mean(grades**2), rel=1e-12)


def test_the_lectures_rate_diverges_on_raw_scores_and_the_limit_says_why(told):
    scaled, raw = told["learning_rates"]["tables"]
    assert scaled["limit"] == pytest.approx(1.0, rel=1e-6)
    assert raw["limit"] == pytest.approx(9.1897e-5, rel=1e-5)
    reasons = {trial["learning_rate"]: trial["reason"] for trial in raw["trials"]}
    assert reasons[0.001] == "diverged"


def test_every_rate_above_its_limit_diverges_and_none_below(told):
    for table in told["learning_rates"]["tables"]:
        for trial in table["trials"]:
            assert (trial["reason"] == "diverged") == (trial["learning_rate"] > table["limit"])


def test_the_derivation_is_the_chain_rule_by_hand(told):
    students, derived = tg.datasets.sat_gpa(), told["derivation"]
    z = (students.sat_sum - students.sat_sum.mean()) / students.sat_sum.std()
    dL_dy_hat = 2 * (0 - students.fy_gpa) / 1000
    assert derived["weights"][0]["slope"] == pytest.approx(np.sum(dL_dy_hat * z), rel=1e-12)
    assert derived["bias"]["slope"] == pytest.approx(np.sum(dL_dy_hat), rel=1e-12)
    np.testing.assert_allclose([row["u"] for row in derived["rows"]], -students.fy_gpa[:3])


def test_a_prediction_is_the_lines_with_its_spread(told):
    students, found = tg.datasets.sat_gpa(), told["prediction"]
    line = tg.linear.closed_form(students.sat_sum, students.fy_gpa)
    (at,) = found["at"]
    assert found["value"] == pytest.approx(line.predict(at), rel=1e-6)
    assert found["spread"] == pytest.approx(line.prediction_spread(at), rel=1e-6)


def test_the_json_has_no_nan(told):
    assert json.loads(json.dumps(told, allow_nan=False)) == told


@pytest.mark.slow
def test_a_network_lowers_the_loss_that_a_line_leaves(tmp_path):
    x = np.linspace(-2, 2, 60)
    rows = "".join(f"{a},{math.sin(3 * a)}\n" for a in x.tolist())
    file = tmp_path / "wave.csv"
    file.write_text("x,y\n" + rows, encoding="utf-8")
    settings = lesson.Settings(hidden=(16,), learning_rate=0.1, steps=2000)
    network = parts_of(lesson.read_problem(file, ["x"], "y"), settings)["Network"]
    line = tg.linear.closed_form(x, np.sin(3 * x))
    assert network.mse < 0.1 * line.mse


def test_too_large_a_rate_is_an_error_that_names_the_limit():
    settings = lesson.Settings(learning_rate=1.5)
    with pytest.raises(DivergenceError, match="below 1, the largest stable rate"):
        parts_of(lesson.read_problem(), settings)


def test_settings_that_do_not_fit_the_problem_are_refused():
    with pytest.raises(ArgumentError, match="--batch-size must be at most 1000"):
        parts_of(lesson.read_problem(), lesson.Settings(batch_size=1001))


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (["sat_sum", "sat_sum"], "fy_gpa", "twice"),
        (["fy_gpa"], "fy_gpa", "in --x and in --y"),
        (["sat_v", "sat_m", "sat_sum"], "fy_gpa", "combination"),
    ],
)
def test_columns_that_determine_no_line_are_refused(x, y, words):
    with pytest.raises(DataFileError, match=words):
        parts_of(lesson.read_problem(tg.datasets.sat_gpa_path(), x, y))


def test_the_text_says_what_the_parts_say(parts):
    writer = lesson.Writer.for_stream(None)
    text = "\n".join(line for part in parts.values() for line in writer.lines(part))
    assert "fy_gpa = 0.0238657·sat_sum + 0.00192737" in text
    assert "w = 0 - 0.1·(-0.681616) = 0.0681616" in text


def test_the_chain_rule_is_the_one_that_derivation_finds(parts):
    x, y = np.array([1.0, 2.0, 4.0]), np.array([2.0, 3.0, 5.0])
    w, b = tg.Value(0.0, name="w"), tg.Value(0.0, name="b")
    z = (x - x.mean()) / x.std()
    derived = tg.derivation(np.mean((w * z + b - y) ** 2), [w, b]).text().replace("z₁", "z")
    text = "\n".join(lesson.Writer().lines(parts["Derivation"]))
    for law in ["dL/du = 2u/N", "Σ dL/dŷ · z", "Σ dL/dŷ"]:
        assert law in derived and law in text


# ---- many rows


def made(rows, features, seed=0, offset=0.0):
    random = np.random.default_rng(seed)
    scales = 10.0 ** random.integers(-3, 4, features)
    x = random.normal(offset, 1, (rows, features)) * scales
    y = x @ (random.normal(size=features) / scales) + 7 + random.normal(size=rows)
    names = tuple("abcdef"[:features])
    return lesson.Problem("rows.csv", "rows.csv", names, "y", x, y, (), {})


def numbers_of(thing):
    """All numbers in an object of JSON, by their path."""
    if isinstance(thing, dict):
        thing = thing.items()
    elif isinstance(thing, list):
        thing = enumerate(thing)
    else:
        return {(): thing} if isinstance(thing, float) else {}
    return {(k, *path): x for k, part in thing for path, x in numbers_of(part).items()}


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{}, {"standardize": False, "learning_rate": 1e-9}], ids=str)
@pytest.mark.parametrize("features", [1, 3])
def test_many_rows_give_the_lesson_of_all_of_them(monkeypatch, features, settings):
    problem, settings = made(500, features), lesson.Settings(**settings, steps=50)
    every_row = lesson.as_object(lesson.run(problem, settings))
    monkeypatch.setattr("tinygrad_lr.lesson.condensed.MAX_NUMBERS", 100)
    monkeypatch.setattr("tinygrad_lr.lesson.condensed.BLOCK_NUMBERS", 200)
    monkeypatch.setattr("tinygrad_lr.lesson.run_lesson.BLOCK_ROWS", 70)
    condensed = lesson.as_object(lesson.run(problem, settings))
    diverged = [
        x["reason"] == "diverged"
        for t in every_row["learning_rates"]["tables"]
        for x in t["trials"]
    ]
    assert any(diverged)
    for path, number in numbers_of(every_row).items():
        loss_of_diverged = path[0] == "learning_rates" and path[-1] == "loss"
        tolerance = 1e-6 if loss_of_diverged else 1e-9
        assert numbers_of(condensed)[path] == pytest.approx(number, rel=tolerance, abs=1e-12), path
    assert condensed["data"]["rows"] == condensed["learning_rates"]["rows"] == 500


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e8])
def test_condensed_rows_have_the_means_and_covariances_of_all(monkeypatch, offset):
    monkeypatch.setattr("tinygrad_lr.lesson.condensed.MAX_NUMBERS", 100)
    problem = made(1000, 3, offset=offset)
    few = condense(problem)
    assert (few.rows, few.x.shape, few.y.shape) == (1000, (5, 3), (5,))
    columns = np.column_stack([problem.x, problem.y])
    z = tg.data.Standardizer().fit(columns).transform(columns)
    found = np.column_stack([few.x, few.y])
    np.testing.assert_allclose(found.mean(axis=0), z.mean(axis=0), atol=1e-13)
    np.testing.assert_allclose(found.T @ found / 5, z.T @ z / 1000, atol=1e-13)


def test_the_closed_form_of_dependent_columns_uses_all_rows(monkeypatch):
    monkeypatch.setattr("tinygrad_lr.lesson.condensed.MAX_NUMBERS", 100)
    problem = made(1000, 3)
    problem.x[:, 2] = problem.x[:, 0] - 2 * problem.x[:, 1]
    with pytest.raises(DataFileError, match="'c' is a combination of 'a' and 'b'"):
        parts_of(problem)
    problem.x[:, 2] += 1e-9 * np.random.default_rng(1).normal(size=1000)
    line = tg.linear.closed_form(problem.x, problem.y)
    assert parts_of(problem, lesson.Settings(steps=1))["ClosedForm"].slopes == tuple(line.slope)


@pytest.mark.parametrize("features", [1, 3])
def test_the_first_step_is_the_slope_in_closed_form_times_the_rate(features):
    problem = made(200, features)
    settings = lesson.Settings(steps=1, standardize=False, learning_rate=0.01)
    part = parts_of(problem, settings)["Derivation"]
    slopes = [*(-2 * (problem.y @ problem.x) / 200), -2 * problem.y.mean()]
    for found, slope in zip((*part.weights, part.bias), slopes, strict=True):
        assert (found.old, found.slope) == (0.0, pytest.approx(slope, rel=1e-12))
        assert found.new == pytest.approx(-0.01 * slope, rel=1e-12)


@pytest.mark.parametrize("features", [1, 4])
def test_the_stable_rate_is_that_of_the_largest_curvature(features):
    x = made(50, features).x
    model = tg.nn.Linear(features, 1, dtype=np.float64)
    limit = tg.linear.learning_rate_limit(model, tg.losses.mse, x, np.zeros((50, 1)))
    assert stable_rate(x) == pytest.approx(limit, rel=1e-6)
    assert math.isnan(stable_rate(x * 1e200))


def test_predictions_of_many_rows_are_those_of_each(monkeypatch):
    description = lesson.predictor.Description(
        ("a", "b"), "y", (4,), "tanh", (0.0, 1.0), (1.0, 2.0)
    )
    predictor = lesson.Predictor(description, description.build_model(3))
    x = np.random.default_rng(0).normal(size=(50, 2))
    whole = predictor.predict(x)
    monkeypatch.setattr("tinygrad_lr.lesson.predictor.BLOCK_NUMBERS", 28)
    np.testing.assert_allclose(predictor.predict(x), whole, rtol=1e-15)
    assert predictor.predict(x[:0]).shape == (0,)


@pytest.mark.parametrize("slope", [2.0, 2e12])
def test_every_row_is_within_the_error_of_a_perfect_fit(tmp_path, slope):
    file = tmp_path / "line.csv"
    file.write_text("x,y\n" + "".join(f"{i},{slope * i!r}\n" for i in range(1, 9)), "utf-8")
    parts = parts_of(lesson.read_problem(file, ["x"], "y"))
    assert parts["Prediction"].within == 8


# ---- what was learnt, in a file

DESCRIPTION = {
    "version": 1,
    "architecture": "mlp",
    "x": ["a", "b"],
    "y": "y",
    "hidden": [3],
    "activation": "tanh",
    "x_mean": [0.0, 1.0],
    "x_scale": [1.0, 2.0],
    "y_mean": 0.0,
    "y_scale": 1.0,
}
WEIGHTS = {
    "layers.0.weight": np.zeros((2, 3)),
    "layers.0.bias": np.zeros(3),
    "layers.2.weight": np.zeros((3, 1)),
    "layers.2.bias": np.ones(1),
}


def loaded(tmp_path, text, weights):
    pytest.importorskip("safetensors")
    tg.checkpoint.save_file(weights, tmp_path / "m.safetensors", {"tinygrad_lr": text})
    return lesson.load_predictor(tmp_path / "m.safetensors")


def test_a_described_network_predicts(tmp_path):
    predictor = loaded(tmp_path, json.dumps(DESCRIPTION), WEIGHTS)
    assert predictor.predict(np.ones((2, 2))).tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"version": 2},
        {"version": True},
        {"architecture": "os.system"},
        {"architecture": "line"},
        {"activation": "__class__"},
        {"hidden": [10**9]},
        {"hidden": [True]},
        {"hidden": [3] * 101},
        {"x": ["a", "a"]},
        {"x": ["a", 1]},
        {"y": ""},
        {"y": "\ud800"},
        {"x": ["a", "\0"]},
        {"labels": ["a", "\udfff"]},
        {"x_scale": [0, 1]},
        {"x_mean": [10**400, 1]},
        {"y_scale": -1},
    ],
    ids=str,
)
def test_a_description_outside_the_closed_set_is_one_sentence(tmp_path, wrong):
    with pytest.raises(DataFileError, match=r"m\.safetensors: ") as caught:
        loaded(tmp_path, json.dumps(DESCRIPTION | wrong), WEIGHTS)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "text", ["", "null", "[" * 100_000, '{"version": 1, "version": 1}', '{"version": NaN}']
)
def test_a_description_that_is_no_json_object_is_one_sentence(tmp_path, text):
    with pytest.raises(DataFileError, match=r"m\.safetensors: ") as caught:
        loaded(tmp_path, text, WEIGHTS)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "wrong",
    [
        {"extra": np.zeros(1)},
        {"layers.0.bias": np.zeros(4)},
        {"layers.0.bias": np.zeros(3, np.float32)},
        {"layers.0.bias": np.full(3, np.nan)},
    ],
    ids=["extra", "shape", "dtype", "nan"],
)
def test_weights_that_do_not_fit_their_description_are_refused(tmp_path, wrong):
    with pytest.raises(DataFileError, match="weight"):
        loaded(tmp_path, json.dumps(DESCRIPTION), WEIGHTS | wrong)


@pytest.mark.parametrize("size", ["1e-200", "1e150", "1e200"])
def test_numbers_near_the_ends_of_float64_are_learnt_or_refused(tmp_path, size):
    file = tmp_path / "extreme.csv"
    exponent = size[1:]
    file.write_text(f"x,y\n1{exponent},2\n2{exponent},3\n3{exponent},1\n", encoding="utf-8")
    descent = parts_of(lesson.read_problem(file, ["x"], "y"))["Descent"]
    assert descent.agrees
