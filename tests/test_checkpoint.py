"""Weights in files: what was saved comes back, and a bad file is one sentence."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_lr as tg
from tinygrad_lr.checkpoint import load_file, load_metadata, load_shapes, save_file
from tinygrad_lr.errors import ArgumentError, DataFileError, DtypeError

pytest.importorskip("safetensors")

ARRAYS = hnp.arrays(
    st.sampled_from([np.float16, np.float32, np.float64]),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("checkpoints")


@given(array=ARRAYS)
def test_an_array_comes_back_bit_for_bit(folder, array):
    save_file({"w": array}, folder / "any.safetensors")
    found = load_file(folder / "any.safetensors")["w"]
    assert (found.dtype, found.shape) == (array.dtype, array.shape)
    assert found.tobytes() == array.tobytes()


@pytest.mark.parametrize(
    "layout",
    [lambda a: a.T, lambda a: a[::-1], lambda a: a[:, ::2], np.asfortranarray, lambda a: a.T[1:]],
)
def test_an_array_in_any_layout_keeps_its_numbers(tmp_path, layout):
    array = layout(np.arange(12.0).reshape(3, 4))
    save_file({"w": array}, tmp_path / "m.safetensors")
    np.testing.assert_array_equal(load_file(tmp_path / "m.safetensors")["w"], array)


def test_a_model_comes_back_into_another(tmp_path):
    model, other = (tg.nn.MLP(2, [3], 1, generator=seed) for seed in (0, 1))
    save_file(model.state_dict(), tmp_path / "m.safetensors", {"made by": "ŷ"})
    other.load_state_dict(load_file(tmp_path / "m.safetensors"))
    assert load_metadata(tmp_path / "m.safetensors") == {"made by": "ŷ"}
    x = np.ones((4, 2), np.float32)
    np.testing.assert_array_equal(model(x).data, other(x).data)


def test_values_are_saved_as_their_numbers_and_loaded_arrays_may_be_changed(tmp_path):
    save_file({"w": tg.Value([1.0, 2.0])}, tmp_path / "m.safetensors")
    found = load_file(tmp_path / "m.safetensors")["w"]
    found += 1
    assert found.tolist() == [2.0, 3.0]
    assert load_shapes(tmp_path / "m.safetensors") == {"w": ("F64", (2,))}


def test_a_file_is_what_safetensors_itself_reads(tmp_path):
    library = pytest.importorskip("safetensors.numpy")
    save_file({"w": np.arange(6.0).reshape(2, 3).T}, tmp_path / "m.safetensors")
    found = library.load_file(tmp_path / "m.safetensors")["w"]
    np.testing.assert_array_equal(found, np.arange(6.0).reshape(2, 3).T)


@pytest.mark.parametrize("keep", [0, 4, 8, 30, -1])
def test_a_truncated_file_is_one_sentence_with_its_path(tmp_path, keep):
    file = tmp_path / "m.safetensors"
    save_file({"w": np.ones(100)}, file)
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(DataFileError, match=r"m\.safetensors") as caught:
        load_file(file)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"\x80\x04]\x94.", b"PK\x03\x04", b"\xff" * 64, b"[]" * 40])
def test_other_formats_are_refused(tmp_path, content):
    (tmp_path / "m.safetensors").write_bytes(content)
    with pytest.raises(DataFileError, match=r"m\.safetensors"):
        load_file(tmp_path / "m.safetensors")


@pytest.mark.parametrize("path", ["none.safetensors", ".", "/dev/zero"])
def test_what_is_no_file_is_refused_at_once(path):
    with pytest.raises(DataFileError):
        load_file(path)


@pytest.mark.parametrize(
    ("tensors", "metadata", "error"),
    [
        ({"w": np.array(["a"])}, None, DtypeError),
        ({"w": np.array([1j])}, None, DtypeError),
        ({3: np.ones(2)}, None, ArgumentError),
        ({"__metadata__": np.ones(2)}, None, ArgumentError),
        ({"w": np.ones(2)}, {"steps": 3}, ArgumentError),
    ],
)
def test_what_the_format_cannot_hold_is_refused_and_the_old_file_stands(
    tmp_path, tensors, metadata, error
):
    file = tmp_path / "m.safetensors"
    save_file({"w": np.ones(2)}, file)
    with pytest.raises(error):
        save_file(tensors, file, metadata)
    assert load_file(file)["w"].tolist() == [1.0, 1.0]
    assert os.listdir(tmp_path) == ["m.safetensors"]


def test_a_folder_that_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(DataFileError, match="none"):
        save_file({"w": np.ones(2)}, tmp_path / "none" / "m.safetensors")


def test_a_new_file_follows_the_umask_and_a_link_keeps_pointing(tmp_path):
    before = os.umask(0o027)
    try:
        save_file({"w": np.ones(2)}, tmp_path / "real.safetensors")
    finally:
        os.umask(before)
    (tmp_path / "link.safetensors").symlink_to("real.safetensors")
    save_file({"w": np.zeros(2)}, tmp_path / "link.safetensors")
    assert stat.S_IMODE((tmp_path / "real.safetensors").stat().st_mode) == 0o640
    assert (tmp_path / "link.safetensors").is_symlink()
    assert load_file(tmp_path / "real.safetensors")["w"].tolist() == [0.0, 0.0]


def test_what_a_killed_writer_left_is_taken_over(tmp_path, monkeypatch):
    file = tmp_path / "m.safetensors"
    with monkeypatch.context() as patch:
        patch.setattr("os.unlink", lambda path: None)
        patch.setattr("os.replace", lambda *paths: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            save_file({"w": np.ones(2)}, file)
    (left,) = os.listdir(tmp_path)
    save_file({"w": np.zeros(1)}, file)
    assert left != "m.safetensors" and os.listdir(tmp_path) == ["m.safetensors"]
    assert load_file(file)["w"].tolist() == [0.0]


def test_of_many_writers_at_once_one_wins_whole(tmp_path):
    file = tmp_path / "m.safetensors"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: save_file({"w": np.full(10_000 + i, i)}, file), range(64)))
    found = load_file(file)["w"]
    assert (found == found[0]).all() and len(found) == 10_000 + found[0]
    assert os.listdir(tmp_path) == ["m.safetensors"]
