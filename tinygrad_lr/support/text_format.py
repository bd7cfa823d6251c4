"""Numbers and arrays as text for people: four digits, a real minus sign, short arrays."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

DIGITS = 4
HEAD_ENTRIES = 3  # entries shown at the start of a long axis; one at its end
MAX_ENTRIES = 6  # entries of an axis shown in full


def number_text(number: complex, digits: int = DIGITS) -> str:
    """Return a number in few digits, with a real minus sign.

    >>> number_text(-0.66371), number_text(1234567.0), number_text(2.0), number_text(-0.0)
    ('−0.6637', '1.235e+06', '2', '0')
    >>> number_text(-1.5e-8)
    '−1.5e−08'
    >>> number_text(float("-inf")), number_text(float("nan"))
    ('−∞', 'nan')
    >>> number_text(1 - 2j)
    '1 − 2i'
    """
    if isinstance(number, complex):
        real, imag = number_text(number.real, digits), number_text(number.imag, digits)
        return f"{real} − {imag[1:]}i" if imag.startswith("−") else f"{real} + {imag}i"
    if math.isinf(number):
        return "∞" if number > 0 else "−∞"
    if number != number:  # noqa: PLR0124 - nan
        return "nan"
    return f"{number + 0.0:.{digits}g}".replace("-", "−")


def round_down(number: float, digits: int = DIGITS) -> float:
    """Return a positive number in few digits that isn't above it, but for an error of 1e-9.

    It is for limits that must not be exceeded.

    >>> round_down(0.98769), round_down(1.98e7), round_down(1 - 1e-12), round_down(1 - 1e-6)
    (0.9876, 19800000.0, 1.0, 0.9999)
    """
    import decimal  # a millisecond, for a warning only

    context = decimal.Context(prec=digits, rounding=decimal.ROUND_FLOOR)
    return float(context.create_decimal_from_float(number * (1 + 1e-9)))


def group_digits(number: int) -> str:
    """Return an integer with a space between thousands.

    >>> group_digits(580672)
    '580 672'
    """
    return f"{number:,}".replace(",", " ")


def number_latex(number: float, digits: int = DIGITS) -> str:
    r"""Return a number as LaTeX, its power of ten written out.

    >>> number_latex(-1234567.0), number_latex(0.5)
    ('-1.235 \\cdot 10^{6}', '0.5')
    """
    if not math.isfinite(number):
        return {"∞": r"\infty", "−∞": r"-\infty"}.get(number_text(number), r"\mathrm{nan}")
    mantissa, power, exponent = f"{number + 0.0:.{digits}g}".partition("e")
    return rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if power else mantissa


def factor_text(number: float) -> str:
    """Return a number for use after an operator: a negative one in brackets.

    >>> factor_text(2.0), factor_text(-3.0)
    ('2', '(−3)')
    """
    text = number_text(number)
    return f"({text})" if text.startswith("−") else text


def shape_text(shape: tuple[int, ...]) -> str:
    """Return a shape as text.

    >>> shape_text((1000, 1)), shape_text((3,)), shape_text(())
    ('1000 × 1', '3', 'a number')
    """
    return " × ".join(map(str, shape)) or "a number"


def index_text(index: tuple[int, ...]) -> str:
    """Return the index of an entry in brackets; nothing for the index of a number.

    >>> index_text((0, 2)), index_text(())
    ('[0, 2]', '')
    """
    return f"[{', '.join(map(str, index))}]" if index else ""


def array_text(array: Any, digits: int = DIGITS) -> str:
    """Return an array on one line: in full if it is small, else its first and last entries.

    >>> array_text(2.0), array_text(np.array([1.0, -2.5]))
    ('2', '[1, −2.5]')
    >>> array_text(np.arange(1000.0)), array_text(np.ones((100, 2)))
    ('[0, 1, 2, … 999]', '[[1, 1], [1, 1], [1, 1], … [1, 1]]')
    """
    array = np.asarray(array)
    if not array.ndim:
        return number_text(complex(array) if np.iscomplexobj(array) else float(array), digits)
    if len(array) <= MAX_ENTRIES:
        return f"[{', '.join(array_text(x, digits) for x in array)}]"
    first = ", ".join(array_text(x, digits) for x in array[:HEAD_ENTRIES])
    return f"[{first}, … {array_text(array[-1], digits)}]"


def summary_text(array: Any, digits: int = DIGITS) -> str:
    """Return the mean and the range of an array; a small one in full.

    A mean that is nothing but the rounding of its terms is 0.

    >>> summary_text(np.arange(1000.0)), summary_text(np.array([1.0, 2.0])), summary_text(3.0)
    ('mean 499.5, from 0 to 999', '[1, 2]', '3')
    >>> summary_text(np.array([0.1, 0.2, -0.3, 0.4, -0.4]))
    'mean 0, from −0.4 to 0.4'
    """
    array = np.asarray(array)
    if array.size <= HEAD_ENTRIES and array.ndim <= 1:
        return array_text(array, digits)
    if not array.size:
        return "empty"
    if np.iscomplexobj(array):
        return array_text(array, digits)
    low, high = float(array.min()), float(array.max())
    if low == high:
        return f"all {number_text(low, digits)}"
    with np.errstate(all="ignore"):
        mean = float(array.mean(dtype=np.float64))
        rounding = np.finfo(np.result_type(array, np.float16)).eps * max(abs(low), abs(high))
    mean = 0.0 if abs(mean) <= rounding else mean
    middle, least, most = (number_text(x, digits) for x in (mean, low, high))
    if least == most:
        return f"all about {least}"
    return f"mean {middle}, from {least} to {most}"


def count_text(number: int, noun: str) -> str:
    """A number with its noun, narrow spaces between its thousands from 10 000 on.

    >>> count_text(1, "step"), count_text(2000, "row"), count_text(12345, "row")
    ('1 step', '2000 rows', '12\u202f345 rows')
    """
    digits = str(number) if number < 10_000 else f"{number:,}".replace(",", "\u202f")
    return f"{digits} {noun}{'s' * (number != 1)}"
