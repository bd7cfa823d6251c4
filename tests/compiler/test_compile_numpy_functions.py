"""All of NumPy's functions and array methods: compiled, they give eager code's answer, or refuse.

The table is NumPy's own list of names, so a new function is in it by itself. Each is tried with
arguments of several forms; those that eager code accepts are cases.
"""

import inspect
import warnings

import numpy as np
import pytest
from operands import THOROUGH
from programs import backends

import tinygrad_lr as tg
from tinygrad_lr.errors import TraceError

LEFT_OUT = frozenset(
    {
        # files, settings, and functions that need no array
        *(
            "save",
            "savez",
            "savez_compressed",
            "load",
            "loadtxt",
            "savetxt",
            "genfromtxt",
            "fromfile",
            "fromregex",
            "info",
            "show_config",
            "show_runtime",
            "set_printoptions",
            "printoptions",
            "seterr",
            "seterrcall",
            "setbufsize",
            "getbufsize",
            "get_include",
            "get_printoptions",
            "geterr",
            "geterrcall",
            "test",
            "tofile",
            "dump",
            "dumps",
        ),
        # memory that nobody has written to
        *("empty", "empty_like"),
        # functions that change their argument, and those that call a function
        *(
            "put",
            "place",
            "putmask",
            "copyto",
            "put_along_axis",
            "fill_diagonal",
            "setflags",
            "resize",
            "byteswap",
            "apply_along_axis",
            "apply_over_axes",
            "piecewise",
            "fromfunction",
            "frompyfunc",
            "fromiter",
        ),
        # facts about memory or Python
        *(
            "shares_memory",
            "may_share_memory",
            "data",
            "ctypes",
            "base",
            "flat",
            "strides",
            "flags",
            "array_repr",
            "array_str",
            "array2string",
            "iterable",
            "isfortran",
            "isscalar",
            "bmat",
            "asmatrix",
            "mintypecode",
            "fftfreq",
            "rfftfreq",
        ),
    }
)
MATRIX = np.array([[3, -1, 2], [0, 5, -4], [7, 2, 1]])
MOST = 10_000  # entries of a result: histograms with 300 bins along each axis have millions
TOLERANCES = {"e": 2e-3, "f": 1e-5, "F": 1e-5, "d": 1e-11, "D": 1e-11}

FORMS = {
    "f(m)": lambda f, m, v: f(m),
    "f(v)": lambda f, m, v: f(v),
    "f(0-d)": lambda f, m, v: f(v[0]),
    "f(m, v)": lambda f, m, v: f(m, v),
    "f(m, m)": lambda f, m, v: f(m, m + m),
    "f(v, v)": lambda f, m, v: f(v, v[::-1]),
    "f(m, 0)": lambda f, m, v: f(m, 0),
    "f(m, 1)": lambda f, m, v: f(m, 1),
    "f(v, 2)": lambda f, m, v: f(v, 2),
    "f(m, 300)": lambda f, m, v: f(m, 300),
    "f(m, 0.5)": lambda f, m, v: f(m, 0.5),
    "f(0.5, m)": lambda f, m, v: f(0.5, m),
    "f(-1, m)": lambda f, m, v: f(-1, m),
    "f(m, axis=0)": lambda f, m, v: f(m, axis=0),
    "f(m, keepdims)": lambda f, m, v: f(m, axis=-1, keepdims=True),
    "f(m, 0, 1)": lambda f, m, v: f(m, 0, 1),
    "f(m, v, v)": lambda f, m, v: f(m, v, v[::-1]),
    "f(mask, m, v)": lambda f, m, v: f(m > 0, m, v),
    "f([v, v])": lambda f, m, v: f([v, v[::-1]]),
    "f([m, m])": lambda f, m, v: f([m, m + m]),
    "f(m, [0, 2])": lambda f, m, v: f(m, [0, 2]),
    "f(m, (9,))": lambda f, m, v: f(m, (9,)),
    "f(m, None, 1)": lambda f, m, v: f(m, None, 1),
    "f(v, dtype)": lambda f, m, v: f(v, dtype=np.float32),
    "f(m, where)": lambda f, m, v: f(m, where=m > 0, initial=1),
    "f(m, ddof)": lambda f, m, v: f(m, ddof=1),
    "f(text, m, v)": lambda f, m, v: f("ij,j", m, v),
}


def functions():
    """NumPy's public functions by their names."""
    found = {}
    for path, module in (("", np), ("linalg.", np.linalg), ("fft.", np.fft)):
        for name in dir(module):
            function = getattr(module, name)
            private = name.startswith("_") or name in LEFT_OUT
            if not private and callable(function) and not inspect.isclass(function):
                found[path + name] = function
    return found


