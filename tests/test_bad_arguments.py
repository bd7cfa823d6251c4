"""Every public function and argument: a bad one is refused by one sentence of the package.

The table is made from signatures: each public function, class and method is called as in its
example, with one argument replaced by each of `BAD`. A new function is in the table by itself, and
fails until it has an example, if the names and types of its parameters don't give one.
"""

from __future__ import annotations

import functools
import inspect
import re
import types
import warnings
from pathlib import Path

import numpy as np
import pytest
from operands import THOROUGH, Case

import tinygrad_lr as tg
from tinygrad_lr.core.primitive import Primitive, is_operation
from tinygrad_lr.errors import ArgumentError, TinygradError

HOOKS = {"apply_operation", "error", "join", "over_time", "run_steps", "split", "start", "update"}
HOOKS |= {"due", "read", "write", "reads", "improves", "operation"}
INTERNAL = ("cross_correlation", "window_", "overlap_add", "sliding_windows")
INTERNAL += (
    "sliding_window_view",
    "gru_states",
    "lstm_states",
    "rnn_states",
    "softmax_cross_entropy",
)
"""Operations that others are composed of, which check the options that they pass to them."""

SOLVED = ("scipy.integrate.integral", "scipy.integrate.ode_solution", "scipy.special.expn_of")
SOLVED += ("scipy.signal.recursive_filter", "scipy.linalg.triangular_solution")
SOLVED += ("scipy.fft.orthogonal_transform",)
"""The operations behind SciPy's functions, which check what they pass to them."""

HOOKS |= {f"on_{event}" for event in ("operation", "backward", "tangent", "accumulate", "update")}
"""Methods that the package calls, with what it has checked."""

# Public callables --------------------------------------------------------------------------------


def public_callables():
    """Return every public function, class and method with arguments, by its name."""
    found, modules, seen = {}, [tg], set()
    for module in modules:
        package = module.__name__.removeprefix("tinygrad_lr").lstrip(".")
        for name in getattr(module, "__all__", dir(module)):
            thing = getattr(module, name)
            path = f"{package}.{name}".lstrip(".")
            if name.startswith("_"):
                continue
            if isinstance(thing, types.ModuleType):
                own = thing.__name__.startswith("tinygrad_lr") and thing not in modules
                own = own and "numpy.polynomial" not in thing.__name__  # it's NumPy's own code
                modules += [thing] if own else []
            elif path.startswith((*(f"ops.{name}" for name in INTERNAL), *SOLVED)):
                continue
            elif callable(thing) and id(thing) not in seen and is_public(thing, module):
                seen.add(id(thing))
                found[path] = thing
                if inspect.isclass(thing):
                    found |= public_methods(path, thing, seen)
    return found


def is_public(thing, module):
    """Return True for a function or class of the package, unless it's an exception."""
    home = str(getattr(thing, "__module__", ""))
    error = inspect.isclass(thing) and issubclass(thing, (Exception, Warning))
    listed = hasattr(module, "__all__") or home == module.__name__
    return home.startswith("tinygrad_lr") and listed and not error


def public_methods(path, kind, seen):
    """Return the methods of a class by name, each at the first class that has it."""
    found = {}
    for name in dir(kind):
        method = getattr(kind, name)
        function = getattr(method, "__func__", method)
        public = name in {"__call__", "__getitem__"} or not name.startswith("_")
        if public and inspect.isfunction(function) and id(function) not in seen:
            seen.add(id(function))
            if is_public(function, tg) and name not in HOOKS:
                found[f"{path}.{name}"] = method
    return found


# Working calls -----------------------------------------------------------------------------------

RESULTS = {
    *("History", "datasets.Examples", "datasets.Students", "explain.Derivation"),
    *("explain.Influence", "explain.Layer", "explain.Quiz"),
    *("linear.Line", "metrics.ConfusionMatrix"),
    *("scipy.stats.Frozen", "scipy.stats.Distribution", "scipy.stats.Dirichlet"),
    *("scipy.stats.Multinomial", "scipy.stats.MultivariateNormal", "scipy.stats.dirichlet"),
    *("scipy.stats.multinomial", "scipy.stats.multivariate_normal"),
    *("scipy.stats.Distribution.__call__", "scipy.stats.Dirichlet.__call__"),
    *("nn.Summary", "plot.GraphPicture", "train.LearningRates", "train.Moment"),
    *("data.BatchIterator", "compiler.Compiled"),
}
"""Classes of results, which the package makes: their constructors check nothing."""


def numbers(*shape):
    """Numbers between 0.1 and 0.9, all different."""
    return (
        np.random.default_rng(0)
        .permutation(np.linspace(0.1, 0.9, int(np.prod(shape))))
        .reshape(shape)
    )


def line():
    """A model with one input and one output."""
    return tg.nn.Linear(1, 1, dtype=np.float64, generator=0)


X, Y = numbers(6, 1), numbers(6, 1) * 2


@functools.cache
def line_run():
    """A model, trained, and its history."""
    model = line()
    history = tg.fit(model, X, Y, steps=4, learning_rate=0.1, progress=False, warn=False)
    return model, history


def line_loss():
    """A loss, and the model that it was computed from."""
    model = line()
    return tg.losses.mse(model(X), Y), model


@functools.cache
def class_run():
    """A classifier of two columns, trained, with its data and its history."""
    model, x, y = tg.nn.Linear(2, 2, generator=0), numbers(8, 2), np.arange(8) % 2
    loss = tg.losses.cross_entropy
    options = {"steps": 3, "learning_rate": 0.1, "progress": False, "warn": False}
    return model, x, y, tg.fit(model, x, y, loss=loss, **options)


def run_arguments(**more):
    """The arguments model, x, y and history of a picture of a run."""
    model, history = line_run()
    return {"model": model, "x": X, "y": Y, "history": history, **more}


def class_arguments():
    """The same for two classes."""
    model, x, y, history = class_run()
    return {"model": model, "x": x, "y": y, "history": history}


def square(x):
    """A function of one Value."""
    return x * x


def influence():
    """Return an influence, of each weight on a loss."""
    loss, model = line_loss()
    return tg.influence(model, loss)


def parameters():
    """Parameters with gradients."""
    loss, model = line_loss()
    loss.backward()
    return model.parameters()


def optimizer():
    """An optimiser of them."""
    return tg.optim.Adam(parameters())


def scalings():
    """A fitted Standardizer."""
    return tg.data.Standardizer().fit(X)


def loader():
    """Batches of two rows."""
    return tg.data.DataLoader(X, Y, batch_size=2)


def saved_file(model):
    """A file with the weights of a model."""
    tg.checkpoint.save_model(model, "weights.safetensors")
    return "weights.safetensors"


def torch_file():
    """The same, as PyTorch names them."""
    tg.interop.torch.save_file(line(), "torch.safetensors")
    return "torch.safetensors"


def idx_file():
    """Two images of 2 × 2 and their labels in the format of MNIST, in a folder."""
    folder = Path("idx").absolute()
    folder.mkdir(exist_ok=True)
    images = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2, *range(8)])
    (folder / "train-images-idx3-ubyte").write_bytes(images)
    (folder / "train-labels-idx1-ubyte").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 2, 0, 1]))
    return folder / "train-images-idx3-ubyte"


@functools.cache
def DERIVATION():
    """A derivation of a loss."""
    return tg.derivation(line_loss()[0])


def closure():
    """Compute a loss and its gradients."""
    loss = line_loss()[0]
    loss.backward()
    return loss


def deep_influence():
    """The influence of a model with two layers."""
    model = tg.nn.MLP(1, [3], 1, generator=0)
    return tg.influence(model, tg.losses.mse(model(X), Y))


