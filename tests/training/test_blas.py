"""Both libraries' products, in every orientation, against NumPy's."""

from __future__ import annotations

import numpy as np
import pytest

from paribus.training.blas import product, scipy_address, sgemm_address


@pytest.mark.parametrize("address", [sgemm_address, scipy_address])
@pytest.mark.parametrize("a_turned", [False, True])
@pytest.mark.parametrize("b_turned", [False, True])
def test_products(address, a_turned, b_turned):
    draw = np.random.default_rng(0)
    a, b = draw.random((5, 48), dtype=np.float32), draw.random((48, 32), dtype=np.float32)
    out = np.full((5, 32), np.nan, np.float32)
    given = np.ascontiguousarray(a.T) if a_turned else a, np.ascontiguousarray(b.T) if b_turned else b
    product(address(), *given, out, a_turned, b_turned)
    np.testing.assert_allclose(out, a @ b, rtol=1e-5)
