r"""A stochastic head: the network's mean and noise around it that knows the column, its levels and the step before.

A network trained on squares predicts the mean of what may follow, and the mean varies less than its members: a deterministic
closure must under-disperse. Here

    y = f(x) + sum_r e_r a_r(x) z_r,      z_r' = phi_r z_r + sqrt(1 - phi_r^2) N(0, 1),

with f the trained network (untouched), e_r the leading empirical orthogonal functions of its residuals over all outputs, so that
levels and fluxes err together, a_r(x) > 0 amplitudes from a small network, and phi_r the lag-one correlation of the signs of the
residuals along e_r. Amplitudes minimise the continuous ranked probability score of the marginals, closed for a normal law,

    CRPS = s (w (2 Phi(w) - 1) + 2 phi(w) - 1 / sqrt(pi)),    w = (y - f) / s,    s^2 = sum_r (e_r a_r)^2,

each output in units of its residuals' standard deviation. Residuals have heavier tails than a normal law, for which that score
asks for less spread than there is; so each e_r is then scaled to the variance of the residuals along it. Precipitation cannot be
negative, and a normal law cut off at zero rains too much: it is drawn from the lognormal law of the same mean and variance, by
the same z. Limits and conservation come after the noise, and hold as exactly as without it. In the coupled run z is the closure's
memory.

Source: CRPS of a normal law, Gneiting et al. (2005, Mon. Wea. Rev. 133, 1098, eq. 5); noise with memory as in Wilks (2005, QJRMS
131, 389) on Lorenz-96.
"""

import dataclasses

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from parametra.climate.columns import ColumnFluxes, ColumnForcing, ColumnState, ColumnTendency
from parametra.climate.emulator.config import StochasticConfig
from parametra.climate.emulator.dataset import ColumnDataset
from parametra.climate.emulator.emulator import Emulator
from parametra.climate.emulator.vectors import Inputs, Outputs, output_factors
from parametra.core.errors import UsageError
from parametra.learn import History, fit
from parametra.networks import MLP

BLOCK = 65536
MOST_RELATIVE = 3.0  # deviation of precipitation over its mean
SMALLEST = 1e-3  # of an output's residual deviation: its spread is at least this in the score

Memory = Float[Array, "column mode"]


class StochasticEmulator(eqx.Module):
    """An emulator with noise.

    Attributes:
        emulator: the mean, with limits and conservation.
        amplitude: the emulator's features to one number per mode.
        modes: e_r times the deviation of its coefficient, in the network's units.
        memory: phi_r, from step to step.
    """

    emulator: Emulator
    amplitude: MLP
    modes: Float[Array, "outputs mode"]
    memory: Float[Array, " mode"]

    def start(self, columns: int, key: PRNGKeyArray) -> Memory:
        """Noise at the start, of the stationary law."""
        return jax.random.normal(key, (columns, self.memory.size), self.memory.dtype)

    def advance(self, z: Memory, key: PRNGKeyArray) -> Memory:
        """Noise of the next step."""
        fresh = jnp.sqrt(1.0 - self.memory**2)
        return self.memory * z + fresh * jax.random.normal(key, z.shape, z.dtype)

    def __call__(self, state: ColumnState, forcing: ColumnForcing, z: Memory) -> tuple[ColumnTendency, ColumnFluxes]:
        """Tendency and fluxes of the coming step for the noise `z`."""
        inputs = Inputs.from_columns(state, forcing)
        return self.outputs(inputs, z, forcing.time_step).columns(inputs.snow_share)

    def outputs(self, inputs: Inputs, z: Memory, time_step: float | None = None) -> Outputs:
        """One draw, within the limits and conserving; `time_step` [s], that of the training data if None."""
        emulator = self.emulator
        features = emulator.features(inputs)
        amplitude, mean = amplitudes(self.amplitude, features), emulator.grown(inputs, emulator.network(features))
        drawn = emulator.in_units(mean + (amplitude * z) @ self.modes.T)
        rain = lognormal(mean[:, -1], amplitude * self.modes[-1], z) / np.float32(output_factors(emulator.levels)[-1])
        drawn = dataclasses.replace(drawn, precipitation=rain)
        return emulator.lawful(inputs, drawn, emulator.time_step if time_step is None else time_step)


def lognormal(mean: Float[Array, " column"], parts: Memory, z: Memory) -> Float[Array, " column"]:
    """The lognormal law of that mean and of the variance of sum_r parts_r z_r, drawn by the same z; zero where the mean is below.

    The relative deviation is held at `MOST_RELATIVE`: beyond it the law is all tail.
    """
    deviation = jnp.sqrt(jnp.sum(parts**2, axis=1))
    normal = jnp.sum(parts * z, axis=1) / jnp.maximum(deviation, 1e-12)
    mean = jnp.maximum(mean, 0.0)
    relative = jnp.minimum(deviation / jnp.maximum(mean, 1e-12), MOST_RELATIVE)
    variance = jnp.log1p(relative**2)
    return mean * jnp.exp(jnp.sqrt(variance) * normal - 0.5 * variance)


