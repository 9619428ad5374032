"""The torch weights have the values and the gradients of the JAX ones."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from parametra.core.errors import UsageError
from parametra.weights import PackedSymmetric, SpectralSymmetric, SpectralWeight

torch = pytest.importorskip("torch", "2.6", reason="parametra.torch needs the extra torch")
register = torch.nn.utils.parametrize.register_parametrization


def layer(matrix):
    outputs, inputs = matrix.shape
    linear = torch.nn.Linear(inputs, outputs, bias=False)
    with torch.no_grad():
        linear.weight.copy_(torch.from_numpy(np.array(matrix)))
    return linear


def gradients(linear, direction):
    (linear.weight * torch.from_numpy(np.array(direction))).sum().backward()
    return [parameter.grad.numpy() for parameter in linear.parameters()]


@pytest.mark.parametrize("shape", [(6, 6), (5, 9), (9, 5), (80, 80)])
@pytest.mark.parametrize("bounds", [None, (0.5, 1.5), (1.0, 1.0)])
def test_spectral_weight_shares_its_numbers(shape, bounds):
    from parametra.torch import Spectral

    ours = SpectralWeight.init(jax.random.key(0), *shape, bounds=bounds)
    linear = layer(np.asarray(jax.random.normal(jax.random.key(1), shape)))
    register(linear, "weight", Spectral(bounds=bounds))
    numbers = [ours.left.packed, ours.right.packed] + ([] if ours.free is None else [ours.free])
    with torch.no_grad():
        for parameter, values in zip(linear.parameters(), numbers, strict=True):
            parameter.copy_(torch.from_numpy(np.array(values)))
        linear.parametrizations.weight[0].signs.fill_(1.0)
    assert_allclose(linear.weight.detach().numpy(), ours.unwrap(), atol=2e-6)
    direction = jax.random.normal(jax.random.key(2), shape)
    gradient = jax.grad(lambda weight: jnp.vdot(weight.unwrap(), direction), allow_int=True)(ours)
    expected = [gradient.left.packed, gradient.right.packed] + ([] if ours.free is None else [gradient.free])
    for found, wanted in zip(gradients(linear, direction), expected, strict=True):
        assert_allclose(found, wanted, atol=2e-5)


def test_registration_keeps_the_weight_and_holds_its_singular_values():
    from parametra.torch import Spectral, SpectralSymmetric, Symmetric

    matrix = np.asarray(jax.random.normal(jax.random.key(0), (7, 7)))
    for parametrization, wanted in ((Spectral(), matrix), (Symmetric(), (matrix + matrix.T) / 2)):
        linear = layer(matrix)
        register(linear, "weight", parametrization)
        assert_allclose(linear.weight.detach().numpy(), wanted, atol=3e-6)
    held = layer(matrix)
    register(held, "weight", Spectral(bounds=(0.5, 1.0)))
    values = np.linalg.svd(held.weight.detach().numpy(), compute_uv=False)
    assert values.min() >= 0.5 - 1e-5
    assert values.max() <= 1.0 + 1e-5
    symmetric = layer(matrix)
    register(symmetric, "weight", SpectralSymmetric())
    assert_allclose(symmetric.weight.detach().numpy(), (matrix + matrix.T) / 2, atol=3e-6)
    assert sum(p.numel() for p in symmetric.parameters()) == 7 * 8 // 2 + 7


def test_symmetric_weight_takes_the_steps_of_the_packed_one():
    from parametra.torch import Symmetric

    matrix, direction = (np.asarray(jax.random.normal(jax.random.key(seed), (6, 6))) for seed in (0, 1))
    linear = layer(matrix)
    register(linear, "weight", Symmetric())
    assert [p.numel() for p in linear.parameters()] == [21]
    gradients(linear, direction)
    torch.optim.SGD(linear.parameters(), 0.1).step()
    packed = PackedSymmetric.from_dense(jnp.asarray(matrix))
    gradient = jax.grad(lambda weight: jnp.vdot(weight.unwrap(), direction))(packed)
    stepped = jax.tree.map(lambda p, g: p - 0.1 * g, packed, gradient)
    assert_allclose(linear.weight.detach().numpy(), stepped.unwrap(), atol=1e-6)


def test_spectral_symmetric_weight_shares_its_numbers():
    from parametra.torch import SpectralSymmetric as Theirs

    ours = SpectralSymmetric.from_matrix(jax.random.normal(jax.random.key(0), (6, 6)))
    linear = layer(np.eye(6, dtype=np.float32))
    register(linear, "weight", Theirs())
    with torch.no_grad():
        for parameter, values in zip(linear.parameters(), (ours.vectors.packed, ours.free), strict=True):
            parameter.copy_(torch.from_numpy(np.array(values)))
    assert_allclose(linear.weight.detach().numpy(), ours.unwrap(), atol=2e-6)


def test_convolution_kernels_are_flattened_and_checkpoints_come_back():
    from parametra.torch import Spectral

    first, second = (torch.nn.Conv2d(3, 4, 3) for _ in range(2))
    for conv in (first, second):
        register(conv, "weight", Spectral(bounds=(0.5, 1.5)))
    second.load_state_dict(first.state_dict())
    assert first.weight.shape == (4, 3, 3, 3)
    assert_allclose(second.weight.detach().numpy(), first.weight.detach().numpy())


def test_bad_requests_are_refused():
    from parametra.torch import Spectral, Symmetric

    with pytest.raises(UsageError, match="lo <= hi"):
        Spectral(bounds=(1.0, 0.5))
    with pytest.raises(UsageError, match="1 to 3"):
        register(torch.nn.Linear(3, 3), "weight", Spectral(reflectors=4))
    with pytest.raises(UsageError, match="must be square"):
        register(torch.nn.Linear(3, 4), "weight", Symmetric())
    with pytest.raises(UsageError, match="axes"):
        register(torch.nn.Linear(3, 3), "bias", Spectral())
