"""Weights in files: what was saved comes back, and a bad file is one sentence."""

import json
import os
import stat
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import tinygrad_lr as tg
from tinygrad_lr.checkpoint import (
    load_all,
    load_file,
    load_metadata,
    load_model,
    load_shapes,
    save_file,
    save_model,
)
from tinygrad_lr.errors import ArgumentError, DataFileError, DtypeError

pytest.importorskip("safetensors")

ARRAYS = hnp.arrays(
    st.sampled_from([np.float16, np.float32, np.float64]),
    hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
)
TEXTS = st.dictionaries(st.text(), st.text(), max_size=4)


@pytest.fixture
def small(tmp_path):
    """A file of a model with text about it."""
    file = tmp_path / "m.safetensors"
    save_file({"bias": np.arange(3.0), "w": np.ones((2, 3), np.float32)}, file, {"made by": "ŷ"})
    return file


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("checkpoints")


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize("mask", [1, 2, 4, 8, 16, 32, 64, 128, 255])
def test_a_flipped_byte_anywhere_is_an_error_with_the_path(small, mask):
    whole = small.read_bytes()
    for place in range(len(whole)):
        small.write_bytes(whole[:place] + bytes([whole[place] ^ mask]) + whole[place + 1 :])
        with pytest.raises(DataFileError, match=r"^[^\n]*m\.safetensors: [^\n]*$"):
            load_file(small)


def test_a_flipped_byte_of_the_text_is_found_without_reading_the_numbers(small):
    small.write_bytes(small.read_bytes().replace(b"made by", b"made bx"))
    for read in (load_metadata, load_shapes):
        with pytest.raises(DataFileError, match=r"damaged file: .* metadata don't match"):
            read(small)


def test_the_checksum_is_our_own_affair(small):
    assert load_metadata(small) == {"made by": "ŷ"}
    found = pytest.importorskip("safetensors").safe_open(small, framework="numpy")
    assert sorted(found.metadata()) == ["made by", "tinygrad_lr_checkpoint"]


@pytest.mark.parametrize("read", [load_file, load_metadata])
@pytest.mark.parametrize("place", ["arrays", "metadata", "an array and the metadata"])
def test_two_of_one_name_are_refused(read, place, tmp_path):
    entry = '{"dtype":"F32","shape":[1],"data_offsets":[0,4]}'
    texts = '"__metadata__":{"a":"1"}'
    header = {
        "arrays": f'{{"w":{entry},"w":{entry}}}',
        "metadata": f'{{"__metadata__":{{"a":"1","a":"2"}},"w":{entry}}}',
        "an array and the metadata": f'{{{texts},"w":{entry},{texts}}}',
    }[place].encode()
    path = tmp_path / "twice.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    with pytest.raises(DataFileError, match=r"twice\.safetensors: .*(twice|duplicate field)"):
        read(path)


def test_a_file_without_a_checksum_loads_without_it(tmp_path):
    library = pytest.importorskip("safetensors.numpy")
    library.save_file({"w": np.ones(2)}, tmp_path / "m.safetensors", {"format": "pt"})
    arrays, metadata = load_all(tmp_path / "m.safetensors")
    assert arrays["w"].tolist() == [1.0, 1.0] and metadata == {"format": "pt"}


def test_the_bytes_are_those_that_safetensors_itself_writes(small):
    library = pytest.importorskip("safetensors")
    save_file(load_file(small), small)
    metadata = library.safe_open(small, framework="numpy").metadata()
    expected = pytest.importorskip("safetensors.numpy").save(load_file(small), metadata)
    assert small.read_bytes() == expected


def test_the_same_arrays_and_texts_give_the_same_bytes(tmp_path):
    arrays = {"b": np.ones(2), "a": np.ones(3, np.int8), "c": np.ones((), np.float32)}
    texts = {f"text {i}": str(i) for i in range(9)}
    save_file(arrays, tmp_path / "one", texts)
    save_file(dict(reversed(arrays.items())), tmp_path / "two", dict(reversed(texts.items())))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@given(arrays=st.dictionaries(st.text(), ARRAYS, max_size=4), texts=TEXTS)
def test_whatever_the_names_and_the_texts_they_come_back(folder, arrays, texts):
    file = folder / "any.safetensors"
    arrays.pop("__metadata__", None)
    save_file(arrays, file, texts)
    found, metadata = load_all(file)
    assert metadata == texts and {*found} == {*arrays}
    assert all(found[name].tobytes() == arrays[name].tobytes() for name in arrays)
    assert load_shapes(file).keys() == arrays.keys()


def sealed(path, **changes):
    """A file whose seal is another one."""
    library = pytest.importorskip("safetensors.numpy")
    seal = {"tinygrad_lr_checkpoint": 1, "header": "", "numbers": "", **changes}
    library.save_file({"w": np.ones(2)}, path, {"tinygrad_lr_checkpoint": json.dumps(seal)})


