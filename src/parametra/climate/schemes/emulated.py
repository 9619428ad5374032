"""The emulated schemes: a network in the place of the cloud-resolving model, its mean or with noise around it."""

import equinox as eqx
from jaxtyping import Array, Float, PRNGKeyArray

from parametra.climate.columns import ColumnFluxes, ColumnForcing, ColumnState, ColumnTendency
from parametra.climate.emulator.emulator import Emulator
from parametra.climate.emulator.stochastic import StochasticEmulator


class EmulatedScheme(eqx.Module):
    """An emulator as the closure of an atmosphere: no memory, no chance."""

    emulator: Emulator

    def init(self, state: ColumnState, forcing: ColumnForcing, key: PRNGKeyArray) -> tuple[()]:
        """Nothing to remember."""
        return ()

    def __call__(
        self, state: ColumnState, forcing: ColumnForcing, carry: tuple[()], key: PRNGKeyArray
    ) -> tuple[ColumnTendency, ColumnFluxes, tuple[()]]:
        """The emulator's tendency and fluxes; `key` is not used."""
        tendency, fluxes = self.emulator(state, forcing)
        return tendency, fluxes, carry


class StochasticScheme(eqx.Module):
    """A stochastic emulator as the closure of an atmosphere; its memory is the noise (column, mode)."""

    emulator: StochasticEmulator

    def init(self, state: ColumnState, forcing: ColumnForcing, key: PRNGKeyArray) -> Float[Array, "column mode"]:
        """Noise of the stationary law."""
        return self.emulator.start(state.temperature.shape[0], key)

    def __call__(
        self, state: ColumnState, forcing: ColumnForcing, carry: Float[Array, "column mode"], key: PRNGKeyArray
    ) -> tuple[ColumnTendency, ColumnFluxes, Float[Array, "column mode"]]:
        """Tendency and fluxes under the noise of this step, and that noise."""
        carry = self.emulator.advance(carry, key)
        tendency, fluxes = self.emulator(state, forcing, carry)
        return tendency, fluxes, carry
