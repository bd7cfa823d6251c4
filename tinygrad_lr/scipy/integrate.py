"""Integrals and differential equations on Values, by SciPy's solvers and their own adjoints.

`scipy.integrate` calls the function on plain numbers, so nothing can be recorded there. Here an
integral, or the solution of an equation, is one operation; its derivative is another integral, or
the solution of the adjoint equation (Pontryagin), which is an operation in the same way: so there
are derivatives of every order.

Values that a function reads from the functions around it become arguments (`hoist`). Those that it
finds elsewhere, in a module or an object, are refused; pass them in `args`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, overload

import numpy as np
import scipy.integrate
import scipy.optimize

from ..core.autodiff import jvp, vjp
from ..core.batching import by_rows
from ..core.creation import Nest, Plain
from ..core.node import unwrap
from ..core.primitive import primitive
from ..core.value import Value
from ..errors import ArgumentError, NotDifferentiableError, ShapeError
from ..support.abstract_array import AbstractArray, Array, check_numbers
from ..support.validation import (
    as_input,
    check_callable,
    check_choice,
    check_flag,
    check_integer,
    check_list,
    short_repr,
)
from .closures import hoist, is_differentiable
from .equivalents import as_real, equivalent, names_of

Function = Callable[..., Any]

if TYPE_CHECKING:

    class Solution(Protocol):
        """The result of `solve_ivp` for Values."""

        t: Value | Array
        y: Value
        success: bool
        status: int
        message: str


METHODS = ("RK23", "RK45", "DOP853", "Radau", "BDF", "LSODA")


def _numbers(where: str, found: Any) -> Any:
    """Return what a function gave to a solver, which must depend on no Value from elsewhere."""
    parts = found if isinstance(found, (list, tuple)) else (found,)
    if any(getattr(x, "requires_grad", False) for x in parts):
        raise NotDifferentiableError(
            f"{where}: what the function reads must be its arguments or variables of the functions "
            "around it, got a Value from a module or an object; pass it in args"
        )
    return unwrap(found)


def _dtype(operands: Sequence[Any]) -> Any:
    """Return the dtype of a result: float32 if all operands are; the solvers use float64."""
    return np.result_type(*(getattr(x, "dtype", np.float64) for x in operands))


# ---- integrals


def _between(a: float, b: float) -> float:
    """Return a number between the bounds: at one of them, the function may be infinite."""
    if np.isfinite(a) and np.isfinite(b):
        return a + 0.4 * (b - a)
    return a + 0.4 if np.isfinite(a) else b - 0.4 if np.isfinite(b) else 0.4


def _integrate(function: Function, a: float, b: float, args: Sequence[Any], given: Any) -> Any:
    """Return what SciPy does: the integral, the estimate of its error, ..."""
    if np.ndim(unwrap(function(_between(a, b), *args))) == 0:
        return scipy.integrate.quad(
            lambda x: float(_numbers("quad", function(x, *args))), a, b, **given
        )
    known = {"epsabs", "epsrel", "limit"} & given.keys()
    bounds = {"epsabs": 1.49e-8, "epsrel": 1.49e-8} | {k: given[k] for k in known}
    return scipy.integrate.quad_vec(
        lambda x: np.asarray(_numbers("quad", function(x, *args))), a, b, **bounds
    )[:2]


@primitive(
    latex=r"\int_a^b f \, dx, \; \left(<operands>\right)",
    examples=[((), ()), ((), (), (), {"function": lambda x, w: np.sin(w * x)})],
    whole=True,
)
def integral(*operands: Any, function: Function = np.cos, given: Any = None) -> Any:
    """∫ function(x, *args) dx from a to b, for the operands (a, b, *args).

    >>> round(float(integral(Value(0.0), np.pi / 2).data), 12)
    1.0
    """
    a, b, *args = operands
    found = np.asarray(_integrate(function, float(a), float(b), args, given or {})[0])
    return found.astype(_dtype(operands))[()]


def _height(function: Function, end: Any, args: Sequence[Any]) -> Any:
    """Return the function at a bound, and 0 at an infinite one."""
    if not isinstance(unwrap(end), AbstractArray):
        return 0.0 if np.isinf(unwrap(end)) else function(end, *args)
    infinite = np.isinf(end)
    return np.where(infinite, 0.0, function(np.where(infinite, 0.4, end), *args))


def _slope(function: Function, given: Any, operands: Sequence[Any], position: int) -> Any:
    """The derivative of an integral with respect to an operand, as a function of a cotangent."""
    a, b, *args = operands
    if position < 2:
        height = _height(function, (a, b)[position], args)
        return lambda g: (position * 2 - 1) * np.sum(g * height)

    def integrand(x: Any, g: Any, *args: Any) -> Any:
        *before, own, after = *args[: position - 2], args[position - 2], args[position - 1 :]
        return vjp(lambda own: function(x, *before, own, *after), own)[1](g)[0]

    return lambda g: integral(a, b, g, *args, function=integrand, given=given)


def _pull_integral(g: Any, out: Any, *operands: Any, function: Function, given: Any) -> Any:
    return lambda position: _slope(function, given, operands, position)(g)


def _push_integral(
    tangents: Sequence[Any], out: Any, *operands: Any, function: Function, given: Any
) -> Any:
    a, b, *args = operands
    total = 0.0
    for position, end in enumerate((a, b)):
        if tangents[position] is not None:
            total = total + (position * 2 - 1) * tangents[position] * _height(function, end, args)
    moving = [i for i, t in enumerate(tangents[2:]) if t is not None]
    if moving:

        def integrand(x: Any, *both: Any) -> Any:
            args, steps = both[: len(both) - len(moving)], both[len(both) - len(moving) :]

            def along(*chosen: Any) -> Any:
                given = list(args)
                for i, one in zip(moving, chosen, strict=True):
                    given[i] = one
                return function(x, *given)

            return jvp(along, [args[i] for i in moving], steps)[1]

        steps = [tangents[2 + i] for i in moving]
        total = total + integral(a, b, *args, *steps, function=integrand, given=given)
    return total


integral.vjp(operands=by_rows(_pull_integral))
integral.jvp(operands=by_rows(_push_integral))


def _number(where: str, name: str, x: Any) -> Any:
    """Return a real number, which may be a Value."""
    x = as_real(where, name, x)
    if np.ndim(x):
        raise ArgumentError(f"{where}: {name} must be a number, got shape {np.shape(x)}")
    return x


def _vector(where: str, name: str, x: Any) -> Any:
    """Return a vector of real numbers with at least one entry."""
    x = as_real(where, name, x)
    if np.ndim(x) != 1 or not np.size(x):
        raise ShapeError(f"{where}: {name} must be a vector, got shape {np.shape(x)}")
    return x


@overload
def quad(
    func: Function, a: Plain, b: Plain, args: Plain = (), **options: object
) -> tuple[Any, float]: ...  # a Value if the function reads one from the functions around it
@overload
def quad(
    func: Function,
    a: Nest,
    b: Nest,
    args: Nest = (),
    *,
    epsabs: float = ...,
    epsrel: float = ...,
    limit: int = ...,
    points: Plain = ...,
) -> tuple[Value, float]: ...
def quad(func: Function, a: Any, b: Any, args: Any = (), **options: Any) -> tuple[Any, float]:
    """Return ∫ func(x, *args) dx from a to b, and an estimate of its error.

    As `scipy.integrate.quad`, differentiable in a, b and each of `args`. Bounds may be infinite.
    `func` may return an array. With Values, the options must be epsabs, epsrel, limit and points.
    Raises `ArgumentError` for bounds that aren't numbers, `NotDifferentiableError` for options.

    >>> import tinygrad_lr as tg
    >>> slope = tg.grad(lambda rate: quad(lambda x, rate: np.exp(-rate * x), 0, np.inf, (rate,))[0])
    >>> round(slope(2.0), 9)
    -0.25
    """
    func, outer = hoist(check_callable("quad", "func", func))
    func, args = _as_array(func), (*(args if isinstance(args, tuple) else (args,)), *outer)
    if not any(map(is_differentiable, (a, b, *args))):
        found: tuple[Any, float] = _integrate(func, a, b, args, options)
        return found
    _refuse_options("quad", options, {"epsabs", "epsrel", "limit", "points"})
    a, b = _number("quad", "a", a), _number("quad", "b", b)
    value = integral(a, b, *args, function=func, given=options)
    plain = [unwrap(x) for x in (a, b, *args)]
    if any(isinstance(x, AbstractArray) for x in plain):
        return value, np.nan
    return value, float(np.max(_integrate(func, plain[0], plain[1], plain[2:], options)[1]))


# ---- integrals of samples


@overload
def trapezoid(y: Plain, x: Plain | None = None, dx: Plain = 1.0, axis: int = -1) -> Any: ...
@overload
def trapezoid(y: Nest, x: Nest | None = None, dx: Nest = 1.0, axis: int = -1) -> Value: ...
@equivalent(scipy.integrate.trapezoid)
def trapezoid(y: Any, x: Any = None, dx: float = 1.0, axis: int = -1) -> Any:
    """Return ∫ y dx by the trapezoidal rule along an axis, as `scipy.integrate.trapezoid`.

    >>> trapezoid(Value([1.0, 3.0]), dx=0.5).item()
    1.0
    """
    return np.trapezoid(y, x, dx, axis)


def _spans(where: str, y: Any, x: Any, dx: Any, axis: int) -> tuple[Any, Any]:
    """Return y with the axis last, and the widths between its points, which broadcast with it."""
    y = as_input(where, "y", y, allow_complex=True)
    axis = check_integer(where, "axis", axis, low=-max(1, np.ndim(y)))
    if axis >= np.ndim(y) or not np.shape(y)[axis]:
        raise ShapeError(f"{where}: y must have a point along axis {axis}, got shape {np.shape(y)}")
    n = np.shape(y)[axis]
    y = y if axis in {-1, np.ndim(y) - 1} else np.moveaxis(y, axis, -1)
    if x is None:
        return y, dx * np.ones(n - 1, np.result_type(y))
    x = as_input(where, "x", x)
    x = x if np.ndim(x) == 1 else np.moveaxis(x, axis, -1)
    if np.shape(x)[-1:] != (n,):
        raise ShapeError(
            f"{where}: x must have {n} points along the axis, as y, got shape {np.shape(x)}"
        )
    return y, np.diff(x)


@overload
def cumulative_trapezoid(
    y: Plain, x: Plain | None = None, dx: Plain = 1.0, axis: int = -1, initial: float | None = None
) -> Array: ...
@overload
def cumulative_trapezoid(
    y: Nest, x: Nest | None = None, dx: Nest = 1.0, axis: int = -1, initial: float | None = None
) -> Value: ...
@equivalent(scipy.integrate.cumulative_trapezoid)
def cumulative_trapezoid(
    y: Any, x: Any = None, dx: float = 1.0, axis: int = -1, initial: float | None = None
) -> Any:
    """Return ∫ y dx up to each point but the first, as `scipy.integrate.cumulative_trapezoid`.

    With `initial=0`, it begins with 0.

    >>> cumulative_trapezoid(Value([1.0, 3.0, 5.0]), initial=0).tolist()
    [0.0, 2.0, 6.0]
    """
    if initial is not None and (np.ndim(initial) or initial != 0):
        raise ArgumentError(
            f"cumulative_trapezoid: initial must be None or 0, got {short_repr(initial)}"
        )
    y, h = _spans("cumulative_trapezoid", y, x, dx, axis)
    out = np.cumsum(h * (y[..., 1:] + y[..., :-1]) * 0.5, axis=-1)
    if initial is not None:
        out = np.concatenate([y[..., :1] * 0.0, out], axis=-1)
    return out if axis in {-1, np.ndim(out) - 1} else np.moveaxis(out, -1, axis)


def _over(x: Any, y: Any) -> Any:
    """Return x/y, and 0 where y is 0: there, two points are one."""
    return np.where(y == 0, 0.0, x / np.where(y == 0, 1.0, y))


@overload
def simpson(y: Plain, x: Plain | None = None, *, dx: Plain = 1.0, axis: int = -1) -> Any: ...
@overload
def simpson(y: Nest, x: Nest | None = None, *, dx: Nest = 1.0, axis: int = -1) -> Value: ...
@equivalent(scipy.integrate.simpson)
def simpson(y: Any, x: Any = None, *, dx: float = 1.0, axis: int = -1) -> Any:
    """Return ∫ y dx by parabolas through three points each, as `scipy.integrate.simpson`.

    Of an even number of points, the last span lies under a parabola through the last three
    (Cartwright, 2017); of two, the trapezoidal rule is used.

    >>> simpson(Value([0.0, 1.0, 4.0])).round(9).item()  # ∫ x² dx from 0 to 2
    2.666666667
    """
    y, h = _spans("simpson", y, x, dx, axis)
    n = np.shape(y)[-1]
    if n == 2:
        return 0.5 * h[..., 0] * (y[..., 0] + y[..., 1])
    odd = n - 1 + n % 2
    h0, h1 = h[..., 0 : odd - 1 : 2], h[..., 1 : odd - 1 : 2]
    y0, y1, y2 = y[..., 0 : odd - 2 : 2], y[..., 1 : odd - 1 : 2], y[..., 2:odd:2]
    total = h0 + h1
    ends = y0 * (2.0 - _over(h1, h0)) + y2 * (2.0 - _over(h0, h1))
    out = np.sum(total / 6.0 * (ends + y1 * (total * _over(total, h0 * h1))), axis=-1)
    if n % 2 == 0:
        g, h = h[..., -2], h[..., -1]
        out = out + y[..., -1] * _over(2 * h * h + 3 * g * h, 6 * (g + h))
        out = out + y[..., -2] * _over(h * h + 3 * g * h, 6 * g)
        out = out - y[..., -3] * _over(h * h * h, 6 * g * (g + h))
    return out


@overload
def cumulative_simpson(
    y: Plain,
    *,
    x: Plain | None = None,
    dx: Plain = 1.0,
    axis: int = -1,
    initial: Plain | None = None,
) -> Array: ...
@overload
def cumulative_simpson(
    y: Nest, *, x: Nest | None = None, dx: Nest = 1.0, axis: int = -1, initial: Nest | None = None
) -> Value: ...
@equivalent(scipy.integrate.cumulative_simpson)
def cumulative_simpson(
    y: Any, *, x: Any = None, dx: float = 1.0, axis: int = -1, initial: Any = None
) -> Any:
    """Return ∫ y dx up to each point but the first, by parabolas through three points each.

    As `scipy.integrate.cumulative_simpson`; of two points, the trapezoidal rule is used. With
    `initial`, the result begins with it, and it is added to the rest.

    >>> cumulative_simpson(Value([0.0, 1.0, 4.0]), initial=0.0).round(9).tolist()
    [0.0, 0.333333333, 2.666666667]
    """
    y, h = _spans("cumulative_simpson", y, x, dx, axis)
    n = np.shape(y)[-1]
    if n < 3:
        parts = 0.5 * h * (y[..., 1:] + y[..., :-1])
    else:
        first = _under_parabolas(y, h)  # the first span of each parabola, and the second
        second = _under_parabolas(y[..., ::-1], h[..., ::-1])[..., ::-1]
        ahead = np.concatenate([first, second[..., -1:]], axis=-1)
        behind = np.concatenate([first[..., :1], second], axis=-1)
        parts = np.where(np.arange(n - 1) % 2 == 0, ahead, behind)
    out = np.cumsum(parts, axis=-1)
    if initial is not None:
        start = y[..., :1] * 0.0 + initial
        out = np.concatenate([start, out + start], axis=-1)
    return out if axis in {-1, np.ndim(out) - 1} else np.moveaxis(out, -1, axis)


def _under_parabolas(y: Any, h: Any) -> Any:
    """Return the integrals over the first of the two spans below each parabola."""
    h0, h1 = h[..., :-1], h[..., 1:]
    share = _over(h0, h0 + h1)
    bend = share * _over(h0, h1)
    ends = (3.0 - share) * y[..., :-2] - bend * y[..., 2:]
    return h0 / 6.0 * (ends + (3.0 + share + bend) * y[..., 1:-1])


# ---- differential equations


def _flat(x: Any) -> Any:
    return np.reshape(x, -1)


def _solve_ivp(fun: Function, times: Any, y0: Any, args: Sequence[Any], given: Any) -> Any:
    """Return y at the times, one row each, by `scipy.integrate.solve_ivp`."""
    backwards = times[-1] < times[0]

    def slope(t: Any, y: Any) -> Any:
        return np.asarray(_numbers("solve_ivp", fun(t, y, *args)), float)

    if times.size and not np.all(np.isfinite(slope(times[0], y0))):
        raise ArgumentError(  # SciPy would look for a first step for ever
            f"solve_ivp: the result of fun must be finite at the start, t = {times[0]:g}, got nan "
            "or infinity"
        )
    found = scipy.integrate.solve_ivp(
        slope,
        (times[0], times[-1]),
        y0,
        t_eval=times,
        **given,
    )
    if not found.success:
        raise ArgumentError(
            f"solve_ivp: the equation must be solvable from {times[0]:g} to {times[-1]:g}"
            f"{', backwards for the derivative' if backwards else ''}: {found.message}"
        )
    return found.y.T


def _odeint(fun: Function, times: Any, y0: Any, args: Sequence[Any], given: Any) -> Any:
    """Return y at the times, one row each, by `scipy.integrate.odeint`."""
    return scipy.integrate.odeint(
        lambda y, t: np.asarray(_numbers("odeint", fun(t, y, *args)), float), y0, times, **given
    )


def _decay(t: Any, y: Any) -> Any:
    return -y


@primitive(
    latex=r"\int f\left(t, y\right) dt, \; \left(<operands>\right)",
    examples=[((2,), (3,), {"solver": _odeint, "given": {"rtol": 1e-11, "atol": 1e-11}})],
    whole=True,
)
def ode_solution(
    *operands: Any, fun: Function = _decay, solver: Any = _solve_ivp, given: Any = None
) -> Any:
    """The solution of dy/dt = fun(t, y, *args), for the operands (y0, times, *args).

    y0 has shape (m,); the result, of shape (times, m), begins with y0.

    >>> ode_solution(Value([1.0]), [0.0, np.log(2.0)], solver=_odeint).data.round(6)
    array([[1. ],
           [0.5]])
    """
    y0, times, *args = operands
    found = solver(fun, np.asarray(times, float), np.asarray(y0, float), args, given or {})
    return np.asarray(found, _dtype(operands))


def _pull_solution(
    g: Any, out: Any, *operands: Any, fun: Function, solver: Any, given: Any
) -> Callable[[int], Any]:
    """Solve the adjoint equation da/dt = -aᵀ ∂f/∂y backwards from each time to the one before."""
    y0, times, *args = operands
    m = np.shape(y0)[0]
    shapes = [np.shape(x) for x in args]
    sizes = [int(np.prod(shape)) for shape in shapes]

    def backwards(s: Any, state: Any, *args: Any) -> Any:
        y, a = state[:m], state[m : 2 * m]
        out, pull = vjp(lambda y, t, *args: fun(t, y, *args), y, -s, *args)
        y_bar, t_bar, *bars = pull(a)
        return np.concatenate([-out, y_bar, *map(_flat, (t_bar, *bars))])

    a, t_bar, rest = g[-1], 0.0, np.zeros(sum(sizes))
    t_bars = []
    for i in range(np.shape(times)[0] - 1, 0, -1):
        at_time = np.sum(fun(times[i], out[i], *args) * g[i])
        t_bars.append(at_time)
        t_bar = t_bar - at_time
        start = np.concatenate([out[i], a, _flat(t_bar), rest])
        span = np.stack([-times[i], -times[i - 1]])
        end = ode_solution(start, span, *args, fun=backwards, solver=solver, given=given)[1]
        a, t_bar, rest = end[m : 2 * m] + g[i - 1], end[2 * m], end[2 * m + 1 :]
    bars, position = [], 0
    for shape, size in zip(shapes, sizes, strict=True):
        bars.append(np.reshape(rest[position : position + size], shape))
        position += size
    found = [a, np.stack([t_bar, *t_bars[::-1]]), *bars]
    return lambda position: found[position]


ode_solution.vjp(operands=by_rows(_pull_solution))


def _push_solution(
    tangents: Sequence[Any], out: Any, *operands: Any, fun: Function, solver: Any, given: Any
) -> Any:
    """Solve the equation of the tangent along with the equation: ds/dt = ∂f/∂y s + ∂f/∂args ȧ."""
    y0, times, *args = operands
    m = np.shape(y0)[0]
    y_dot, t_dot, *dots = tangents
    moving = [i for i, dot in enumerate(dots) if dot is not None]

    def both(t: Any, state: Any, *given: Any) -> Any:
        args, steps = given[: len(given) - len(moving)], given[len(given) - len(moving) :]

        def along(y: Any, *chosen: Any) -> Any:
            now = list(args)
            for i, one in zip(moving, chosen, strict=True):
                now[i] = one
            return fun(t, y, *now)

        primals = [state[:m], *(args[i] for i in moving)]
        return np.concatenate(jvp(along, primals, [state[m:], *steps]))

    start = np.zeros(m) if y_dot is None else y_dot
    if t_dot is not None:
        start = start - fun(times[0], y0, *args) * t_dot[0]
    given_args = (*args, *(dots[i] for i in moving))
    state = np.concatenate([y0, start])
    found = ode_solution(state, times, *given_args, fun=both, solver=solver, given=given)[:, m:]
    if t_dot is not None:
        heights = np.stack([fun(t, y, *args) for t, y in zip(times, out, strict=True)])
        found = found + heights * np.expand_dims(t_dot, 1)
    return found


ode_solution.jvp(operands=by_rows(_push_solution))


def _joined(x: Any) -> Any:
    return np.stack(x) if isinstance(x, (list, tuple)) else x


def _as_array(fun: Function) -> Function:
    """Return a function whose result is one array: of a list of numbers, of a constant Value.

    A function that makes its result by `tinygrad_lr.numpy` gives a Value for plain numbers too.
    """

    @functools.wraps(fun)
    def call(*args: Any) -> Any:
        found = _joined(fun(*args))
        constant = not getattr(found, "requires_grad", False)
        return unwrap(found) if constant and not any(map(is_differentiable, args)) else found

    return call


@overload
def odeint(
    func: Function, y0: Plain, t: Plain, args: Plain = (), tfirst: bool = False, **options: object
) -> Any: ...
@overload
def odeint(
    func: Function,
    y0: Nest,
    t: Nest,
    args: Nest = (),
    tfirst: bool = False,
    **options: Plain | None,
) -> Value: ...
def odeint(
    func: Function, y0: Any, t: Any, args: Any = (), tfirst: bool = False, **options: Any
) -> Any:
    """Return the solution of dy/dt = func(y, t, *args) at the times t, of shape (times, m).

    As `scipy.integrate.odeint`, differentiable in y0, t and each of `args`. `options` are those of
    the solver (rtol, atol, mxstep, ...), for the equation and for its adjoint.

    >>> import tinygrad_lr as tg
    >>> def end(rate):
    ...     y = odeint(lambda y, t, rate: -rate * y, np.ones(1), np.array([0.0, 1.0]), (rate,))
    ...     return y[1, 0]
    >>> round(float(tg.grad(end)(2.0) / -np.exp(-2.0)), 6)
    1.0
    """
    func, outer = hoist(check_callable("odeint", "func", func))
    tfirst = check_flag("odeint", "tfirst", tfirst)
    args = (*(args if isinstance(args, tuple) else (args,)), *outer)
    _refuse_options("odeint", options, {"rtol", "atol", "mxstep", "hmax", "hmin", "h0", "tcrit"})
    fun = _as_array(func if tfirst else lambda t, y, *rest: func(y, t, *rest))
    y0, t = as_real("odeint", "y0", y0), _vector("odeint", "t", t)
    y0 = np.reshape(y0, -1) if np.ndim(y0) == 0 else _vector("odeint", "y0", y0)
    return ode_solution(y0, t, *args, fun=fun, solver=_odeint, given=options)


@overload
def solve_ivp(
    fun: Function,
    t_span: Sequence[float],
    y0: Plain,
    method: str | type = "RK45",
    t_eval: Plain | None = None,
    args: Plain | None = (),
    **options: object,
) -> Any: ...
@overload
def solve_ivp(
    fun: Function,
    t_span: Sequence[Value | float],
    y0: Nest,
    method: str | type = "RK45",
    t_eval: Nest | None = None,
    args: Nest | None = (),
    **options: Plain | None,
) -> Solution: ...
def solve_ivp(
    fun: Function,
    t_span: Any,
    y0: Any,
    method: str | type = "RK45",
    t_eval: Any = None,
    args: Any = (),
    **options: Any,
) -> Any:
    """Solve dy/dt = fun(t, y, *args) over the interval `t_span`, from y0.

    As `scipy.integrate.solve_ivp`, differentiable in y0, the times and each of `args`. The result
    has `t` and `y`, of shape (m, times). Without `t_eval`, the times are the solver's own steps.
    `options` are those of the solver (rtol, atol, max_step, ...), for the equation and its adjoint:
    by SciPy's default of rtol=1e-3, both have three digits. Events are refused.

    >>> found = solve_ivp(lambda t, y: -y, (0.0, 1.0), Value([1.0]), t_eval=[0.0, 1.0], rtol=1e-9)
    >>> round(float(found.y.data[0, 1]), 5), round(float(np.exp(-1.0)), 5)
    (0.36788, 0.36788)
    """
    fun, outer = hoist(check_callable("solve_ivp", "fun", fun))
    args = () if args is None else args if isinstance(args, tuple) else (args,)
    t_span = check_list("solve_ivp", "t_span", t_span, "two times")
    if len(t_span) != 2:
        raise ArgumentError(f"solve_ivp: t_span must be two times, got {short_repr(t_span)}")
    args, (start, end) = (*args, *outer), t_span
    times = [] if t_eval is None else check_list("solve_ivp", "t_eval", t_eval, "a list of times")
    if not any(map(is_differentiable, (start, end, y0, t_eval, *times, *args))):
        return scipy.integrate.solve_ivp(
            fun, t_span, y0, method, t_eval, args=args or None, **options
        )
    allowed = {"rtol", "atol", "max_step", "min_step", "first_step", "lband", "uband"}
    _refuse_options("solve_ivp", options, allowed)
    if not (isinstance(method, type) and issubclass(method, scipy.integrate.OdeSolver)):
        check_choice("solve_ivp", "method", method, METHODS)
    y0 = _vector("solve_ivp", "y0", y0)
    start, end = (_number("solve_ivp", "t_span", x) for x in (start, end))
    times = [_number("solve_ivp", "t_eval", x) for x in times]
    vector = _as_array(fun)
    if t_eval is None:
        plain = [unwrap(x) for x in (start, end, y0, *args)]
        if any(isinstance(x, AbstractArray) for x in plain):
            raise NotDifferentiableError(
                "solve_ivp: t_eval must be given in a compiled function, since the solver chooses "
                "the times by the numbers"
            )
        steps = scipy.integrate.solve_ivp(
            lambda t, y: np.asarray(_numbers("solve_ivp", vector(t, y, *plain[3:])), float),
            plain[:2],
            plain[2],
            method,
            **options,
        )
        times = [start, *steps.t[1:-1], end]
    elif not times:
        raise ArgumentError("solve_ivp: t_eval must have a time, got none")
    else:
        check_numbers(unwrap(np.stack([start, *times, end])), _require_times_within)
    # the solution begins at the start of the interval, which needn't be among the times
    first = 1 if unwrap(times[0]) != unwrap(start) else 0
    whole = np.stack([start, *times] if first else [start, *times[1:]])
    given = {"method": method, **options}
    found = ode_solution(y0, whole, *args, fun=vector, solver=_solve_ivp, given=given)
    return scipy.optimize.OptimizeResult(
        t=whole[first:], y=np.transpose(found[first:]), success=True, status=0, message="solved"
    )


def _require_times_within(times: Any) -> None:
    """Raise `ArgumentError` unless the times go from the start of the interval to its end."""
    steps = np.diff(times) * np.sign(times[-1] - times[0])
    if not (np.all(steps[1:-1] > 0) and steps[0] >= 0 and steps[-1] >= 0):
        raise ArgumentError(
            "solve_ivp: t_eval must lie within t_span, each time beyond the one before"
        )


def _refuse_options(where: str, given: Any, allowed: set[str]) -> None:
    if unknown := sorted(given.keys() - allowed):
        raise NotDifferentiableError(
            f"{where}: with Values the options must be among {', '.join(sorted(allowed))}, "
            f"got {unknown[0]}"
        )


__getattr__ = names_of(scipy.integrate, __name__)