@pytest.mark.parametrize(
    ("version", "says"),
    [
        (2, "checkpoint format must be 1, got 2; upgrade tinygrad_lr"),
        (0, "checkpoint format must be 1, got 0; save it again"),
        (True, "checkpoint format must be 1, got True; save it again"),
        ("1\n", r".* got '1\\n'"),
    ],
)
@pytest.mark.parametrize("read", [load_file, load_metadata, load_shapes])
def test_another_version_of_the_format_is_refused_by_name(tmp_path, version, says, read):
    sealed(tmp_path / "m.safetensors", tinygrad_lr_checkpoint=version)
    with pytest.raises(DataFileError, match=rf"m\.safetensors: {says}"):
        read(tmp_path / "m.safetensors")


@pytest.mark.parametrize("seal", ["", "[]", "{}", "NaN", "[" * 100_000, '{"more":1}'])
def test_a_seal_that_is_none_is_damage(tmp_path, seal):
    library = pytest.importorskip("safetensors.numpy")
    file = tmp_path / "m.safetensors"
    library.save_file({"w": np.ones(2)}, file, {"tinygrad_lr_checkpoint": seal})
    with pytest.raises(DataFileError, match=r"m\.safetensors: damaged"):
        load_metadata(file)


@pytest.mark.parametrize("kept", [True, False])
def test_a_seal_under_another_name_is_damage_that_names_it(tmp_path, kept):
    library = pytest.importorskip("safetensors.numpy")
    file, own = tmp_path / "m.safetensors", "tinygrad_lr_checkpoint"
    seal = json.dumps({own: 1, "header": "", "numbers": ""}, separators=(",", ":"))
    texts = {"tinygrad_lr_checkpoinu": seal} | ({own: seal} if kept else {})
    library.save_file({"w": np.ones(2)}, file, texts)
    for read in (load_file, load_metadata, load_shapes):
        with pytest.raises(DataFileError, match=r"damaged file: its checksum has the name '"):
            read(file)


@pytest.mark.parametrize("name", ["w", "b", "\ud800"])
def test_a_name_or_text_that_cannot_be_written_leaves_nothing(tmp_path, name):
    seal = {"tinygrad_lr_checkpoint": "1"} if name == "w" else {"text": "\udfff"}
    with pytest.raises(ArgumentError, match="save_file: "):
        save_file({name: np.ones(2)}, tmp_path / "m.safetensors", seal)
    assert os.listdir(tmp_path) == []


def test_names_too_long_for_a_reader_are_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr("tinygrad_lr.checkpoint.MAX_HEADER_BYTES", 1000)
    with pytest.raises(ArgumentError, match="names and metadata must take at most 1000 bytes"):
        save_file({"w": np.ones(2)}, tmp_path / "m.safetensors", {"history": "0" * 1000})


def test_writing_does_not_need_safetensors_and_reading_says_so(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    save_file({"w": np.ones(2)}, tmp_path / "m.safetensors")
    with pytest.raises(tg.errors.MissingExtraError, match="pip install"):
        load_file(tmp_path / "m.safetensors")


def test_a_model_is_saved_and_loaded_with_its_buffers(tmp_path):
    first, second = (tg.nn.MLP(2, [3], 1, generator=seed) for seed in (0, 1))
    first.mean, second.mean = np.ones(2), np.zeros(2)
    save_model(first, tmp_path / "m.safetensors", {"made by": "ŷ"})
    load_model(second, tmp_path / "m.safetensors")
    assert load_metadata(tmp_path / "m.safetensors") == {"made by": "ŷ"}
    for name, array in first.state_dict().items():
        np.testing.assert_array_equal(second.state_dict()[name], array)


def test_what_a_training_keeps_beside_the_model_is_left_aside(tmp_path):
    line = tg.nn.Linear(1, 1)
    state = {"weight": np.float32([[2]]), "bias": np.float32([3]), "training/step": np.ones(1)}
    save_file(state, tmp_path / "m.safetensors")
    load_model(line, tmp_path / "m.safetensors")
    assert line(np.float32([[1]])).tolist() == [[5.0]]


def test_another_architecture_is_named_entry_by_entry_and_nothing_changes(tmp_path):
    file, model = tmp_path / "m.safetensors", tg.nn.MLP(2, [3, 3], 1, generator=0)
    save_model(tg.nn.MLP(2, [4], 1), file)
    before = model.state_dict()
    says = (
        r"m\.safetensors: MLP.*layers\.4\.weight is missing.*layers\.0\.weight has shape \(2, 4\)"
    )
    with pytest.raises(DataFileError, match=says):
        load_model(model, file)
    assert all((model.state_dict()[name] == array).all() for name, array in before.items())


@pytest.mark.parametrize("function", [save_model, load_model])
def test_a_path_in_the_place_of_the_model_is_refused(function, tmp_path):
    file = tmp_path / "m.safetensors"
    with pytest.raises(
        ArgumentError, match=r"model must be a tg\.nn\.Module, got \w*Path; the arg"
    ):
        function(file, tg.nn.Linear(1, 1))
    assert not file.exists()
