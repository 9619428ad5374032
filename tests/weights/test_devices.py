"""Two devices: a batch that is divided among them has the values and the gradients of one device."""

import subprocess
import sys

DIVIDED = """
import jax
jax.config.update("jax_num_cpu_devices", 2)
import equinox as eqx, jax.numpy as jnp, numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P
from parametra.weights import spectral, spectral_symmetric, symmetric

key = jax.random.key(0)

def close(found, wanted):
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-4)

def parts(scheme, size):
    return eqx.partition(scheme(jax.random.normal(key, (size, size)) / 8), eqx.is_inexact_array)

for scheme in (symmetric(), spectral(3)):
    free, rest = parts(scheme, 5)
    x = jax.random.normal(key, (4, 5))

    def loss(free, x):
        return jnp.sum(jnp.sin(eqx.combine(free, rest).apply(x)))

    both = jax.value_and_grad(loss)
    wanted = jax.jit(both)(free, x)
    for kind in (AxisType.Auto, AxisType.Explicit):
        mesh = jax.make_mesh((2,), ("d",), axis_types=(kind,))
        shared = jax.device_put(free, NamedSharding(mesh, P()))
        close(jax.jit(both)(shared, jax.device_put(x, NamedSharding(mesh, P("d")))), wanted)
    mesh = jax.make_mesh((2,), ("d",), axis_types=(AxisType.Auto,))
    spread = jax.shard_map(lambda f, x: jax.lax.psum(loss(f, x), "d"), mesh=mesh, in_specs=(P(), P("d")), out_specs=P())
    close(jax.jit(jax.value_and_grad(spread))(free, x), wanted)

free, rest = parts(spectral_symmetric(65), 65)  # more than one block of reflectors: a scan

def dense(weights):
    return jax.vmap(lambda free: eqx.combine(free, rest).unwrap())(weights)

several = jax.tree.map(lambda leaf: jnp.stack([leaf, 2 * leaf]), free)
each = jax.shard_map(dense, mesh=mesh, in_specs=P("d"), out_specs=P("d"))
close(jax.jit(each)(several), jax.jit(dense)(several))
print(len(jax.devices()))
"""


def test_a_divided_batch_and_an_ensemble_apart_are_those_of_one_device():
    done = subprocess.run([sys.executable, "-c", DIVIDED], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout == "2\n"