def with_rule():
    """A function with a reverse rule of its own."""
    made = tg.custom_vjp(square)
    made.defvjp(lambda x: (x * x, x), lambda x, g: (2 * x * g,))
    return made


def with_tangent_rule():
    """A function with a forward rule of its own."""
    made = tg.custom_jvp(square)
    made.defjvp(lambda primals, tangents: (square(*primals), 2 * primals[0] * tangents[0]))
    return made


BY_NAME = {
    **dict.fromkeys(
        ["x", "a", "m", "v", "arr", "ary", "array", "y", "A", "data"], lambda: numbers(3, 3)
    ),
    **dict.fromkeys(["b", "g", "weight", "values"], lambda: numbers(3, 3)),
    **dict.fromkeys(["arrays", "tup"], lambda: [numbers(3, 3), numbers(3, 3)]),
    **dict.fromkeys(["prediction", "target"], lambda: numbers(4, 3)),
    **dict.fromkeys(["f", "function"], lambda: square),
    **dict.fromkeys(["loss"], lambda: line_loss()[0]),
    **dict.fromkeys(["axis", "axis1", "source"], lambda: 0),
    **dict.fromkeys(["axis2", "destination"], lambda: 1),
    **dict.fromkeys(["indices_or_sections", "repeats", "reps"], lambda: 3),
    **dict.fromkeys(["step", "count", "kernel_size", "features", "k", "position"], lambda: 2),
    **dict.fromkeys(["in_features", "in1_features", "in2_features", "out_features"], lambda: 2),
    **dict.fromkeys(["in_channels", "out_channels", "input_size", "hidden_size"], lambda: 2),
    **dict.fromkeys(["output_size", "classes", "count", "dim"], lambda: 2),
    **dict.fromkeys(["steps"], lambda: 8),
    **dict.fromkeys(["learning_rate", "factor", "value", "peak", "max_norm", "limit"], lambda: 0.5),
    **dict.fromkeys(["model"], line),
    **dict.fromkeys(["influence"], influence),
    **dict.fromkeys(["parameters"], parameters),
    **dict.fromkeys(["histories"], lambda: [line_run()[1]]),
    **dict.fromkeys(["dtype"], lambda: np.float32),
    "shape": lambda: (3, 3),
    "object": lambda: [0.5, 1.0],
    "fill_value": lambda: 0.5,
    "path": lambda: "file",
    "schedule": lambda: 0.1,
    "every": lambda: 2,
    "primals": lambda: (numbers(3),),
    "tangents": lambda: (numbers(3),),
    "tensors": lambda: {"w": numbers(2)},
    "state": lambda: {},
    "history": lambda: line_run()[1],
}
"""Values of required parameters by name."""

