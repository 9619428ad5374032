"""The emulator: normalisation, network, physical limits and conservation as one object, columns in and columns out."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from parametra.climate.columns import ColumnFluxes, ColumnForcing, ColumnState, ColumnTendency
from parametra.climate.emulator.conservation import conserve
from parametra.climate.emulator.growth import grown
from parametra.climate.emulator.invariant import require_view, view
from parametra.climate.emulator.limits import Limits
from parametra.climate.emulator.scaling import InputScaling
from parametra.climate.emulator.vectors import INPUTS, OUTPUTS, Inputs, Outputs, output_factors, size
from parametra.core.errors import UsageError
from parametra.networks import MLP, Committee, Linear

BLOCK = 256  # columns


class Emulator(eqx.Module):
    """A network in the place of sub-grid physics.

    Attributes:
        scaling: normalisation of the inputs.
        network: (3n + 4) features to (2n + 5) scaled outputs.
        sigma_half: (n + 1) interfaces of the layers, 0 at the top to 1 at the surface.
        time_step: of the data it was trained on [s].
        limits: physical limits, always applied.
        conservation: whether the conservation layer is on.
        clip: whether inputs are held within the training range.
        inputs: "plain" where the network sees the columns as they are, "invariant" for the view of `invariant`.
        moisture: mean saturation humidity of every level in the training data [kg/kg] where outputs are "scaled" (`growth`), else
            None.
    """

    scaling: InputScaling
    network: MLP | Linear | Committee
    sigma_half: tuple[float, ...] = eqx.field(static=True)
    time_step: float = eqx.field(static=True)
    limits: Limits = Limits()
    conservation: bool = eqx.field(static=True, default=True)
    clip: bool = eqx.field(static=True, default=True)
    inputs: str = eqx.field(static=True, default="plain")
    moisture: Float[Array, " level"] | None = None

    def __check_init__(self):
        require_view(self.inputs)
        one = self.network.members[0] if isinstance(self.network, Committee) else self.network
        layers = one.layers if isinstance(one, MLP) else (one,)
        found = layers[0].weight.shape[1], layers[-1].weight.shape[0]
        wanted = size(INPUTS, self.levels), size(OUTPUTS, self.levels)
        if found != wanted:
            raise UsageError(
                f"A network of {found[0]} inputs and {found[1]} outputs does not fit {self.levels} levels: {wanted}."
            )

    @property
    def levels(self) -> int:
        """Number of layers n."""
        return len(self.sigma_half) - 1

    def __call__(self, state: ColumnState, forcing: ColumnForcing) -> tuple[ColumnTendency, ColumnFluxes]:
        """Tendency and fluxes of the coming step.

        Raises:
            UsageError: columns with another number of levels than the network's.
        """
        if state.temperature.shape[1] != self.levels:
            raise UsageError(
                f"The columns have {state.temperature.shape[1]} levels, the network {self.levels}. "
                "Likely cause: a network of another world. Remedy: train one on this host's truth."
            )
        inputs = Inputs.from_columns(state, forcing)
        return self.outputs(inputs, forcing.time_step).columns(inputs.snow_share)

    def outputs(self, inputs: Inputs, time_step: float | None = None) -> Outputs:
        """What the network says of these columns, within the limits and, if that is on, conserving; `time_step` [s]."""
        time_step = self.time_step if time_step is None else time_step
        return self.lawful(inputs, self.raw(inputs), time_step)

    def raw(self, inputs: Inputs) -> Outputs:
        """The network alone, normalisation inside, SI."""
        return self.in_units(self.grown(inputs, _by_blocks(self.network, self.features(inputs))))

    def grown(self, inputs: Inputs, y: Float[Array, "column outputs"]) -> Float[Array, "column outputs"]:
        """The network's words as they are for these columns, in its units."""
        return y if self.moisture is None else grown(y, inputs.vector(), self.moisture, self.sigma_half)

    def features(self, inputs: Inputs) -> Float[Array, "column inputs"]:
        """What the network sees of these columns, dimensionless."""
        return self.scaling(view(self.inputs, inputs.vector(), self.sigma_half), self.clip)

    def in_units(self, y: Float[Array, "column outputs"]) -> Outputs:
        """The network's words in SI."""
        return Outputs.from_vector(y * (1.0 / output_factors(self.levels)).astype(jnp.float32))

    def lawful(self, inputs: Inputs, outputs: Outputs, time_step: float) -> Outputs:
        """Outputs within the limits and, if that is on, conserving; `time_step` [s]."""
        outputs = self.limits(inputs, outputs, self.sigma_half, time_step)
        return conserve(inputs, outputs, self.limits, self.sigma_half, time_step) if self.conservation else outputs

    def vector(self, x: Float[Array, "column inputs"]) -> Float[Array, "column outputs"]:
        """The whole emulator as a function of one array, for export: (column, 3n + 4) to (column, 2n + 5), both SI."""
        return self.outputs(Inputs.from_vector(x)).vector()


def _by_blocks(network: MLP | Linear | Committee, features: Float[Array, "column inputs"]) -> Float[Array, "column outputs"]:
    """The network on blocks of 256 columns where a host of a few thousand runs on a CPU.

    XLA gives products of this size to one core, and the activations of a block stay in its cache: a tenth less
    time for the whole emulator, 5 x 128, 512 columns.
    """
    columns = features.shape[0]
    if jax.default_backend() != "cpu" or not isinstance(columns, int) or columns % BLOCK or not BLOCK < columns <= 16 * BLOCK:
        return network(features)
    return jnp.concatenate([network(features[start : start + BLOCK]) for start in range(0, columns, BLOCK)])
