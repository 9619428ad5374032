"""What the host did to the global budgets in one step, besides the closure's tendency: global means, each in its own unit."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Scalar = Float[Array, ""]


class Ledger(eqx.Module):
    """Sources (the first four entries), corrections, and what should be nothing; positive adds to the atmosphere."""

    closure_heating: Scalar  # W m-2, enthalpy by the closure
    closure_moistening: Scalar  # kg m-2 s-1, vapour by the closure
    closure_work: Scalar  # W m-2, kinetic energy by the closure, nothing where it gives no wind tendency
    stratospheric_relaxation: Scalar  # W m-2
    drag_heating: Scalar  # W m-2, kinetic energy lost to drag, vertical diffusion and sponge, returned as heat where it was lost
    diffusion_heating: Scalar  # W m-2, kinetic energy lost to horizontal diffusion, returned as heat in its layer
    negative_humidity: Scalar  # 1, share of points below zero after transport
    moistening_limit: Scalar  # kg m-2 s-1, moved inside columns because the closure dried a layer below zero
    column_fill: Scalar  # kg m-2 s-1, moved inside columns because transport left negative layers
    global_fill: Scalar  # kg m-2 s-1, made because a column had too little; the water fixer takes it from all columns
    water_fixer: Scalar  # kg m-2 s-1, made by scaling all humidity: minus what truncation, transport and global fill made
    mass_fixer: Scalar  # kg m-2 s-1, made by scaling surface pressure
    energy_fixer: Scalar  # W m-2, by one uniform temperature increment
    truncated_water: Scalar  # kg m-2 s-1, change by cutting humidity at the truncation; repaid in water_fixer
    truncated_heat: Scalar  # W m-2, change by cutting the temperature increment of physics; repaid in energy_fixer
    mixing_water: Scalar  # kg m-2 s-1, by vertical diffusion, round-off
    mixing_heat: Scalar  # W m-2, by vertical diffusion, round-off

    @classmethod
    def zeros(cls) -> "Ledger":
        """A ledger of a step in which nothing happened."""
        return cls(*[jnp.zeros(()) for _ in cls.__dataclass_fields__])

    def entries(self) -> dict[str, Scalar]:
        """Name to value."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


class Totals(eqx.Module):
    """Sums of a ledger over all steps, compensated: a year of half hours keeps float32's seven digits (Neumaier 1974)."""

    sums: Ledger
    lost: Ledger

    @classmethod
    def zeros(cls) -> "Totals":
        """Nothing summed yet."""
        return cls(Ledger.zeros(), Ledger.zeros())

    def add(self, ledger: Ledger) -> "Totals":
        """With one more step."""
        sums = jax.tree.map(jnp.add, self.sums, ledger)

        def lost(before, value, after, low):
            return low + jnp.where(jnp.abs(before) >= jnp.abs(value), (before - after) + value, (value - after) + before)

        return Totals(sums, jax.tree.map(lost, self.sums, ledger, sums, self.lost))