EXAMPLES = {
    "Value.to_device": lambda: {"device": "cpu", "stream": None},
    "Value.put": lambda: {"indices": [0, 1], "values": 0.5},
    "ops.add_at": lambda: {"a": tg.zeros(3), "indices": 1, "b": 0.5},
    "ops.clip": lambda: {"a": numbers(3), "a_min": 0.2},  # NumPy 2.0 wants a bound
    "ops.copyto": lambda: {"dst": tg.zeros(3), "src": 0.5},
    "ops.fill_diagonal": lambda: {"a": tg.zeros((3, 3)), "val": 0.5},
    "ops.place": lambda: {"arr": tg.zeros(2), "mask": np.array([True, False]), "vals": [0.5]},
    "ops.put": lambda: {"a": tg.zeros(3), "ind": [0, 1], "v": 0.5},
    "ops.put_along_axis": lambda: {
        **{"arr": tg.zeros(3), "indices": np.array([0]), "values": 0.5, "axis": 0}
    },
    "ops.putmask": lambda: {"a": tg.zeros(2), "mask": np.array([True, False]), "values": 0.5},
    "Value.clip": lambda: {"a_min": 0.0, "a_max": 0.5},
    "Value.backward": lambda: {"gradient": np.ones((3, 3))},
    "Value.dot": lambda: {"b": numbers(3)},
    "Value.__getitem__": lambda: {"index": 1},
    "Value.astype": lambda: {"dtype": np.float32},
    "Value.reshape": lambda: {"shape": (9,)},
    "Value.transpose": lambda: {"axes": (1, 0)},
    "check_gradients": lambda: {"f": square, "args": (numbers(2),)},
    "hvp": lambda: {
        **{"f": lambda x: np.sum(x * x), "primals": (numbers(2),), "tangents": (numbers(2),)}
    },
    "influence": lambda: dict(zip(("loss", "model"), line_loss(), strict=True)),
    "checkpoint.load_file": lambda: {"path": saved_file(line())},
    "checkpoint.load_metadata": lambda: {"path": saved_file(line())},
    "checkpoint.load_model": lambda: {"model": line(), "path": saved_file(line())},
    "compiler.Compiled.__call__": lambda: {"args": (numbers(3),)},
    "compiler.Compiled.loop": lambda: {"args": (numbers(3),), "steps": 2},
    "compiler.Compiled.epochs": lambda: {"arrays": (X,), "batch_size": 2, "epochs": 2},
    "custom_vjp.defvjp": lambda: {
        **{"forward": lambda x: (x, None), "backward": lambda kept, g: (g,)}
    },
    "custom_vjp.__call__": lambda: {"args": (numbers(2),)},
    "custom_jvp.defjvp": lambda: {"rule": lambda primals, tangents: (primals[0], tangents[0])},
    "custom_jvp.__call__": lambda: {"args": (numbers(2),)},
    "fixed_point": lambda: {"f": np.cos, "x0": 1.0, "args": ()},
    "scan": lambda: {"f": lambda c, x: (c + x, x), "init": 0.0, "xs": numbers(3), "length": 3},
    "while_loop": lambda: {
        **{"cond_fun": lambda x: False, "body_fun": lambda x: x, "init_val": 0.0}
    },
    "cond": lambda: {"pred": True, "true_fun": abs, "false_fun": abs, "operands": (1.0,)},
    "root": lambda: {"f": lambda x: x * x - 2.0, "x0": 1.0, "args": ()},
    "linearize": lambda: {"f": square, "primals": (numbers(2),)},
    "vjp": lambda: {"f": square, "primals": (numbers(2),)},
    "fit": lambda: {
        **{"model": line(), "x": X, "y": Y, "steps": 2, "learning_rate": 0.1},
        **{"progress": False, "warn": False},
    },
    "report": run_arguments,
    "data.one_hot": lambda: {"labels": [0, 1]},
    "data.split": lambda: {"arrays": (X, Y), "test": 0.5},
    "data.DataLoader": lambda: {"arrays": (X, Y), "batch_size": 2},
    "data.DataLoader.check_state_dict": lambda: {"state": loader().state_dict()},
    "data.DataLoader.load_state_dict": lambda: {"state": loader().state_dict()},
    "data.Standardizer.transform": lambda: {"x": X},
    "data.Standardizer.inverse_transform": lambda: {"z": X},
    "datasets.idx_images": lambda: {"folder": idx_file().parent},
    "datasets.read_idx": lambda: {"path": idx_file()},
    "quiz": lambda: {"derivation": DERIVATION()},
    "explain.Quiz.check": lambda: {"number": 1, "answer": 0.5},
    "explain.Quiz.solution": lambda: {"number": 1},
    "explain.Derivation.step": lambda: {"value": DERIVATION().steps[0].value},
    "explain.Replay.at": lambda: {"numbers": {}},
    "data.original_units": lambda: {"slope": [1.0], "intercept": 0.0, "x_scaling": scalings()},
    "interop.torch.load_file": lambda: {"model": line(), "path": torch_file()},
    "interop.torch.from_torch_state": lambda: {
        "model": line(),
        "state": tg.interop.torch.to_torch_state(line()),
    },
    "linear.closed_form": lambda: {"x": X, "y": Y[:, 0]},
    "linear.Line.agrees_with": lambda: {"slope": 2.0, "intercept": 0.0},
    "linear.Line.predict": lambda: {"x": X},
    "linear.Line.prediction_spread": lambda: {"x": X},
    "linear.learning_rate_limit": lambda: {
        **{"model": line(), "loss": tg.losses.mse, "x": X, "y": Y}
    },
    "losses.cross_entropy": lambda: {"prediction": numbers(4, 3), "target": [0, 1, 2, 0]},
    "losses.nll": lambda: {"prediction": numbers(4, 3), "target": [0, 1, 2, 0]},
    "losses.kl_divergence": lambda: {"prediction": numbers(4, 2), "target": np.full((4, 2), 0.5)},
    "losses.gaussian_nll": lambda: {
        **{"prediction": numbers(4), "target": numbers(4), "variance": numbers(4)}
    },
    "losses.hinge": lambda: {"prediction": numbers(4), "target": [1, -1, 1, -1]},
    "metrics.accuracy": lambda: {"prediction": numbers(4, 3), "target": [0, 1, 2, 0]},
    "metrics.confusion_matrix": lambda: {"prediction": [0, 1, 1], "target": [0, 1, 0]},
    "metrics.ConfusionMatrix.of": lambda: {"prediction": [0, 1, 1], "target": [0, 1, 0]},
    "metrics.f1": lambda: {"prediction": [0, 1, 1], "target": [0, 1, 0]},
    "metrics.precision": lambda: {"prediction": [0, 1, 1], "target": [0, 1, 0]},
    "metrics.recall": lambda: {"prediction": [0, 1, 1], "target": [0, 1, 0]},
    **{
        f"nn.init.{name}": lambda: {"target": (2, 2)}
        for name in (
            *("kaiming_normal", "kaiming_uniform", "normal", "ones", "orthogonal", "uniform"),
            *("xavier_normal", "xavier_uniform", "zeros"),
        )
    },
    "nn.init.constant": lambda: {"target": (2, 2), "value": 0.5},
    "nn.AvgPool1d.forward": lambda: {"x": numbers(2, 2, 6)},
    "nn.MaxPool1d.forward": lambda: {"x": numbers(2, 2, 6)},
    "nn.AdaptiveAvgPool1d.forward": lambda: {"x": numbers(2, 2, 6)},
    "nn.AdaptiveAvgPool1d.load_state_dict": lambda: {"state": {}},
    "nn.BatchNorm1d.forward": lambda: {"x": numbers(3, 2)},
    "nn.Bilinear.forward": lambda: {"x1": numbers(3, 2), "x2": numbers(3, 2)},
    "nn.Conv1d.forward": lambda: {"x": numbers(2, 2, 6)},
    "nn.Embedding.forward": lambda: {"indices": [0, 1]},
    "nn.GLU.forward": lambda: {"x": numbers(3, 2)},
    "nn.GRU.forward": lambda: {"x": numbers(3, 4, 2)},
    "nn.GRUCell.forward": lambda: {"x": numbers(3, 2)},
    "nn.Linear.forward": lambda: {"x": numbers(3, 2)},
    "nn.AdaptiveAvgPool1d.__call__": lambda: {"inputs": (numbers(2, 2, 6),)},
    "nn.MLP.forward": lambda: {"x": numbers(3, 2)},
    "nn.MLP": lambda: {"in_features": 2, "hidden": [3], "out_features": 1},
    "nn.MultiHeadAttention": lambda: {"embed_dim": 4, "num_heads": 2},
    "nn.MultiHeadAttention.forward": lambda: {"query": numbers(1, 3, 4)},
    "nn.Sequential": lambda: {"layers": (tg.nn.Linear(3, 3), tg.nn.Tanh())},
    "nn.Residual": lambda: {"layers": (tg.nn.Linear(3, 3), tg.nn.Tanh())},
    "nn.Sequential.__getitem__": lambda: {"position": 1},
    "nn.Sequential.forward": lambda: {"x": numbers(3, 3)},
    "nn.observed": lambda: {"model": line(), "see": print},
    "nn.scaled_dot_product_attention": lambda: dict.fromkeys(
        ["query", "key", "value"], numbers(3, 3)
    ),
    "nn.summary": lambda: {"model": line(), "input_shape": (2, 1)},
    "nn.init.calculate_gain": lambda: {"nonlinearity": "relu"},
    "nn.init.reset": lambda: {"model": line(), "weight": tg.nn.init.ones},
    "ops.einsum": lambda: {"subscripts": "ij,jk", "operands": (numbers(3, 3), numbers(3, 3))},
    "ops.astype": lambda: {"x": numbers(3), "dtype": np.float32},
    "ops.broadcast_arrays": lambda: {"args": (numbers(3), numbers(3, 1))},
    "ops.cross": lambda: {"a": numbers(3), "b": numbers(3)},
    **dict.fromkeys(
        [f"ops.{name}" for name in ("cholesky", "cholesky_factor", "eigh", "eigvalsh")],
        lambda: {"a": 2.0 * np.eye(3)},
    ),
    **dict.fromkeys(
        [f"ops.{name}" for name in ("linalg_cross", "linalg_outer", "vecdot", "linalg_vecdot")],
        lambda: {"x1": numbers(3), "x2": numbers(3)},
    ),
    **dict.fromkeys(
        [f"ops.{name}" for name in ("linalg_matmul", "linalg_tensordot", "matvec", "vecmat")],
        lambda: {"x1": numbers(3, 3), "x2": numbers(3, 3)},
    ),
    **dict.fromkeys(
        ["ops.polyadd", "ops.polysub", "ops.polymul"],
        lambda: {"a1": numbers(3), "a2": numbers(2)},
    ),
    **dict.fromkeys(
        ["ops.polyder", "ops.polyint", "ops.roots"], lambda: {"p": np.array([1.0, -3.0, 2.0])}
    ),
    **dict.fromkeys(["ops.numpy_real", "ops.numpy_imag"], lambda: {"val": numbers(3)}),
    "ops.angle": lambda: {"z": numbers(3)},
    "ops.matrix_power": lambda: {"a": numbers(3, 3), "n": 2},
    "ops.poly": lambda: {"seq_of_zeros": numbers(3)},
    "ops.polydiv": lambda: {"u": numbers(3), "v": numbers(2)},
    "ops.polyfit": lambda: {"x": numbers(4), "y": numbers(4), "deg": 1},
    "ops.polyval": lambda: {"p": numbers(3), "x": numbers(2)},
    "ops.tensorinv": lambda: {"a": numbers(4, 2, 2), "ind": 1},
    "ops.tensorsolve": lambda: {"a": numbers(2, 2, 4), "b": numbers(2, 2)},
    "ops.vander": lambda: {"x": numbers(3)},
    "ops.glu": lambda: {"x": numbers(4)},
    "ops.numpy_broadcast_to": lambda: {"array": numbers(3), "shape": (2, 3)},
    "ops.pad": lambda: {"array": numbers(3), "pad_width": 1},
    "ops.roll": lambda: {"a": numbers(3), "shift": 1},
    "ops.reshape": lambda: {"a": numbers(3, 3), "shape": (9,)},
    "ops.squeeze": lambda: {"a": numbers(3, 1)},
    "ops.take": lambda: {"a": numbers(3), "indices": [0, 2]},
    "ops.take_along_axis": lambda: {"arr": numbers(3, 3), "indices": np.zeros((3, 1), int)},
    "ops.getitem": lambda: {"x": numbers(3), "index": 1},
    "Value.argpartition": lambda: {"kth": 1},
    "Value.compress": lambda: {"condition": [True, False, True], "axis": 0},
    "Value.item": lambda: {"args": (1, 2)},
    "Value.searchsorted": lambda: {"v": 0.5},
    "Value.take": lambda: {"indices": [0, 2]},
    "ops.apply_along_axis": lambda: {"func1d": np.sum, "axis": 0, "arr": numbers(3, 3)},
    "ops.apply_over_axes": lambda: {"func": np.sum, "a": numbers(3, 3), "axes": [0, 1]},
    "ops.atleast_1d": lambda: {"arys": (numbers(3), 0.5)},
    "ops.atleast_2d": lambda: {"arys": (numbers(3), 0.5)},
    "ops.atleast_3d": lambda: {"arys": (numbers(3), 0.5)},
    "ops.bincount": lambda: {"x": np.array([0, 2]), "weights": numbers(2)},
    "ops.choose": lambda: {"a": [0, 1], "choices": [numbers(2), numbers(2)]},
    "ops.compress": lambda: {"condition": [True, False], "a": numbers(2)},
    "ops.convolve": lambda: {"a": numbers(3), "v": numbers(2)},
    "ops.correlate": lambda: {"a": numbers(3), "v": numbers(2)},
    "ops.cumulative_prod": lambda: {"x": numbers(3)},
    "ops.cumulative_sum": lambda: {"x": numbers(3)},
    "ops.delete": lambda: {"arr": numbers(3), "obj": 1},
    "ops.divmod": lambda: {"x": numbers(3), "y": numbers(3)},
    "ops.dsplit": lambda: {"ary": numbers(2, 2, 4), "indices_or_sections": 2},
    "ops.extract": lambda: {"condition": [True, False], "arr": numbers(2)},
    "ops.geomspace": lambda: {"start": 1.0, "stop": 9.0},
    "ops.gradient": lambda: {"f": numbers(4), "varargs": (0.5,)},
    "ops.histogram2d": lambda: {"x": numbers(4), "y": numbers(4)},
    "ops.histogramdd": lambda: {"sample": numbers(4, 2)},
    "ops.insert": lambda: {"arr": numbers(3), "obj": 1, "values": 0.5},
    "ops.interp": lambda: {"x": numbers(3), "xp": [0.0, 1.0], "fp": numbers(2)},
    "ops.intersect1d": lambda: {"ar1": numbers(3), "ar2": numbers(3)},
    "ops.ldexp": lambda: {"x1": numbers(3), "x2": 2},
    "ops.linspace": lambda: {"start": 0.5, "stop": numbers(2)},
    "ops.logspace": lambda: {"start": 0.5, "stop": numbers(2)},
    "ops.meshgrid": lambda: {"xi": (numbers(3), numbers(2))},
    "ops.nanpercentile": lambda: {"a": numbers(3), "q": 30},
    "ops.nanquantile": lambda: {"a": numbers(3), "q": 0.3},
    "ops.partition": lambda: {"a": numbers(3), "kth": 1},
    "ops.percentile": lambda: {"a": numbers(3), "q": 30},
    "ops.by_pieces": lambda: {
        **{"x": numbers(2), "condlist": [[True, False]], "funclist": [square, 0.5]},
    },
    "ops.quantile": lambda: {"a": numbers(3), "q": 0.3},
    "ops.resize": lambda: {"a": numbers(3), "new_shape": (2, 2)},
    "ops.rollaxis": lambda: {"a": numbers(3, 3), "axis": 1},
    "ops.select": lambda: {"condlist": [np.array([True, False])], "choicelist": [numbers(2)]},
    "ops.setdiff1d": lambda: {"ar1": numbers(3), "ar2": numbers(2)},
    "ops.setxor1d": lambda: {"ar1": numbers(3), "ar2": numbers(2)},
    "ops.trim_zeros": lambda: {"filt": numbers(3)},
    "ops.union1d": lambda: {"ar1": numbers(3), "ar2": numbers(2)},
    "ops.unique": lambda: {"ar": numbers(3)},
    "ops.unwrap": lambda: {"p": numbers(3)},
    "ops.prelu": lambda: {"x": numbers(3), "weight": 0.5},
    "optim.Adadelta.load_state_dict": lambda: {
        "state": tg.optim.Adadelta(parameters()).state_dict()
    },
    "optim.ExponentialMovingAverage.load_state_dict": lambda: {
        "state": tg.optim.ExponentialMovingAverage(line()).state_dict()
    },
    "optim.LBFGS.step": lambda: {"closure": closure},
    "optim.minimize": lambda: {"f": lambda x: np.sum(x * x), "x0": numbers(2)},
    "optim.restore": lambda: (lambda p: {"parameters": p, "saved": tg.optim.snapshot(p)})(
        parameters()
    ),
    "optim.ExponentialMovingAverage": lambda: {"model_or_parameters": line()},
    "plot.GraphPicture.save": lambda: {"path": "graph.svg"},
    "plot.gradient_by_depth": lambda: {"influence": deep_influence()},
    "plot.classification_figure": lambda: {
        **{
            "x": class_run()[1],
            "y": class_run()[2],
            "predict": lambda x: np.hstack([x[:, :1], 1 - x[:, :1]]),
        },
        **{
            "history": class_run()[3],
            "confusion": np.array([[4, 0], [4, 0]]),
            "x_names": ("a", "b"),
        },
        **{"y_name": "c", "labels": ("0", "1")},
    },
    "plot.decision_boundary": class_arguments,
    "plot.descent_figure": lambda: {
        **{"x": X[:, 0], "y": Y[:, 0], "predict": lambda x: x, "history": line_run()[1]},
        "loss_at": tg.plot.loss_of(line(), X, Y),
    },
    **{
        f"plot.{name}": run_arguments
        for name in ("fit_course", "loss_contours", "loss_landscape", "loss_over_weight")
    },
    "plot.learning_rates": lambda: {
        **{"model": line(), "x": X, "y": Y, "histories": [line_run()[1]]},
    },
    "plot.loss_of": lambda: {"model": line(), "x": X, "y": Y},
    "schedules.ReduceOnPlateau.see": lambda: {"number": 0.5},
    "schedules.ReduceOnPlateau.load_state_dict": lambda: {
        "state": tg.schedules.ReduceOnPlateau(0.5).state_dict()
    },
    "schedules.Joined": lambda: {"schedules": (0.1, 0.2), "boundaries": (2,)},
    "train.evaluate": lambda: {"model": line(), "x": X, "y": Y},
    "train.predict": lambda: {"model": line(), "x": X},
    "train.find_learning_rate": lambda: {"model": line(), "x": X, "y": Y, "steps": 10},
    "primitive": lambda: {"numpy": ()},
    "compile": lambda: {"function": square},
}
"""Arguments of a working call, where names don't give them."""


