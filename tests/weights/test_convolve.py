"""The convolution is XLA's, with derivatives of every order, and in a compiled loop it keeps the form that is fast on a CPU."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from parametra.weights.convolve import convolve


def plain(x, taps, strides, padding):
    return jax.lax.conv_general_dilated(x, taps, strides, padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))


@st.composite
def cases(draw):
    space = draw(st.tuples(st.integers(1, 7), st.integers(1, 7)))
    window = (draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    strides = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    pads = draw(st.sampled_from(["SAME", "VALID", "free"]))
    if pads == "free":
        pads = [draw(st.tuples(st.integers(0, 2), st.integers(0, 2))) for _ in range(2)]
    if pads == "VALID":
        space = (max(space[0], window[0]), max(space[1], window[1]))
    if not isinstance(pads, str):
        space = tuple(max(n, w - sum(p)) for n, w, p in zip(space, window, pads, strict=True))
    return space, window, strides, pads


@settings(max_examples=10, deadline=None)
@given(cases())
def test_values_and_derivatives_are_those_of_xla(case):
    space, window, strides, padding = case
    rng = np.random.default_rng(0)
    with jax.enable_x64(True):
        x, dx = (jnp.asarray(rng.normal(size=(2, *space, 3))) for _ in range(2))
        w, dw = (jnp.asarray(rng.normal(size=(*window, 3, 2))) for _ in range(2))

        def energy(f):
            return lambda x, w: jnp.sum(jnp.sin(f(x, w, strides, padding)))

        assert_allclose(convolve(x, w, strides, padding), plain(x, w, strides, padding), rtol=1e-13, atol=1e-13)
        first, second = (jax.grad(energy(f), (0, 1))(x, w) for f in (convolve, plain))
        for ours, theirs in zip(first, second, strict=True):
            assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)
        # second order: along a direction, of the gradient, and the gradient of that
        for order in (
            lambda f: jax.jvp(jax.grad(energy(f), (0, 1)), (x, w), (dx, dw))[1],
            lambda f: jax.grad(lambda x, w: jax.jvp(energy(f), (x, w), (dx, dw))[1], (0, 1))(x, w),
        ):
            for ours, theirs in zip(order(convolve), order(plain), strict=True):
                assert_allclose(ours, theirs, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("axes", [(0, None), (None, 0), (0, 0), (2, 3)])
def test_many_at_once_are_each_alone(axes):
    rng = np.random.default_rng(1)
    x, w = rng.normal(size=(2, 5, 4, 3)), rng.normal(size=(3, 3, 3, 2))
    many = [one if axis is None else np.stack([one + i for i in range(3)], axis) for one, axis in zip((x, w), axes, strict=True)]
    many = [jnp.asarray(one, jnp.float32) for one in many]
    found = jax.jit(jax.vmap(lambda x, w: convolve(x, w, 1, "SAME"), axes))(*many)
    for i in range(3):
        one, kernel = (each if axis is None else jnp.take(each, i, axis) for each, axis in zip(many, axes, strict=True))
        assert_allclose(found[i], plain(one, kernel, (1, 1), "SAME"), rtol=2e-5, atol=2e-4)


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="the form is one of XLA's CPU kernels")
def test_a_loop_holds_convolutions_in_the_form_that_is_fast():
    x, w = jnp.ones((4, 8, 8, 5)), jnp.ones((3, 3, 5, 5))

    def labels(f):
        def step(_, w):
            return w - jax.grad(lambda w: jnp.sum(jnp.tanh(f(jnp.tanh(f(x, w, (1, 1), "SAME")), w, (1, 1), "SAME"))))(w)

        text = jax.jit(lambda w: jax.lax.fori_loop(0, 3, step, w)).lower(w).compile().as_text() or ""
        return set(re.findall(r"dim_labels=(\S+?)[,\s]", text))

    assert labels(convolve) == {"b01f_01io->b01f"}
    assert len(labels(plain)) > 1  # the day this fails, `convolve` is no longer needed


def test_an_empty_output_has_a_gradient_of_the_right_shape():
    gradient = jax.grad(lambda x: convolve(x, jnp.ones((3, 3, 3, 4)), 2, "VALID").sum())(jnp.ones((2, 2, 8, 3)))
    assert gradient.shape == (2, 2, 8, 3)
    assert not gradient.any()


def test_parts_of_a_batch_on_several_devices_are_left_to_xla():
    mesh, part = jax.make_mesh((1,), ("d",), axis_types=(jax.sharding.AxisType.Auto,)), jax.sharding.PartitionSpec
    x, w = jnp.arange(2.0 * 5 * 4 * 3).reshape(2, 5, 4, 3), jnp.ones((3, 3, 3, 2))

    def loss(w):
        spread = jax.shard_map(convolve, mesh=mesh, in_specs=(part("d"), part()), out_specs=part("d"))
        return jnp.sum(spread(x, w) ** 2)

    assert_allclose(jax.grad(loss)(w), jax.grad(lambda w: jnp.sum(convolve(x, w) ** 2))(w), rtol=1e-5)
