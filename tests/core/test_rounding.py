"""Rounding in float32: the grid that export's observers compute, and what gradients pass."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from core.quantisation.rounding import RoundedActivation, RoundedWeight, grid

# torchao uses what torch deprecates.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")


@given(low=st.floats(-1e4, 1e4, width=32), width=st.floats(0, 1e4, width=32))
def test_a_range_gives_the_grid_that_exports_observers_compute(low: float, width: float) -> None:
    from torchao.quantization.pt2e import MinMaxObserver

    observer = MinMaxObserver(
        dtype=torch.int8, qscheme=torch.per_tensor_affine, quant_min=-128, quant_max=127, eps=2**-12
    )
    bounds = torch.tensor([low, low + width])
    observer.min_val, observer.max_val = bounds

    scale, zero_point = observer.calculate_qparams()

    assert grid(*bounds.tolist()) == (float(scale), int(zero_point))


def test_an_activation_is_rounded_to_255_steps_and_gradients_stop_at_the_ends() -> None:
    rounded = RoundedActivation(-51.2, 50.8).eval()  # steps of 0.4, of which 0 is one
    x = torch.tensor([-60.0, -51.2, -0.1, 0.0, 0.19, 0.21, 50.9, 51.1], requires_grad=True)

    y = rounded(x)
    y.sum().backward()

    torch.testing.assert_close(y, torch.tensor([-51.2, -51.2, 0.0, 0.0, 0.0, 0.4, 50.8, 50.8]))
    assert x.grad is not None
    assert x.grad.tolist() == [0, 1, 1, 1, 1, 1, 1, 0]


def test_a_weight_is_rounded_channel_by_channel_and_every_gradient_passes() -> None:
    weight = torch.tensor([[127.0, -3.4], [1.27, -0.034], [1e-9, 0.0]], requires_grad=True)

    rounded = RoundedWeight()(weight)
    rounded.sum().backward()

    torch.testing.assert_close(rounded, torch.tensor([[127.0, -3.0], [1.27, -0.03], [0.0, 0.0]]))
    assert weight.grad is not None
    assert torch.equal(weight.grad, torch.ones(3, 2))