def value(*shape):
    """A Value: without one, tg.scipy's functions are SciPy's own."""
    return tg.Value(numbers(*shape))


MATRIX = {"a": tg.Value(2.0 * np.eye(3))}
SCIPY = {
    "integrate.odeint": lambda: {
        **{"func": lambda y, t, w: -w * y, "y0": value(2), "t": [0.0, 0.5], "args": (value(),)}
    },
    "integrate.quad": lambda: {
        **{"func": lambda x, w: w * x, "a": tg.Value(0.0), "b": 1.0, "args": (value(),)}
    },
    "integrate.solve_ivp": lambda: {
        **{"fun": lambda t, y, w: -w * y, "t_span": (0.0, 1.0), "y0": value(2)},
        **{"t_eval": [0.5, 1.0], "args": (value(),)},
    },
    **dict.fromkeys(
        ["interpolate.CubicSpline", "interpolate.interp1d"],
        lambda: {"x": [0.0, 0.5, 1.0], "y": value(3)},
    ),
    "interpolate.CubicHermiteSpline": lambda: {
        **{"x": [0.0, 0.5, 1.0], "y": value(3), "dydx": value(3)}
    },
    "interpolate.PchipInterpolator": lambda: {"x": [0.0, 0.5, 1.0], "y": value(3)},
    "interpolate.BSpline": lambda: {"t": np.arange(6.0), "c": value(4), "k": 1},
    "interpolate.make_interp_spline": lambda: {"x": [0.0, 0.5, 1.0], "y": value(3), "k": 1},
    "interpolate.RegularGridInterpolator": lambda: {"points": [[0.0, 1.0]], "values": value(2)},
    "interpolate.RegularGridInterpolator.__call__": lambda: {"xi": [[0.5]]},
    "interpolate.BSpline.__call__": lambda: {"x": value(2) + 2.0},
    "interpolate.CubicSpline.__call__": lambda: {"x": value(2)},
    "interpolate.interp1d.__call__": lambda: {"x": value(2)},
    "linalg.block_diag": lambda: {"arrays": (value(2, 2), 0.5)},
    "linalg.cho_solve": lambda: {"c_and_lower": (MATRIX["a"], True), "b": numbers(3)},
    "linalg.eigh": lambda: {**MATRIX, "b": np.eye(3)},
    "linalg.eigvalsh": lambda: {**MATRIX, "b": np.eye(3)},
    "linalg.fractional_matrix_power": lambda: {"A": MATRIX["a"], "t": 0.5},
    "linalg.lu_solve": lambda: {
        **{"lu_and_piv": tg.scipy.linalg.lu_factor(value(3, 3)), "b": numbers(3)}
    },
    "linalg.solve_triangular": lambda: {**MATRIX, "b": numbers(3)},
    "linalg.svd": lambda: MATRIX,
    "linalg.companion": lambda: {"a": value(3)},
    "linalg.convolution_matrix": lambda: {"a": value(3), "n": 2},
    "linalg.fiedler": lambda: {"a": value(3)},
    "linalg.leslie": lambda: {"f": value(3), "s": numbers(2)},
    "linalg.eigh_tridiagonal": lambda: {"d": value(3), "e": numbers(2)},
    **{
        f"ndimage.{name}": lambda: {
            **{"input": value(4, 4), "sigma": 0.5, "size": 3, "weights": numbers(3)},
            **{"coordinates": numbers(2, 3), "shift": 0.5, "matrix": np.eye(2)},
        }
        for name in (
            *("gaussian_filter", "gaussian_filter1d", "uniform_filter", "uniform_filter1d"),
            *("map_coordinates", "shift", "affine_transform", "correlate1d", "convolve1d"),
            *("laplace", "sobel"),
        )
    },
    **{
        f"ndimage.{name}": lambda: {"input": value(4), "weights": numbers(3)}
        for name in ("correlate", "convolve")
    },
    **{
        f"stats.{name}": lambda: {"a": value(4), "pk": value(4), "method": "average"}
        for name in (
            *("entropy", "gmean", "hmean", "kurtosis", "moment", "rankdata", "sem", "skew"),
            *("variation", "zscore"),
        )
    },
    "stats.gaussian_kde": lambda: {"dataset": value(4)},
    "stats.gaussian_kde.logpdf": lambda: {"x": value(2)},
    "stats.gaussian_kde.__call__": lambda: {"x": value(2)},
    "linalg.lstsq": lambda: {"a": value(3, 2), "b": numbers(3)},
    "linalg.solve_banded": lambda: {"l_and_u": (1, 1), "ab": value(3, 3) + 1.0, "b": numbers(3)},
    "linalg.solveh_banded": lambda: {"ab": value(1, 3), "b": numbers(3)},
    **dict.fromkeys(
        ["linalg.cholesky", "linalg.cho_factor", "linalg.eig", "linalg.pinvh"], lambda: MATRIX
    ),
    **dict.fromkeys(
        ["linalg.solve_toeplitz", "linalg.matmul_toeplitz"],
        lambda: {"c_or_cr": value(3), "b": numbers(3), "x": numbers(3)},
    ),
    **dict.fromkeys(
        ["linalg.solve_continuous_lyapunov", "linalg.solve_discrete_lyapunov"],
        lambda: {"a": value(3, 3), "q": np.eye(3)},
    ),
    **dict.fromkeys(["linalg.expm_frechet"], lambda: {"A": value(3, 3), "E": np.eye(3)}),
    **{
        f"linalg.{name}": lambda: {"A": value(3, 3)}
        for name in ("cosm", "coshm", "sinm", "sinhm", "tanm", "tanhm")
    },
    **dict.fromkeys(
        ["linalg.toeplitz", "linalg.hankel", "linalg.circulant"], lambda: {"c": value(3)}
    ),
    **{
        f"signal.{name}": lambda: {"in1": value(3), "in2": numbers(2)}
        for name in ("convolve", "correlate", "fftconvolve", "oaconvolve")
    },
    **{
        f"signal.{name}": lambda: {"in1": value(3, 2), "in2": numbers(2, 2)}
        for name in ("convolve2d", "correlate2d")
    },
    "signal.sosfilt": lambda: {"sos": [[1.0, 0.0, 0.0, 1.0, 0.5, 0.0]], "x": value(8)},
    "signal.freqz": lambda: {"b": value(2)},
    **{
        f"signal.{name}": lambda: {"x": value(8), "y": numbers(8), "nperseg": 4}
        for name in ("csd", "coherence", "stft")
    },
    "signal.istft": lambda: {"Zxx": value(3, 4)},
    "signal.resample": lambda: {"x": value(8), "num": 4},
    "signal.filtfilt": lambda: {"b": [1.0], "a": [1.0, 0.5], "x": value(8)},
    "signal.lfilter": lambda: {"b": value(1), "a": [1.0, 0.5], "x": value(8)},
    "signal.periodogram": lambda: {"x": value(8)},
    "signal.savgol_filter": lambda: {"x": value(8), "window_length": 3, "polyorder": 1},
    "signal.welch": lambda: {"x": value(8), "nperseg": 4},
    "signal.lfilter_zi": lambda: {"b": value(2), "a": [1.0, 0.5]},
    "special.multigammaln": lambda: {"a": value(3) + 2.0, "d": 2},
    **dict.fromkeys(
        ["special.comb", "special.perm"], lambda: {"N": value(2) + 3.0, "k": numbers(2)}
    ),
    "special.factorial": lambda: {"n": value(2)},
    "special.lambertw": lambda: {"z": value(2)},
    **{
        f"special.{name}": lambda: {"v": 1.0, "z": value(2)}
        for name in ("ivp", "jvp", "kvp", "yvp")
    },
    "special.airy": lambda: {"z": value(2)},
    "special.ellipj": lambda: {"u": value(2), "m": 0.5},
    "special.sph_harm_y": lambda: {"n": 2, "m": 1, "theta": value(2), "phi": 0.3},
    **{
        f"special.{name}": lambda: {"n": 2, "x": value(2)}
        for name in ("eval_hermite", "eval_hermitenorm")
    },
    "special.voigt_profile": lambda: {"x": value(2), "sigma": 1.0, "gamma": 0.5},
    "special.polygamma": lambda: {"n": 1, "x": value(3)},
    "special.expn": lambda: {"n": 1, "x": value(3)},
    **{
        f"special.{name}": lambda: {
            **{"k": 1.0, "n": 3.0, "p": value(2), "df": 2.0, "dfn": 2.0, "dfd": 3.0, "x": value(2)},
            **{"delta": 0.5, "r": value(2), "lmbda": 0.5},
        }
        for name in (
            *("bdtr", "bdtrc", "nbdtr", "nbdtrc", "chdtr", "chdtrc", "fdtr", "fdtrc"),
            *("huber", "pseudo_huber", "boxcox", "boxcox1p"),
        )
    },
    "stats.Dirichlet.logpdf": lambda: {"x": [0.25, 0.75], "alpha": value(2)},
    "stats.Dirichlet.pdf": lambda: {"x": [0.25, 0.75], "alpha": value(2)},
    "stats.Multinomial.logpmf": lambda: {"x": [1, 1], "n": 2, "p": tg.Value([0.5, 0.5])},
    "stats.Multinomial.pmf": lambda: {"x": [1, 1], "n": 2, "p": tg.Value([0.5, 0.5])},
    "stats.MultivariateNormal.entropy": lambda: {"cov": MATRIX["a"]},
    **dict.fromkeys(
        ["stats.MultivariateNormal.logpdf", "stats.MultivariateNormal.pdf"],
        lambda: {"x": value(3), "mean": np.zeros(3), "cov": np.eye(3)},
    ),
}
EXAMPLES |= {f"scipy.{name}": example for name, example in SCIPY.items()}
for axes in (1, 2):
    image = numbers(2, 2, *[6] * axes)
    EXAMPLES[f"ops.conv{axes}d"] = lambda x=image: {"x": x, "weight": x[:, :, :2]}
    for pool in ("avg_pool", "max_pool"):
        EXAMPLES[f"ops.{pool}{axes}d"] = lambda x=image: {"x": x, "kernel_size": 2}
    EXAMPLES[f"ops.adaptive_avg_pool{axes}d"] = lambda x=image: {"x": x, "output_size": 2}


