"""What runtimes share."""

import numpy as np
import pytest

from core.runtimes import Array, cosine


def array(*values: float) -> Array:
    return np.asarray(values, np.float32)


def test_the_cosine_by_hand() -> None:
    assert cosine(array(3, 4), array(4, 3)) == pytest.approx(24 / 25)
    assert cosine(array(1, 2), array(-1, -2)) == pytest.approx(-1)
    assert cosine(array(0, 0), array(0, 0)) == 1.0
    assert cosine(array(0, 0), array(0, 1)) == 0.0


def test_the_cosine_of_what_is_no_number_is_none() -> None:
    assert np.isnan(cosine(array(1, 0), array(np.nan, 0)))
