"""JAX takes aligned memory as it is."""

import jax
import numpy as np
import pytest

from parametra.learn.arrays import aligned


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="elsewhere data are always copied")
@pytest.mark.parametrize("shape", [(3, 5), (1000, 7, 64)])
def test_an_aligned_array_is_not_copied(shape):
    array = aligned(shape)
    array[...] = 2.0
    taken = jax.device_put(array)
    assert (array.shape, array.dtype) == (shape, np.float32)
    assert taken.unsafe_buffer_pointer() == array.ctypes.data
    np.testing.assert_array_equal(taken, array)
