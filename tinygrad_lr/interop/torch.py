"""Weights from PyTorch's networks and to them, as arrays by name and as safetensors files.

A model here and one there belong together where their attributes have the same names and their
layers are of the same kinds. What differs is written in this file: `Sequential` keeps its layers
under `layers.`, `Linear` and the recurrent cells hold the transposes of PyTorch's weights, a
recurrent layer is a list of cells, and the three projections of attention are three layers.
A layer that stands in two places has the first of its names, as `safetensors.torch.save_model`
has it. PyTorch itself is not needed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import checkpoint
from ..errors import ArgumentError, DataFileError, refuse
from ..nn.attention import MultiHeadAttention
from ..nn.cells import Cell
from ..nn.containers import Sequential
from ..nn.linear import Linear
from ..nn.module import Module, walk
from ..nn.normalization import BatchNorm
from ..nn.recurrent import Recurrent
from ..support.abstract_array import Array
from ..support.files import printable

Spelling = Callable[[str], str]

OF_A_CELL = {
    "weight_input": "weight_ih",
    "weight_hidden": "weight_hh",
    "bias_input": "bias_ih",
    "bias_hidden": "bias_hh",
}
TURNED = {"weight", "weight_input", "weight_hidden"}  # of cells and linear layers
COUNTER = "num_batches_tracked"  # an integer that PyTorch keeps with running means


def load_file(model: Module, path: str | os.PathLike[str], *, cast: bool = False) -> None:
    """Give a model the weights that a safetensors file has under PyTorch's names and layouts.

    `safetensors.torch.save_file(net.state_dict(), path)` writes such a file. With `cast` floats
    of another precision are converted to the model's.

    Raises what `checkpoint.load_file` raises, and `DataFileError` that names every entry which is
    missing, unknown, or of another shape or dtype; the model is then as it was.

    >>> import pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp(), "net.safetensors")
    >>> net = {"0.weight": np.float32([[1, 2]]), "0.bias": np.float32([3])}
    >>> tg.checkpoint.save_file(net, file)  # in place of PyTorch
    >>> model = tg.nn.Sequential(tg.nn.Linear(2, 1))
    >>> tg.interop.torch.load_file(model, file)
    >>> model(np.float32([[10, 100]])).tolist()
    [[213.0]]
    """
    state = checkpoint.load_file(path)
    try:
        from_torch_state(model, state, cast=cast)
    except ArgumentError as error:
        raise DataFileError(f"{printable(os.fspath(path))}: {error}") from error


def save_file(model: Module, path: str | os.PathLike[str]) -> None:
    """Write a model's weights to a safetensors file under PyTorch's names and in its layouts.

    `net.load_state_dict(safetensors.torch.load_file(path))` reads it, strictly. Raises what
    `checkpoint.save_file` raises.
    """
    checkpoint.save_file(to_torch_state(model), path, {"format": "pt"})


def to_torch_state(model: Module) -> dict[str, Array]:
    """A copy of a model's parameters and buffers under PyTorch's names and in its layouts.

    >>> model = tg.nn.Sequential(tg.nn.Linear(2, 3))
    >>> {name: array.shape for name, array in tg.interop.torch.to_torch_state(model).items()}
    {'0.weight': (3, 2), '0.bias': (3,)}
    """
    state = model.state_dict()
    return {entry.name: entry.joined(state) for entry in _entries(model)}


def from_torch_state(model: Module, state: Mapping[str, Any], *, cast: bool = False) -> None:
    """Give a model the weights that arrays have under PyTorch's names and in its layouts.

    With `cast` floats of another precision are converted to the model's.

    Raises `ArgumentError` that names every entry which is missing, unknown, or of another shape or
    dtype; the model is then as it was.
    """
    where = "from_torch_state"
    if not isinstance(state, Mapping):
        given = type(state).__name__
        refuse(ArgumentError, where, "no dict", expected="arrays by name", given=given)
    own = model.state_dict()
    entries = {entry.name: entry for entry in _entries(model)}
    arrays = {name: np.asarray(state[name]) for name in entries if name in state}
    wrong = [f"{name} is missing" for name, e in entries.items() if e.parts and name not in state]
    wrong += [f"{name!r:.80} is unknown" for name in state if name not in entries]
    loaded: dict[str, Array] = {}
    for name, array in arrays.items():
        expected = entries[name].joined(own)
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
        refuse(
            ArgumentError,
            where,
            f"the entries do not fit the {type(model).__name__}",
            expected="the names, shapes and dtypes of to_torch_state(model)",
            given="; ".join(wrong),
        )
    model.load_state_dict(loaded)


@dataclass
class Entry:
    """One entry of PyTorch's state, and the names of ours that it is made of, one below the other.

    `turned` says that ours are the transposes. An entry of no parts is PyTorch's counter.
    """

    name: str
    turned: bool = False
    parts: list[str] = field(default_factory=list)

    def joined(self, own: Mapping[str, Array]) -> Array:
        """PyTorch's array, out of ours."""
        if not self.parts:
            return np.zeros((), np.int64)
        arrays = [own[part].T if self.turned else own[part] for part in self.parts]
        return np.array(arrays[0] if len(arrays) == 1 else np.concatenate(arrays), order="C")

    def split(self, array: Array) -> dict[str, Array]:
        """Our arrays, out of PyTorch's."""
        arrays = [array] if len(self.parts) == 1 else np.split(array, len(self.parts))
        return {p: a.T if self.turned else a for p, a in zip(self.parts, arrays, strict=True)}


def _entries(model: Module) -> list[Entry]:
    """The entries of PyTorch's state of the same model, in the order of ours."""
    entries: dict[str, Entry] = {}
    modules: dict[str, Module] = {}
    spelling: dict[str, Spelling] = {}
    for name, owner, item, *_ in (found for found in walk(model) if not found.is_generator):
        inside = name.removeprefix(owner).lstrip(".")
        if isinstance(item, Module):
            spelling[name] = _inside(modules[owner], inside, spelling[owner]) if modules else str
            modules[name] = item
            continue
        holder, spell = modules[owner], spelling[owner]
        of_a_cell = isinstance(holder, Cell) and inside in OF_A_CELL
        theirs = spell(OF_A_CELL[inside] if of_a_cell else inside)
        turned = inside in TURNED and isinstance(holder, Cell | Linear)
        entries.setdefault(theirs, Entry(theirs, turned)).parts.append(name)
        if isinstance(holder, BatchNorm) and inside == "running_var":
            entries[spell(COUNTER)] = Entry(spell(COUNTER))
    return list(entries.values())


def _inside(owner: Module, inside: str, spell: Spelling) -> Spelling:
    """How PyTorch spells what a module calls its own that lies in another, seen from outside."""
    if isinstance(owner, Sequential):
        place = inside.removeprefix("layers.")
        return lambda own: spell(f"{place}.{own}")
    if isinstance(owner, Recurrent) and inside.startswith("cells."):
        layer, back = divmod(int(inside.removeprefix("cells.")), 1 + owner.bidirectional)
        return lambda own: spell(f"{own}_l{layer}{'_reverse' * back}")
    if isinstance(owner, MultiHeadAttention) and inside in {"query", "key", "value"}:
        layers = owner.query, owner.key, owner.value
        one = len({layer.in_features for layer in layers}) == 1  # else only the biases are joined
        return lambda own: spell(f"{'in' if one or own == 'bias' else inside[0]}_proj_{own}")
    if isinstance(owner, MultiHeadAttention) and inside == "out":
        return lambda own: spell(f"out_proj.{own}")
    return lambda own: spell(f"{inside}.{own}")
