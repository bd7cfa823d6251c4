"""Helpers of the tests of pictures, and the descents that they draw."""

import functools
import io
import itertools

import numpy as np
import pytest

import tinygrad_lr as tg

agg = pytest.importorskip("matplotlib.backends.backend_agg", reason="no extra `plot`")
Text = pytest.importorskip("matplotlib.text").Text

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


def check_texts(figure):
    """That no text is cut by the edge of the figure, and no two of them overlap."""
    agg.FigureCanvasAgg(figure).draw()
    found = set(figure.findobj(Text))
    shown = [x for x in found if x.get_text().strip() and x.get_visible() and is_drawn(x)]
    extents = [(x.get_text(), x.get_window_extent()) for x in shown]
    width, height = figure.canvas.get_width_height()
    for text, extent in extents:
        assert extent.x0 >= -1 and extent.x1 <= width + 1, text
        assert extent.y0 >= -1 and extent.y1 <= height + 1, text
    for (text, a), (other, b) in itertools.combinations(extents, 2):
        across = min(a.x1, b.x1) - max(a.x0, b.x0)
        along = min(a.y1, b.y1) - max(a.y0, b.y0)
        assert across <= 1 or along <= 2, (text, other)


def is_drawn(text):
    """Return whether a text is drawn: ticks beyond the limits of an axis aren't."""
    for ax in text.figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            ticks = axis.get_major_ticks() + axis.get_minor_ticks()
            if any(text in (tick.label1, tick.label2) for tick in ticks):
                if not ax.axison:
                    return False
                low, high = sorted(axis.get_view_interval())
                own = [t for t in ticks if text in (t.label1, t.label2)]
                return low <= own[0].get_loc() <= high
    return True