def good_arguments(path, thing):
    """The arguments of a working call by name; those of *args as a tuple."""
    if isinstance(thing, Primitive) and thing.examples:
        case = Case(thing, thing.examples[0])
        names = thing.operands
        operands = (
            {names[0]: tuple(case.arrays)}
            if thing.variadic
            else dict(zip(names, case.arrays, strict=True))
        )
        return operands | case.options
    if path in EXAMPLES:
        return EXAMPLES[path]()
    needed = [p for p in parameters_of(thing) if p.default is p.empty]
    return {
        p.name: BY_NAME[p.name]() for p in needed if p.kind not in {p.VAR_POSITIONAL, p.VAR_KEYWORD}
    }


INSTANCES = {
    **{
        f"scipy.stats.{kind}": lambda name=name: getattr(tg.scipy.stats, name)
        for kind, name in (
            *(("Distribution", "norm"), ("Dirichlet", "dirichlet"), ("Multinomial", "multinomial")),
            ("MultivariateNormal", "multivariate_normal"),
        )
    },
    "custom_vjp": with_rule,
    "custom_jvp": with_tangent_rule,
    **dict.fromkeys(["Value.fill", "Value.put", "Value.sort"], lambda: tg.zeros((3, 3))),
    "Value": lambda: tg.Value(numbers(3, 3)),
    "Value.searchsorted": lambda: tg.Value(numbers(3)),
    "History": lambda: line_run()[1],
    "data.DataLoader": loader,
    "compiler.Compiled": lambda: tg.compile(square),
    "data.Standardizer": scalings,
    "explain.Derivation": lambda: DERIVATION(),
    "explain.Influence": lambda: tg.influence(None, line_loss()[0]),
    "explain.Quiz": lambda: tg.quiz(DERIVATION()),
    "explain.Layer": lambda: tg.explain.layers_of(line_loss()[0])[0],
    "explain.Replay": lambda: tg.explain.Replay(line_loss()[0]),
    "linear.Line": lambda: tg.linear.closed_form(X, Y[:, 0]),
    "metrics.ConfusionMatrix": lambda: tg.metrics.ConfusionMatrix,
    "nn.Embedding": lambda: tg.nn.Embedding(10, 2),
    "nn.Flatten": tg.nn.Flatten,
    "plot.GraphPicture": lambda: tg.plot.computation_graph(line_loss()[0]),
}
"""Objects whose methods are called, where the example of the class doesn't give one."""


