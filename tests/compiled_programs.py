"""Write tests/compiler/compiled_programs.txt: what the compiler makes of small programs.

python tests/compiled_programs.py

Of each program: the passes, the Python that the NumPy backend writes, and the kernels of machine
code with their instructions, memory and work. Slower code that gives the same numbers shows here.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import programs
from written import Written

import tinygrad_lr as tg
from tinygrad_lr.compiler.ir.cost import count_flops
from tinygrad_lr.ops import conv2d

_ = programs  # a cache of the tests' own
WRITTEN = Written(Path(__file__).parent / "compiler" / "compiled_programs.txt")


def grid(*shape, dtype=np.float64):
    return np.linspace(-1, 1.5, int(np.prod(shape))).reshape(shape).astype(dtype)


X, Y, V = grid(4, 6), grid(4, 6) ** 2, grid(6)
F, I = grid(5, 8, dtype=np.float32), np.arange(12).reshape(3, 4)


def compiled(*arguments):
    """Enter a function that is compiled for arguments."""

    def enter(function):
        def texts():
            for backend in programs.BACKENDS:
                step = tg.compile(function, backend=backend)
                step(*arguments)
                yield from described(step, backend)

        texts.__name__ = function.__name__
        return WRITTEN(texts)

    return enter


def described(step, backend):
    """Yield what a report says without times, and the code."""
    for program in (x for several in step._programs.values() for x in several):
        made = program.executable
        passes = [(x.name, x.before, x.after) for x in (*program.done, *made.done)]
        flops = sum(map(count_flops, program.program.instructions()))
        yield "\n".join(
            [
                f"{backend}: memory {made.memory_bytes}, moved {made.bytes_moved}, work {flops}",
                *(f"  {name} {old} -> {new}" for name, old, new in passes if old != new),
            ]
        )
        if backend == "numpy":
            yield step.source
        else:
            yield "\n".join(f"{type(x).__name__} {kernel_text(x)}" for x in made.plan.kernels)


def kernel_text(kernel):
    """Return the instructions of a kernel, with the axes of a loop that each varies along."""
    axes = getattr(kernel, "axes", {})
    members = [f"{x.operation} {x.dtype} {list(axes.get(x, x.shape))}" for x in kernel.members]
    return f"{list(getattr(kernel, 'shape', ()))}: {', '.join(members)}"


@compiled(X, V)
def elementwise(x, v):
    y = np.tanh(x) * v + 1
    return y / (1 + y * y), np.exp(-abs(x)), y > v


@compiled(X)
def rows_and_columns(x):
    away = x - x.mean(axis=1, keepdims=True)
    return away / np.sqrt((away * away).mean(axis=1, keepdims=True) + 0.01), x.sum(0), x.max()


@compiled(X, V)
def softmax_and_its_gradient(x, v):
    return tg.value_and_grad(lambda x: np.sum(tg.softmax(x * v) * v))(x)


@compiled(X, Y)
def products(x, y):
    a = x @ y.T
    return np.tanh(a + 1), a @ x[:, 0] if a.shape[0] == 6 else x.T @ a[0], x[0] @ y[1], y.T @ x


@compiled(X, V)
def algebra_that_goes_away(x, v):
    a = (x * 1 + 0) - (-v) + v / 1
    b = a - a.reshape(24).reshape(4, 6)
    return np.negative(-a).T.T, a**2 + a**1, 2 * (3 * a), b, np.log(np.exp(v))


@compiled(X)
def what_is_computed_once(x):
    return np.sin(x) * 2 + np.sin(x) ** 2, (x + 1) * (x + 1), np.sin(x).sum() + np.sin(x).max()


@compiled(X, Y)
def parts_and_joins(x, y):
    z = np.concatenate([x[:2] * 2, y[1:] + 1, x[::2]])
    return z[1:-1] * 2, np.stack([x, y]).sum(0), np.split(z.T, 2)[1] + 1, z[[0, 2, 0]]


@compiled(I, X)
def integers_and_conditions(i, x):
    unsigned = i.astype(np.uint64)
    even = (i % 2 == 0) & (i > 3) | (unsigned < i)
    return (
        np.where(even, i * 2, -i),
        i // 3,
        np.where(x > 0, x, 0.5),
        even.sum(),
        (x > 0).any(axis=0),
    )


@compiled(F, F.T)
def narrow_floats(x, y):
    half = x.astype(np.float16)
    return x * 2.5 + y.T, half + half, x.astype(np.float64).sum(), (x @ y).astype(np.float64)


@compiled(X, 0.5, 3)
def numbers(x, rate, n):
    decay = 0.9**n / (1 - rate)
    return x * decay - rate * n, decay, (x > rate).sum()


@compiled(X)
def calls_of_numpy(x):
    return np.sort(x, axis=0) + 1, np.linalg.solve(x @ x.T + np.eye(4), x), np.cumsum(x, axis=1)


@compiled(X)
def gradients_of_joins_and_parts(x):
    def loss(x):
        joined = np.concatenate([np.tanh(x), x[:2] * x[2:]])
        return np.sum(joined**2) + np.einsum("ij,ij->", x, np.stack([x, -x])[1]) + x.max()

    return tg.grad(loss)(x)


@compiled(X, Y)
def gradients_with_infinite_slopes(x, y):
    loss = lambda x, y: np.sum(np.sqrt(y) * x) + np.sum(np.where(x > 0, np.log(abs(x)), x**3))
    return tg.grad(loss, (0, 1))(x, y)


@compiled(X)
def second_derivatives(x):
    return tg.hvp(lambda x: np.sum(np.tanh(x) ** 3), (x,), (np.ones_like(x),))


MODEL = tg.nn.MLP(3, [4], 2, activation="relu", generator=0)
SGD = tg.optim.SGD(MODEL.parameters(), 0.1, momentum=0.9)


@compiled(grid(6, 3, dtype=np.float32), np.array([0, 1, 1, 0, 1, 0]))
def a_step_of_descent(x, labels):
    loss = tg.losses.cross_entropy(MODEL(x), labels)
    SGD.zero_grad()
    loss.backward()
    SGD.step()
    return loss


@compiled(grid(2, 1, 5, 5), grid(2, 1, 3, 3))
def a_convolution(x, w):
    return tg.value_and_grad(lambda w: np.mean(conv2d(x, w) ** 2))(w)


if __name__ == "__main__":
    WRITTEN.write()
