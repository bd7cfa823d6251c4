"""Exchange weights with PyTorch, as arrays by name and as safetensors files.

A model here and a model there match if their attributes have the same names and their layers are of
the same kinds. This module converts the differences: `Sequential` keeps its layers under `layers.`,
`Linear` and the recurrent cells hold the transposes of PyTorch's weights, a recurrent layer is a
list of cells, and the three projections of attention are three layers. A layer that is used twice
has the first of its names, as in `safetensors.torch.save_model`. PyTorch itself isn't needed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import checkpoint
from ..errors import ArgumentError, DataFileError
from ..nn.attention import MultiHeadAttention
from ..nn.cells import Cell
from ..nn.containers import Sequential
from ..nn.linear import Linear
from ..nn.module import Module, walk
from ..nn.normalization import BatchNorm
from ..nn.recurrent import Recurrent
from ..support.abstract_array import Array
from ..support.files import printable
from ..support.validation import check_flag, check_instance

__all__ = ["from_torch_state", "load_file", "save_file", "to_torch_state"]

Rename = Callable[[str], str]

CELL_NAMES = {
    "weight_input": "weight_ih",
    "weight_hidden": "weight_hh",
    "bias_input": "bias_ih",
    "bias_hidden": "bias_hh",
}
TRANSPOSED = {"weight", "weight_input", "weight_hidden"}  # of cells and linear layers
BATCH_COUNTER = "num_batches_tracked"  # an integer that PyTorch keeps with running means


def load_file(model: Module, path: str | os.PathLike[str], *, cast: bool = False) -> None:
    """Load the weights of a safetensors file with PyTorch's names and layouts into a model.

    `safetensors.torch.save_file(net.state_dict(), path)` writes such a file. With `cast=True`,
    floats of another precision are converted to the model's.

    Raises the errors of `checkpoint.load_file`, and `DataFileError`, naming every entry that is
    missing, unknown, or of another shape or dtype; the model is then unchanged.

    >>> import pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp(), "net.safetensors")
    >>> net = {"0.weight": np.float32([[1, 2]]), "0.bias": np.float32([3])}
    >>> tg.checkpoint.save_file(net, file)  # as PyTorch would
    >>> model = tg.nn.Sequential(tg.nn.Linear(2, 1))
    >>> tg.interop.torch.load_file(model, file)
    >>> model(np.float32([[10, 100]])).tolist()
    [[213.0]]
    """
    check_instance("load_file", "model", model, Module, "a tg.nn.Module")
    check_flag("load_file", "cast", cast)
    state = checkpoint.load_file(path)
    try:
        from_torch_state(model, state, cast=cast)
    except ArgumentError as error:
        raise DataFileError(f"{printable(os.fspath(path))}: {error}") from error


def save_file(model: Module, path: str | os.PathLike[str]) -> None:
    """Save the weights of a model to a safetensors file with PyTorch's names and layouts.

    `net.load_state_dict(safetensors.torch.load_file(path))` reads it, strictly. Raises the errors
    of `checkpoint.save_file`.
    """
    checkpoint.save_file(to_torch_state(model), path, {"format": "pt"})


def to_torch_state(model: Module) -> dict[str, Array]:
    """Return a copy of parameters and buffers with PyTorch's names and layouts.

    >>> model = tg.nn.Sequential(tg.nn.Linear(2, 3))
    >>> {name: array.shape for name, array in tg.interop.torch.to_torch_state(model).items()}
    {'0.weight': (3, 2), '0.bias': (3,)}
    """
    check_instance("to_torch_state", "model", model, Module, "a tg.nn.Module")
    state = model.state_dict()
    return {entry.name: entry.join(state) for entry in _build_entries(model)}


def from_torch_state(model: Module, state: Mapping[str, Any], *, cast: bool = False) -> None:
    """Load weights from arrays with PyTorch's names and layouts into a model.

    With `cast=True`, floats of another precision are converted to the model's.

    Raises `ArgumentError`, naming every entry that is missing, unknown, or of another shape or
    dtype; the model is then unchanged.
    """
    where = "from_torch_state"
    check_instance(where, "model", model, Module, "a tg.nn.Module")
    check_flag(where, "cast", cast)
    if not isinstance(state, Mapping):
        raise ArgumentError(
            f"{where}: state must be a dict of arrays by name, got {type(state).__name__}"
        )
    own = model.state_dict()
    entries = {entry.name: entry for entry in _build_entries(model)}
    arrays = {name: np.asarray(state[name]) for name in entries if name in state}
    wrong = [f"{name} is missing" for name, e in entries.items() if e.parts and name not in state]
    wrong += [f"{name!r:.80} is unknown" for name in state if name not in entries]
    loaded: dict[str, Array] = {}
    for name, array in arrays.items():
        expected = entries[name].join(own)
        if not entries[name].parts:
            continue
        if array.shape != expected.shape:
            wrong.append(f"{name} has shape {array.shape}, not {expected.shape}")
        elif array.dtype.newbyteorder("=") != expected.dtype and not (
            cast and array.dtype.kind == expected.dtype.kind == "f"
        ):
            wrong.append(f"{name} has dtype {array.dtype}, not {expected.dtype}")
        else:
            loaded |= entries[name].split(array.astype(expected.dtype, copy=False))
    if wrong:
        raise ArgumentError(
            f"{where}: state must have the names, shapes and dtypes of to_torch_state of the "
            f"{type(model).__name__}: {'; '.join(wrong)}"
        )
    model.load_state_dict(loaded)


@dataclass
class Entry:
    """An entry of PyTorch's state, and the names of our entries that it concatenates.

    `transposed` is True if ours are the transposes. An entry without parts is PyTorch's counter.
    """

    name: str
    transposed: bool = False
    parts: list[str] = field(default_factory=list)

    def join(self, own: Mapping[str, Array]) -> Array:
        """Return PyTorch's array from ours."""
        if not self.parts:
            return np.zeros((), np.int64)
        arrays = [own[part].T if self.transposed else own[part] for part in self.parts]
        return np.array(arrays[0] if len(arrays) == 1 else np.concatenate(arrays), order="C")

    def split(self, array: Array) -> dict[str, Array]:
        """Return our arrays from PyTorch's."""
        arrays = [array] if len(self.parts) == 1 else np.split(array, len(self.parts))
        return {p: a.T if self.transposed else a for p, a in zip(self.parts, arrays, strict=True)}