def parameters_of(function):
    """The parameters of a function, without `self`."""
    found = inspect.signature(function).parameters.values()
    return [p for p in found if p.name not in {"self", "cls"}]


PUBLIC = public_callables()
ABSTRACT = {"nn.Module.forward", "schedules.Schedule.__call__"}
ENTRIES = [
    (path, p.name)
    for path, function in PUBLIC.items()
    if path not in RESULTS | ABSTRACT
    for p in parameters_of(function)
    if p.kind is not p.VAR_KEYWORD
]


def working_call(path):
    """Return a public function, bound if it's a method, and arguments with which it works."""
    function, owner = PUBLIC[path], path.rpartition(".")[0]
    if inspect.isclass(PUBLIC.get(owner)) and inspect.isfunction(function):
        maker = INSTANCES.get(path, INSTANCES.get(owner))
        kind = PUBLIC[owner]
        instance = maker() if maker else call(kind, good_arguments(owner, kind))
        function = functools.partial(function, instance)
    return function, good_arguments(path, PUBLIC[path])


def call(function, arguments):
    """Call a function with arguments by name, and use what it returns as a `with` block would."""
    positional, keywords = [], {}
    found = [p for p in parameters_of(function) if p.name in arguments]
    starred = any(p.kind is p.VAR_POSITIONAL for p in found)
    for p in found:
        if p.kind is p.VAR_POSITIONAL:
            positional += arguments[p.name]
        elif p.kind is p.POSITIONAL_ONLY or (starred and p.kind is p.POSITIONAL_OR_KEYWORD):
            positional.append(arguments[p.name])
        else:
            keywords[p.name] = arguments[p.name]
    result = function(*positional, **keywords)
    if hasattr(result, "__enter__") and hasattr(result, "__exit__"):
        with result:
            pass
    return result


# Bad arguments -----------------------------------------------------------------------------------

