"""The emulated scheme: a network in the place of the cloud-resolving model."""

import equinox as eqx
from jaxtyping import PRNGKeyArray

from parametra.climate.columns import ColumnFluxes, ColumnForcing, ColumnState, ColumnTendency
from parametra.climate.emulator.emulator import Emulator


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