def _build_entries(model: Module) -> list[Entry]:
    """Return the entries of PyTorch's state of the same model, in the order of ours."""
    entries: dict[str, Entry] = {}
    modules: dict[str, Module] = {}
    renames: dict[str, Rename] = {}
    for name, owner, item, *_ in (found for found in walk(model) if not found.is_generator):
        inside = name.removeprefix(owner).lstrip(".")
        if isinstance(item, Module):
            renames[name] = (
                _rename_inside(modules[owner], inside, renames[owner]) if modules else str
            )
            modules[name] = item
            continue
        holder, rename = modules[owner], renames[owner]
        of_a_cell = isinstance(holder, Cell) and inside in CELL_NAMES
        theirs = rename(CELL_NAMES[inside] if of_a_cell else inside)
        transposed = inside in TRANSPOSED and isinstance(holder, Cell | Linear)
        entries.setdefault(theirs, Entry(theirs, transposed)).parts.append(name)
        if isinstance(holder, BatchNorm) and inside == "running_var":
            entries[rename(BATCH_COUNTER)] = Entry(rename(BATCH_COUNTER))
    return list(entries.values())


def _rename_inside(owner: Module, inside: str, rename: Rename) -> Rename:
    """Return the renaming to PyTorch's names for the entries of a module inside another."""
    if isinstance(owner, Sequential):
        place = inside.removeprefix("layers.")
        return lambda own: rename(f"{place}.{own}")
    if isinstance(owner, Recurrent) and inside.startswith("cells."):
        layer, back = divmod(int(inside.removeprefix("cells.")), 1 + owner.bidirectional)
        return lambda own: rename(f"{own}_l{layer}{'_reverse' * back}")
    if isinstance(owner, MultiHeadAttention) and inside in {"query", "key", "value"}:
        layers = owner.query, owner.key, owner.value
        one = len({layer.in_features for layer in layers}) == 1  # else only the biases are joined
        return lambda own: rename(f"{'in' if one or own == 'bias' else inside[0]}_proj_{own}")
    if isinstance(owner, MultiHeadAttention) and inside == "out":
        return lambda own: rename(f"out_proj.{own}")
    return lambda own: rename(f"{inside}.{own}")