BAD = {
    "None": lambda: None,
    "True": lambda: True,
    "''": lambda: "",
    "'a'": lambda: "a",
    "'3'": lambda: "3",
    "b'a'": lambda: b"a",
    "nan": lambda: float("nan"),
    "np.float32(nan)": lambda: np.float32("nan"),
    "inf": lambda: float("inf"),
    "-inf": lambda: float("-inf"),
    "-1": lambda: -1,
    "0": lambda: 0,
    "0.5": lambda: 0.5,
    "2**63": lambda: 2**63,
    "10**30": lambda: 10**30,
    "1e300": lambda: 1e300,
    "10**400": lambda: 10**400,
    "10**5000": lambda: 10**5000,
    "1j": lambda: 1j,
    "object()": object,
    "[]": lambda: [],
    "[[]]": lambda: [[]],
    "()": lambda: (),
    "{}": lambda: {},
    "{'a': 1}": lambda: {"a": 1},
    "(1, 2, 3, 4, 5)": lambda: (1, 2, 3, 4, 5),
    "(-1, 2)": lambda: (-1, 2),
    "(nan, nan)": lambda: (float("nan"), float("nan")),
    "('a', 'b')": lambda: ("a", "b"),
    "(2**63, 2**63)": lambda: (2**63, 2**63),
    "np.empty(0)": lambda: np.empty(0),
    "ragged": lambda: [[1.0], [1.0, 2.0]],
    "np.ones((5, 7, 2))": lambda: np.ones((5, 7, 2)),
    "np.array(nan)": lambda: np.array(float("nan")),
    "np.full((3, 3), nan)": lambda: np.full((3, 3), float("nan")),
    "np.array(['a'])": lambda: np.array(["a"]),
    "np.array([1j])": lambda: np.array([1j]),
    "np.array([None])": lambda: np.array([None]),
    "datetime64": lambda: np.array(["2020-01-01"], "M8[D]"),
    "masked": lambda: np.ma.array([1.0, 2.0], mask=[0, 1]),
    "Value": lambda: tg.Value(2.0),
    "function": lambda: lambda x: x,
    "class": lambda: dict,
    "generator": lambda: (i for i in range(3)),
}

TEXT = {"''", "'a'", "'3'"}
NEVER_NUMBERS = {"b'a'", "1j", "object()", "{}", "{'a': 1}", "ragged", "np.array(['a'])"}
NEVER_NUMBERS |= {"np.array([1j])", "np.array([None])", "datetime64", "masked", "function"}
NEVER_NUMBERS |= {"class", "generator", "('a', 'b')"} | TEXT
SEQUENCES = {"[]", "[[]]", "()", "(1, 2, 3, 4, 5)", "(-1, 2)", "(nan, nan)", "(2**63, 2**63)"}
ARRAYS = {"np.empty(0)", "np.ones((5, 7, 2))", "np.array(nan)", "np.full((3, 3), nan)", "Value"}
NANS = {"nan", "np.float32(nan)"}
REALS = {"0.5", "1e300", "inf", "-inf"}
NOT_ONE_NUMBER = {"None", "True"} | NEVER_NUMBERS | SEQUENCES | ARRAYS | NANS

NEVER = {
    "int": NOT_ONE_NUMBER | REALS,
    "float": NOT_ONE_NUMBER,
    "str": {*BAD} - TEXT,
    "bool": {*BAD} - {"True"},
    "dtype": {*BAD} - {"None"},
    "seed": (NOT_ONE_NUMBER | REALS | {"-1"}) - {"None"},
    "path": {*BAD} - {"'a'", "'3'"},
    "callable": {*BAD} - {"function", "class"},
    "data": NEVER_NUMBERS,
    "object": {*BAD},
}
"""Bad arguments that a parameter of a kind never accepts."""

KINDS = {
    r"int": "int",
    r"float": "float",
    r"str": "str",
    r"bool": "bool",
    r"DTypeLike": "dtype",
    r"Seed": "seed",
    r"str \| os.PathLike\[str\]|Path": "path",
    r"Callable\[(?!.*Sequence).*\]|Loss|See": "callable",
    r"(ArrayLike \| )?(DataLoader|Indexed)|ArrayLike|ValueLike|PyTree|Any|Array": "data",
    r"Nest|Plain|Index|Ints": "data",
    r"HasParameters \| Iterable\[Value\]|tuple\[ArrayLike, ArrayLike\] \| .*": "data",
    r"Model|Module|Value|Influence|Line|HistoryLike|History|Optimizer|Standardizer": "object",
}


def kind_of(parameter):
    """Return the kind of a parameter by its type, or None, and what it accepts besides."""
    text = str(parameter.annotation)
    besides = {"None"} if parameter.default is None or "None" in text else set()
    text = re.sub(r" \| None$", "", text)
    for pattern, kind in KINDS.items():
        if re.fullmatch(pattern, text):
            return kind, besides
    return None, besides


def outcome(path, name, bad):
    """Call with one bad argument; return the error, or None if it is accepted."""
    function, arguments = working_call(path)
    parameter = next(p for p in parameters_of(function) if p.name == name)
    given = BAD[bad]()
    if parameter.kind is parameter.VAR_POSITIONAL:
        given = (given, *arguments.get(name, ())[1:])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numbers overflow as in NumPy
        try:
            call(function, arguments | {name: given})
        except Exception as error:
            return error
    return None


def refused(path, name):
    """Return what the parameter never accepts."""
    parameter = next(p for p in parameters_of(PUBLIC[path]) if p.name == name)
    kind, besides = kind_of(parameter)
    if is_of_numpy(path, PUBLIC[path]) and (kind != "data" or path.startswith("scipy.")):
        return set()  # NumPy takes -1 for True, as Python does; SciPy's own takes complex numbers
    return NEVER.get(kind, set()) - besides - ACCEPTED.get((path, name), set())


ACCEPTED = {
    ("Value.repeat", "repeats"): {"'3'"},  # as by NumPy
    ("compiler.Compiled.__call__", "args"): {"1j", "masked"},  # the function decides
    ("compiler.Compiled.epochs", "arrays"): {"masked"},
    ("compiler.Compiled.loop", "args"): {"1j", "np.array([1j])", "masked"},
    ("explain.Quiz.check", "answer"): {"'3'"},  # a formula
    ("explain.Replay", "outputs"): {"Value"},
    ("linear.Line.agrees_with", "intercept"): NANS,  # such a line is another one
    ("nn.Identity.forward", "x"): {*BAD},
    ("nn.MLP.__getitem__", "position"): {"True"},  # as by a list
    ("plot.learning_curves", "history"): {"{'a': 1}"},  # curves by name
    ("primitive", "numpy"): {"function", "class"},
    ("scipy.interpolate.interp1d", "fill_value"): {"ragged"},  # two arrays: below and above
    ("schedules.ReduceOnPlateau.see", "number"): NANS,  # such a loss is no improvement
    ("train.EarlyStopping", "mode"): {"None", "True"},  # what `highest` was, deprecated
}
COMPLEX = {"1j", "np.array([1j])"}
ACCEPTED |= dict.fromkeys(
    [
        *(("Value", "data"), ("Value.dot", "b"), ("Value.fill", "value"), ("Value.put", "values")),
        *((f"Value.{method}", "initial") for method in ("max", "min", "prod", "sum")),
        *((f"Value.{method}", "where") for method in ("mean", "prod", "std", "sum", "var")),
        *((f"{kind}_like", "a") for kind in ("empty", "full", "ones", "zeros")),
        *(("array", "object"), ("full", "fill_value"), ("check_gradients", "args")),
        *(("vjp", "primals"), ("linearize", "primals"), ("root", "args"), ("fixed_point", "args")),
        *(("root", "x0"), ("fixed_point", "x0"), ("scan", "init"), ("scan", "xs")),
    ],
    COMPLEX,
)
ACCEPTED |= dict.fromkeys(
    [("custom_vjp.__call__", "args"), ("custom_jvp.__call__", "args"), ("cond", "operands")],
    COMPLEX | {"masked"},
)
ACCEPTED["stop_gradient", "x"] = {*BAD}
ACCEPTED["while_loop", "init_val"] = COMPLEX | {"ragged", "{'a': 1}", "{}"}  # nested, as given
"""Exceptions: values that single parameters accept, against the rule for their kind."""

