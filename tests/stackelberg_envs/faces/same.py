"""Whether results of two environments are the same, bit for bit."""

import numpy as np


def assert_same(one, other, where=""):
    """Compare arrays, and dicts, tuples and object arrays of them."""
    if isinstance(one, dict):
        assert set(one) == set(other), (where, set(one) ^ set(other))
        for key in one:
            assert_same(one[key], other[key], f"{where}/{key}")
    elif isinstance(one, tuple) or getattr(one, "dtype", None) == np.dtype("O"):
        for i, (mine, its) in enumerate(zip(one, other, strict=True)):
            assert_same(mine, its, f"{where}/{i}")
    elif one is None:
        assert other is None, where
    else:
        np.testing.assert_array_equal(one, other, err_msg=where)
        assert np.asarray(one).dtype == np.asarray(other).dtype, where