def methods():
    """The array's public methods and attributes, as functions of the array."""
    found = {}
    for name in dir(np.ndarray):
        if name.startswith("_") or name in LEFT_OUT:
            continue
        if callable(getattr(np.ndarray, name)):
            found[f"array.{name}"] = lambda x, *a, _n=name, **k: getattr(x, _n)(*a, **k)
        else:
            found[f"array.{name}"] = lambda x, _n=name: getattr(x, _n)
    return found


TABLE = {**functions(), **methods()}
FIRST = {id(f): name for name, f in reversed(TABLE.items())}
NAMES = [name for name, f in TABLE.items() if FIRST[id(f)] == name]  # np.amax is np.max
DTYPES = ["f8", "f4", "f2", "b1", "i8", "i1", "u1", "u8"]


def flatten(x):
    """The leaves of a result, with the types of its containers."""
    if isinstance(x, (tuple, list)):
        return [type(x), *(leaf for inner in x for leaf in flatten(inner))]
    return [x]


def difference(found, expected):
    """Describe how two results differ (structure, dtype, shape, value); None if they don't."""
    pairs = list(zip(flatten(found), flatten(expected), strict=False))
    if len(flatten(found)) != len(flatten(expected)):
        return "structure"
    for a, b in pairs:
        if isinstance(b, (type, str, np.dtype)) or b is None:
            if type(a) is not type(b) or a != b:
                return f"{a} is not {b}"
            continue
        x, y = np.asarray(a), np.asarray(b)
        if (x.dtype, x.shape) != (y.dtype, y.shape):
            return f"{x.dtype} {x.shape} is not {y.dtype} {y.shape}"
        bound = TOLERANCES.get(y.dtype.char)
        same = (
            np.array_equal(x, y)
            if bound is None
            else np.allclose(x, y, rtol=bound, atol=bound, equal_nan=True)
        )
        if not same:
            return f"{x.tolist()} is not {y.tolist()}"
    return None


def accepted_calls(function, m):
    """The calls that eager code accepts, by their forms."""
    accepted = {}
    for form, call in FORMS.items():

        def f(m, v, call=call):
            return call(function, m, v)

        try:
            arrays = [x for x in flatten(f(m.copy(), m[0].copy())) if isinstance(x, np.ndarray)]
        except Exception:
            continue
        if not any(x.dtype == object or x.size > MOST for x in arrays):
            accepted[form] = f
    return accepted


def join(calls):
    """One function that gives the results of all calls."""
    calls = list(calls)
    return lambda m, v: [f(m, v) for f in calls]


def outcome(f, m, backend):
    """Return "right" or "refused" for a function that is compiled, otherwise what is wrong."""
    expected = f(m.copy(), m[0].copy())
    try:
        found = tg.compile(f, backend=backend)(m.copy(), m[0].copy())
    except TraceError as refusal:
        return "refused" if "; " in str(refusal) else "no cure"
    except Exception as error:
        return "refused" if "Traced" in str(error) else repr(error)
    return difference(found, expected) or "right"


def failures(name, backend, dtypes):
    """The cases of a function in which compiled code neither agrees with eager code nor refuses.

    Compiling takes the time: forms are one program together, and where that is refused, each half
    of them is, down to a form alone. In the thorough run each is alone with the first dtype.
    """
    refused, wrong = set(), []

    def look(dtype, m, calls):
        forms = list(calls)
        f = calls[forms[0]] if len(forms) == 1 else join(calls.values())
        found = outcome(f, m, backend)
        if found == "refused" and len(forms) == 1:
            refused.add(forms[0])
        elif found == "refused":
            for part in (forms[: len(forms) // 2], forms[len(forms) // 2 :]):
                look(dtype, m, {form: calls[form] for form in part})
        elif found != "right":
            wrong.append((dtype, forms, found))

    for dtype in dtypes:
        m = MATRIX.astype(dtype)
        m = m / 2 if m.dtype.kind == "f" else m
        calls = accepted_calls(TABLE[name], m)
        alone = calls if THOROUGH and dtype == dtypes[0] else refused.intersection(calls)
        for form in sorted(alone):
            look(dtype, m, {form: calls.pop(form)})
        if calls:
            look(dtype, m, calls)
    return wrong


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def some_dtypes(name, step):
    """float64, and every second or fourth dtype besides, other ones for the next function."""
    turn = NAMES.index(name) % step
    return [DTYPES[0], *(DTYPES[1:] if THOROUGH else DTYPES[1 + turn :: step])]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_numpy_function_gives_what_eager_code_gives_or_is_refused(name):
    assert failures(name, "numpy", some_dtypes(name, 2)) == []


@pytest.mark.slow
@backends("llvm")
@pytest.mark.parametrize("name", NAMES)
def test_machine_code_of_a_numpy_function_gives_that_too(name, backend):
    assert failures(name, backend, some_dtypes(name, 4)) == []


@pytest.mark.parametrize("name", ["mean", "prod", "round", "clip", "dot", "array.argsort"])
def test_numpy_functions_of_small_integers_give_what_eager_code_gives(name):
    assert failures(name, "numpy", ["u1"]) == []