def amplitudes(network: MLP, features: Float[Array, "column inputs"]) -> Memory:
    """a_r relative to its mean over the training data: softplus, one where the network says nothing."""
    return jax.nn.softplus(network(features)) * np.float32(1.0 / np.log(2.0))


_amplitudes = eqx.filter_jit(amplitudes)


def train_stochastic(
    emulator: Emulator, data: ColumnDataset, config: StochasticConfig, seed: int
) -> tuple[StochasticEmulator, History]:
    """A stochastic head for a trained emulator.

    Args:
        emulator: the mean; it is not changed.
        data: columns of consecutive steps, best ones that the emulator was not trained on: there its residuals are too small.
        config: number of modes, network of amplitudes, training.
        seed: of weights and order of samples.

    Raises:
        UsageError: other levels, or fewer outputs than modes.
    """
    outputs = data.targets.shape[1]
    if data.levels != emulator.levels or config.modes > outputs:
        raise UsageError(
            f"A head of {config.modes} modes on {data.levels} levels does not fit a network of {emulator.levels} levels and "
            f"{outputs} outputs. Remedy: the network's own truth, and at most as many modes as outputs."
        )
    features, residuals = _residuals(emulator, data)
    deviation = np.maximum(residuals.std(axis=0), 1e-12)
    modes, coefficients = _modes(residuals / deviation, config.modes)
    modes = modes * deviation[:, None]
    weights, order = jax.random.split(jax.random.key(seed))
    network = MLP.init(weights, features.shape[1], config.modes, (config.width,) * config.depth)
    network, history = fit(network, _score(modes, deviation), (features, residuals), config.fit, order)
    given = np.zeros(config.modes)
    for start in range(0, len(features), BLOCK):
        part = slice(start, start + BLOCK)
        amplitude = np.asarray(_amplitudes(network, jnp.asarray(features[part])))
        given += np.sum(amplitude**2, axis=0, dtype=np.float64)
    modes = modes * np.sqrt(len(features) / given)  # they hold the coefficients' deviations: amplitudes have mean square one
    memory = _memory(coefficients, data.shape[0])
    return StochasticEmulator(emulator, network, jnp.asarray(modes, jnp.float32), jnp.asarray(memory, jnp.float32)), history


def normal_crps(error: Float[Array, "*shape"], spread: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """CRPS of a normal law of deviation `spread` whose mean is `error` away from the truth."""
    w = error / spread
    density = jnp.exp(-0.5 * w**2) * np.float32(1.0 / np.sqrt(2.0 * np.pi))
    return spread * (w * jax.lax.erf(w * np.float32(np.sqrt(0.5))) + 2.0 * density - np.float32(1.0 / np.sqrt(np.pi)))


def _score(modes: np.ndarray, deviation: np.ndarray):
    squares = jnp.asarray((modes / deviation[:, None]) ** 2, jnp.float32)
    scale = jnp.asarray(1.0 / deviation, jnp.float32)

    def loss(network: MLP, batch: tuple[Array, Array]) -> Array:
        features, residuals = batch
        variance = amplitudes(network, features) ** 2 @ squares.T
        return jnp.mean(normal_crps(residuals * scale, jnp.sqrt(variance + SMALLEST**2)))

    return loss


def _residuals(emulator: Emulator, data: ColumnDataset) -> tuple[np.ndarray, np.ndarray]:
    """Features and truth minus the bare network, in its units, float32."""
    features, residuals = np.empty_like(data.inputs), np.empty_like(data.targets)
    for start in range(0, len(data.inputs), BLOCK):
        part = slice(start, start + BLOCK)
        seen, said = _bare(emulator, jnp.asarray(data.inputs[part]))
        features[part], residuals[part] = np.asarray(seen), data.targets[part] - np.asarray(said)
    return features, residuals


@eqx.filter_jit
def _bare(emulator: Emulator, inputs: Array) -> tuple[Array, Array]:
    seen = Inputs.from_vector(inputs)
    features = emulator.features(seen)
    return features, emulator.grown(seen, emulator.network(features))


def _modes(residuals: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Leading EOFs times the deviation of their coefficients (output, mode), and the coefficients (sample, mode)."""
    centred = residuals - residuals.mean(axis=0)
    values, vectors = np.linalg.eigh(centred.T.astype(np.float64) @ centred / len(centred))
    vectors = vectors[:, ::-1][:, :count]
    return vectors * np.sqrt(np.maximum(values[::-1][:count], 0.0)), centred @ vectors.astype(np.float32)


def _memory(coefficients: np.ndarray, times: int) -> np.ndarray:
    """Lag-one correlation of z by the signs of each mode's coefficient, between 0 and 0.99; 0 if there is one step only.

    phi = sin(pi / 2 E[sign z sign z']) for a normal law (Sheppard 1899): no amplitude enters, and none that is wrong weakens it.
    """
    series = np.sign(coefficients.reshape(times, -1, coefficients.shape[1]))
    if times < 2:
        return np.zeros(coefficients.shape[1])
    return np.clip(np.sin(0.5 * np.pi * np.mean(series[:-1] * series[1:], axis=(0, 1), dtype=np.float64)), 0.0, 0.99)