RUN = [
    *("custom_vjp.__call__.args", "custom_jvp.__call__.args", "linearize.primals"),
    *("root.args", "fixed_point.args", "cond.operands", "scan.init", "scan.xs"),
    *("check_gradients.args", "hvp.primals", "jvp.primals", "vjp.primals", "optim.minimize.x0"),
    *("compiler.Compiled.__call__.args", "compiler.Compiled.loop.args"),
    *(f"scipy.integrate.{name}.args" for name in ("odeint", "quad", "solve_ivp")),
    "scipy.integrate.odeint.tfirst",
    *("compiler.Compiled.epochs.arrays", "nn.observed.see"),
]
"""Arguments that a function of the user gets: its own errors pass."""


OF_NUMPY = ("ops.", "Value.", "scipy.fft.", "scipy.linalg.", "scipy.ndimage.", "scipy.signal.")
OF_NUMPY += (
    "scipy.special.",
    *(f"scipy.stats.{name}" for name in tg.scipy.stats.summaries.__all__),
)
OF_NUMPY += ("scipy.integrate.cumulative_", "scipy.integrate.simpson", "scipy.integrate.trapezoid")


def is_of_numpy(path, function):
    """Return True for an operation, and a method of a Value: they call NumPy with their options.

    So do functions that stand for one of SciPy's, which is called if there is no Value.
    """
    layer = path.endswith(".forward") and is_operation_layer(PUBLIC[path.rpartition(".")[0]])
    return path.startswith(OF_NUMPY) or is_operation(function) or layer


def is_operation_layer(kind):
    """Return True for a layer that is an operation, such as ReLU."""
    return issubclass(kind, tg.nn.activations.Activation)


NUMPY_ERRORS = (TypeError, ValueError, IndexError, OverflowError, np.ma.MaskError)


def may_raise(path, name, bad, error):
    """Return True for an error of Python, NumPy or SciPy that is a sentence of its own.

    - a function that the user passes raises its own errors
    - an operation passes its options (axis, dtype, keepdims) to NumPy, with NumPy's errors
    - an item of a sequence is found as in a list, a step of a derivation as in a dict
    """
    if f"{path}.{name}" in RUN or bad in {"function", "class"}:
        return True
    if is_of_numpy(path, PUBLIC[path]):
        return isinstance(error, NUMPY_ERRORS)
    known = {
        "nn.MLP.__getitem__.position": (IndexError, TypeError),
        "explain.Derivation.step.value": KeyError,
        "optim.minimize.method": ValueError,
    }
    return isinstance(error, known.get(f"{path}.{name}", ()))


DRAWING = ("plot.", "report")


def tried(path, name):
    """The bad arguments to try: all, or a fourth in turn where those accepted draw a picture."""
    if (path, name) == ("scipy.integrate.solve_ivp", "args"):
        rates = ("2**63", "10**30", "1e300")  # with which it takes 10¹⁹ steps and more
        return [bad for bad in BAD if not any(rate in bad for rate in rates)]
    if THOROUGH or not path.startswith(DRAWING):
        return list(BAD)
    return list(BAD)[ENTRIES.index((path, name)) % 4 :: 4]


SLOW = ("plot.", "report", "fit", "train.", "optim.minimize", "influence", "explain.", "compiler.")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        pytest.param(*entry, marks=[pytest.mark.slow] if entry[0].startswith(SLOW) else [])
        for entry in ENTRIES
    ],
    ids=lambda text: text,
)
def test_a_bad_argument_is_refused_by_one_sentence(path, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    wrong = {}
    for bad in tried(path, name):
        error = outcome(path, name, bad)
        if error is None and bad in refused(path, name):
            wrong[bad] = "accepted"
        raw = error is not None and not isinstance(error, TinygradError)
        if raw and not may_raise(path, name, bad, error):
            wrong[bad] = f"{type(error).__name__}: {error}"
    assert wrong == {}


@pytest.mark.parametrize("path", dict.fromkeys(path for path, _ in ENTRIES))
def test_the_example_of_a_public_function_works(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    call(*working_call(path))


@pytest.mark.parametrize(
    ("path", "name"), [entry for entry in ENTRIES if entry[1] in {"model", "layers", "optimizer"}]
)
def test_a_class_in_place_of_an_object_is_refused_with_the_cure(path, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    kind = tg.optim.SGD if name == "optimizer" else tg.nn.Linear
    function, arguments = working_call(path)
    (parameter,) = (x for x in parameters_of(function) if x.name == name)
    given = (kind,) if parameter.kind is parameter.VAR_POSITIONAL else kind
    cure = f"got the class {kind.__name__}; write {kind.__name__}"
    with pytest.raises(ArgumentError, match=rf"must be .*, {cure}\(\.\.\.\)$"):
        call(function, arguments | {name: given})


HUGE = {
    "Linear": lambda: tg.nn.Linear(10**8, 10**8),
    "Bilinear": lambda: tg.nn.Bilinear(10**5, 10**6, 10**7),
    "Conv2d": lambda: tg.nn.Conv2d(10**6, 10**6, 1000),
    "Embedding": lambda: tg.nn.Embedding(10**9, 10**9),
    "LayerNorm": lambda: tg.nn.LayerNorm(10**16),
    "BatchNorm1d": lambda: tg.nn.BatchNorm1d(10**16, affine=False),
    "PReLU": lambda: tg.nn.PReLU(10**16),
    "GRU of many units": lambda: tg.nn.GRU(1, 10**8),
    "GRU of many layers": lambda: tg.nn.GRU(1, 1, num_layers=10**15),
    "init": lambda: tg.nn.init.zeros((10**8, 10**8)),
    "AdaptiveAvgPool1d": lambda: tg.nn.AdaptiveAvgPool1d(10**16)(np.ones((1, 1, 3))),
    "padding": lambda: tg.nn.MaxPool1d(10**16, padding=10**15)(np.ones((1, 1, 3))),
    "summary": lambda: tg.nn.summary(tg.nn.Tanh(), (10**8, 10**8)),
    "one_hot": lambda: tg.data.one_hot([0], 10**16),
    "confusion_matrix": lambda: tg.metrics.confusion_matrix([10**9], [0]),
    "diag": lambda: tg.ops.diag(np.ones(3), 10**9),
    **{
        name: lambda name=name: getattr(tg.datasets, name)(10**15)
        for name in ("circles", "moons", "sine", "spirals", "xor")
    },
}


@pytest.mark.parametrize("call", HUGE.values(), ids=HUGE)
def test_what_no_machine_can_hold_is_refused_before_it_is_allocated(call):
    with pytest.raises(ArgumentError, match=r"must fit in memory, .* GB, got shape"):
        call()


@pytest.mark.parametrize("mask", [[[np.nan]], [[np.inf]], tg.Value([[np.nan]]), tg.Value(np.nan)])
def test_a_mask_that_is_not_a_number_is_refused(mask):
    x = numbers(3, 3)
    with pytest.raises(ArgumentError, match="mask must be finite, or -inf where"):
        tg.nn.scaled_dot_product_attention(x, x, x, mask)


def test_a_limit_is_not_computed_without_iterations():
    with pytest.raises(ArgumentError, match="iterations must be an integer >= 1, got 0"):
        tg.linear.learning_rate_limit(line(), tg.losses.mse, X, Y, iterations=0)


def test_an_order_of_derivatives_is_bounded():
    with pytest.raises(ArgumentError, match="order must be at most 10, got 11"):
        tg.check_gradients(square, 1.0, order=11)


def test_what_has_no_text_is_shown_by_its_type():
    class Silent:
        def __repr__(self):
            raise RuntimeError

    for value, shown in ((10**5000, "int"), ([10**5000], "list"), (Silent(), "Silent")):
        with pytest.raises(ArgumentError, match=f"got {shown} without a repr"):
            tg.nn.Linear(2, value)
