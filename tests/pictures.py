"""What tests of pictures look at: the curves of a colour, all text, the bytes of a file."""

import io

MODEL, TRUTH, STEP, DOWN, UP = "#0072B2", "#444444", "#009E73", "#56B4E9", "#D55E00"


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
