"""Helpers of the tests of pictures, and the descents that they draw."""

import functools
import io

import numpy as np

import tinygrad_lr as tg

MODEL, TRUTH, STEP, DOWN, UP = "#0072B2", "#444444", "#009E73", "#56B4E9", "#D55E00"

STUDENTS = tg.datasets.sat_gpa()
SCALING = tg.data.Standardizer().fit(STUDENTS.sat_sum)
RAW, Z, Y = STUDENTS.sat_sum, SCALING.transform(STUDENTS.sat_sum), STUDENTS.fy_gpa


def lines(panel, color):
    """The curves of one colour."""
    return [line for line in panel.get_lines() if line.get_color() == color]


def texts(figure):
    """All that is written."""
    figure.canvas.draw()
    found = [text for text in figure.findobj(lambda x: hasattr(x, "set_text")) if text.get_text()]
    return [text.get_text() for text in found]


def saved(figure, kind="png"):
    """The figure as a file."""
    file = io.BytesIO()
    figure.savefig(file, format=kind)
    return file.getvalue()


@functools.cache
def descent(rate=0.1, count=60, *, raw=False):
    """A line through the SAT data, from w = 0: the model, x and what fit returned."""
    line = tg.nn.Linear(1, 1, dtype=np.float64, generator=0)
    line.load_state_dict({"weight": [[0.0]], "bias": [0.0]})
    x = RAW if raw else Z
    return line, x, tg.fit(line, x, Y, learning_rate=rate, steps=count, warn=False)


def drawn(function, rate=0.1, count=60, *, raw=False, **options):
    """The figure of such a descent."""
    line, x, history = descent(rate, count, raw=raw)
    return function(line, x, Y, history, **options)


def bold(panel):
    """The line of what was learnt."""
    return max(panel.get_lines(), key=lambda line: line.get_linewidth())
