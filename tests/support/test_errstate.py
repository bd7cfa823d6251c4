"""The chain rule's arithmetic is silent, with NumPy's own means and with the quick ones."""

import numpy as np
import pytest

import tinygrad_lr as tg
from tinygrad_lr.support import errstate as silence


def divide(x):
    return np.float64(x) / 0.0


@pytest.fixture(params=["quick", "errstate"], autouse=True)
def way(request, monkeypatch):
    if request.param == "errstate":
        monkeypatch.setattr(silence, "STATE", None)
    elif silence.STATE is None:
        pytest.skip("this NumPy keeps its error state elsewhere")


def test_nothing_is_warned_of_and_nothing_raised():
    with np.errstate(all="raise"):
        assert silence.ignore_float_errors(divide)(1) == np.inf


def test_the_callers_settings_hold_again_afterwards_and_after_an_exception():
    before = np.geterr()
    silence.ignore_float_errors(divide)(1)
    with pytest.raises(ValueError, match="invalid literal"):
        silence.ignore_float_errors(lambda: int("no number"))()
    assert np.geterr() == before
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        divide(1)


def test_a_kink_makes_no_noise_in_either_mode():
    assert tg.grad(np.sqrt)(np.float64(0)) == np.inf
    assert tg.jvp(np.sqrt, (np.float64(0),), (1.0,))[1] == np.inf
