from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from crossover.model.dropout import Dropout


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.5, 0.9])
def test_the_rate_is_the_one_asked_for_and_the_expectation_stays(rate: float) -> None:
    mask = Dropout(0).mask((1000, 1000), rate)
    dropped = float((mask == 0).float().mean())
    assert abs(dropped - rate) < 5 * (rate * (1 - rate) / mask.numel()) ** 0.5
    assert mask[mask > 0].unique().tolist() == pytest.approx([1 / (1 - rate)], rel=2e-4)
    assert float(mask.double().mean()) == pytest.approx(1, abs=5 * (rate / (1 - rate) / mask.numel()) ** 0.5)


def test_elements_and_calls_are_independent() -> None:
    dropout = Dropout(3)
    first, second = (dropout.mask((400_000,), 0.5).numpy() for _ in range(2))
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.01
    for shift in (1, 2, 3, 4, 8, 32):
        assert abs(np.corrcoef(first[:-shift], first[shift:])[0, 1]) < 0.01, shift


def test_a_seed_fixes_the_masks_and_no_global_state_is_touched() -> None:
    torch.manual_seed(5)
    state = torch.get_rng_state()
    ones = torch.ones(50, 7)
    found = [Dropout(1)(ones, 0.3), Dropout(1)(ones, 0.3), Dropout(2)(ones, 0.3)]
    assert torch.equal(found[0], found[1]) and not torch.equal(found[0], found[2])
    assert torch.equal(torch.get_rng_state(), state)


@given(st.integers(0, 3), st.integers(1, 9), st.floats(0, 0.9999999))
def test_any_shape_and_rate_gives_zeros_and_one_multiplier(a: int, b: int, rate: float) -> None:
    mask = Dropout(0).mask((a, b), rate)
    assert mask.shape == (a, b) and mask.dtype == torch.float32
    assert torch.isfinite(mask).all() and len(mask[mask != 0].unique()) <= 1


def test_a_rate_of_0_leaves_the_tensor_itself_and_gradients_follow_the_mask() -> None:
    x = torch.randn(30, 20, requires_grad=True)
    assert Dropout(0)(x, 0.0) is x
    Dropout(7)(x, 0.4).sum().backward()
    assert x.grad is not None and torch.equal(x.grad, Dropout(7).mask((30, 20), 0.4))
