"""Radiative-convective equilibrium: a host without dynamics, to run a column scheme on its own.

    python -m parametra.climate.equilibrium --days 20 --surface-temperature 300 --out equilibrium.png

Columns do not speak to each other; each keeps what its scheme gives it. Surface fluxes are the bulk formulas of the aquaplanet.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from parametra.climate.columns import ColumnFluxes, ColumnForcing, ColumnState, ColumnTendency
from parametra.climate.crm.microphysics import saturation
from parametra.climate.host.levels import LEVELS_20
from parametra.climate.schemes.multiscale import Multiscale, MultiscaleCarry
from parametra.climate.surface import bulk_fluxes
from parametra.climate.thermodynamics import saturation_specific_humidity, saturation_vapour_pressure_liquid
from parametra.core import machine
from parametra.core.constants import (
    GRAVITY,
    HEAT_CAPACITY,
    LATENT_HEAT_CONDENSATION,
    REFERENCE_PRESSURE,
    SECONDS_PER_DAY,
)
from parametra.core.files import atomic_path
from parametra.core.progress import Progress
from parametra.coupling import ColumnBlocks, coupled_run, start


class EquilibriumState(eqx.Module):
    """Columns and the surface fluxes found at the end of the last step."""

    columns: ColumnState
    sensible_heat_flux: Float[Array, " column"]
    latent_heat_flux: Float[Array, " column"]
    steps: Int[Array, ""]


class Equilibrium(eqx.Module):
    """A host of independent columns over one surface temperature, under constant insolation.

    Attributes:
        columns: number of columns.
        sigma_half: interfaces of the layers, 0 at the top.
        surface_temperature: K.
        insolation: W m-2; the default is the 409.6 of the RCEMIP protocol (Wing et al. 2018).
    """

    columns: int = eqx.field(static=True)
    sigma_half: tuple[float, ...] = eqx.field(static=True)
    surface_temperature: float = eqx.field(static=True, default=300.0)
    insolation: float = eqx.field(static=True, default=409.6)
    wind: float = eqx.field(static=True, default=5.0)
    time_step: float = eqx.field(static=True, default=1800.0)

    @property
    def sigma(self) -> np.ndarray:
        """Layer centres (level,)."""
        half = np.asarray(self.sigma_half)
        return 0.5 * (half[1:] + half[:-1])

    def init(self, key: PRNGKeyArray) -> EquilibriumState:
        """A moist adiabat of sorts under 203 K, 80 percent humid near the ground, drier upward; the same for every column."""
        del key
        sigma = jnp.asarray(self.sigma, jnp.float32)
        temperature = jnp.maximum((self.surface_temperature - 1.5) * sigma**0.1755, 203.0)
        pressure = sigma * REFERENCE_PRESSURE
        humid = 0.8 * jnp.clip((sigma - 0.1) / 0.9, 0.0, 1.0)
        q = humid * saturation_specific_humidity(saturation_vapour_pressure_liquid(temperature), pressure)
        profile = [jnp.tile(a, (self.columns, 1)) for a in (temperature, q, jnp.full_like(q, self.wind), jnp.zeros_like(q))]
        state = ColumnState(*profile, surface_pressure=jnp.full(self.columns, REFERENCE_PRESSURE, jnp.float32))
        return self._with_fluxes(state, jnp.zeros((), jnp.int32))

    def resolved(self, state: EquilibriumState) -> tuple[ColumnState, ColumnForcing]:
        """The columns, and sun and surface of the coming step."""
        ones = jnp.ones(self.columns, jnp.float32)
        forcing = ColumnForcing(
            surface_temperature=self.surface_temperature * ones,
            insolation=self.insolation * ones,
            cosine_zenith=0.74 * ones,
            sensible_heat_flux=state.sensible_heat_flux,
            latent_heat_flux=state.latent_heat_flux,
            time_step=self.time_step,
        )
        return state.columns, forcing

    def step(self, state: EquilibriumState, tendency: ColumnTendency) -> EquilibriumState:
        """The tendency added; nothing else moves the air."""
        columns = eqx.tree_at(
            lambda c: (c.temperature, c.specific_humidity),
            state.columns,
            (
                state.columns.temperature + self.time_step * tendency.temperature,
                state.columns.specific_humidity + self.time_step * tendency.specific_humidity,
            ),
        )
        return self._with_fluxes(columns, state.steps + 1)

    def budget(self, state: EquilibriumState) -> Mapping[str, float]:
        """Mean water [kg m-2] and moist enthalpy [J m-2] of a column."""
        mass = np.diff(np.asarray(self.sigma_half)) * REFERENCE_PRESSURE / GRAVITY
        q = np.asarray(state.columns.specific_humidity, np.float64) @ mass
        t = np.asarray(state.columns.temperature, np.float64) @ mass
        return {
            "water": float(q.mean()),
            "energy": float((HEAT_CAPACITY * t + LATENT_HEAT_CONDENSATION * q).mean()),
        }

    def _with_fluxes(self, columns: ColumnState, steps: Int[Array, ""]) -> EquilibriumState:
        surface = jnp.full(self.columns, self.surface_temperature, jnp.float32)
        sensible, latent = bulk_fluxes(columns, surface, float(self.sigma[-1]), exchange=1.2e-3, gustiness=5.0)
        return EquilibriumState(columns, sensible, latent, steps)


def record(
    state: ColumnState, forcing: ColumnForcing, tendency: ColumnTendency, fluxes: ColumnFluxes, carry: MultiscaleCarry
) -> dict[str, Array]:
    """What the picture needs of a step."""
    return {
        "temperature": state.temperature,
        "specific_humidity": state.specific_humidity,
        "heating": tendency.temperature,
        "precipitation": fluxes.precipitation,
        "evaporation": forcing.latent_heat_flux / LATENT_HEAT_CONDENSATION,
        "outgoing_longwave": fluxes.net_longwave_top,
        "cloud_water": carry.diagnostics["cloud_water"],
        "updraught": carry.diagnostics["largest_updraught"],
    }


def run_equilibrium(
    host: Equilibrium, scheme: Multiscale, days: int, seed: int = 0, progress: Progress | None = None
) -> tuple[dict[str, np.ndarray], MultiscaleCarry]:
    """Hourly means and the last clouds of `days` of equilibrium; every record is `(hour, column, ...)`."""
    closure = ColumnBlocks(scheme, machine.cores())
    state, carry = start(host, closure, seed)
    steps, chunk = round(days * SECONDS_PER_DAY / host.time_step), max(round(3600.0 / host.time_step), 1)
    records: list[dict[str, np.ndarray]] = []

    def keep(step: int, record: dict[str, np.ndarray], _: EquilibriumState) -> None:
        records.append(record)
        if progress is not None:
            progress.update(
                "equilibrium",
                step / steps,
                day=step * host.time_step / SECONDS_PER_DAY,
                rain=(float(record["precipitation"].mean()) * SECONDS_PER_DAY, "mm/day"),
                outgoing_longwave=(float(record["outgoing_longwave"].mean()), "W/m2"),
                updraught=(float(record["updraught"].max()), "m/s"),
            )

    _, carry, _ = coupled_run(host, closure, state, carry, seed, steps, chunk=chunk, record=record, on_chunk=keep)
    whole = ColumnBlocks.whole(carry, host.columns)
    return {name: np.stack([entry[name] for entry in records]) for name in records[0]}, whole


def draw(host: Equilibrium, scheme: Multiscale, records: dict[str, np.ndarray], carry: MultiscaleCarry, path: Path) -> None:
    """Three panels: profiles of the last quarter, clouds and motion in the cloudiest column, series in time."""
    import matplotlib.pyplot as plt  # a second, and only this function needs it

    late = slice(3 * len(records["temperature"]) // 4, None)
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(14, 4.2), layout="constrained")
    grid, pressure = scheme.model.grid, host.sigma * 1000.0
    temperature, humidity = (records[name][late].mean((0, 1)) for name in ("temperature", "specific_humidity"))
    left.plot(temperature, pressure, color="#b2182b")
    left.set(xlabel="temperature [K]", ylabel="pressure [hPa]", ylim=(1000, 0), title="last quarter of the run")
    twin = left.twiny()
    twin.plot(1e3 * humidity, pressure, color="#2166ac")
    twin.set_xlabel("specific humidity [g/kg]", color="#2166ac")
    crm = carry.crm
    absolute = crm.reference_temperature[:, :, None] + crm.temperature
    pressure_up = jnp.asarray(host.sigma[::-1, None] * REFERENCE_PRESSURE, absolute.dtype)
    cloud = np.maximum(np.asarray(crm.total_water - saturation(absolute, pressure_up)[0]), 0.0)
    column = int((cloud * grid.mass[:, None]).sum((1, 2)).argmax())
    x, z = np.arange(grid.columns_x + 1) * grid.spacing / 1e3, grid.interface_height / 1e3
    mesh = middle.pcolormesh(x, z, 1e3 * cloud[column], cmap="Blues")
    figure.colorbar(mesh, ax=middle, label="cloud water and ice [g/kg]")
    vertical = np.asarray(crm.w)[column, 1:]
    middle.contour(x[:-1] + grid.spacing / 2e3, z[1:], vertical, levels=[-3, -1, 1, 3, 6], colors="k", linewidths=0.7)
    middle.set(xlabel="x [km]", ylabel="height [km]", ylim=(0, 18), title="cloudiest column at the end; w every few m/s")
    hours = np.arange(len(records["precipitation"])) / 24.0
    for name, colour in (("precipitation", "#2166ac"), ("evaporation", "#d6604d")):
        right.plot(hours, records[name].mean(1) * SECONDS_PER_DAY, label=name, color=colour)
    right.set(xlabel="day", ylabel="mm/day", title="mean of all columns")
    right.legend(frameon=False)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format=path.suffix.removeprefix(".") or "png", dpi=110)
    plt.close(figure)


def main(arguments: list[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Radiative-convective equilibrium of the cloud-resolving model.")
    parser.add_argument("--days", type=int, default=5)
    parser.add_argument("--columns", type=int, default=32, help="independent columns")
    parser.add_argument("--crm-columns", type=int, default=8)
    parser.add_argument("--surface-temperature", type=float, default=300.0, help="K")
    parser.add_argument("--out", type=Path, default=Path("equilibrium.png"))
    chosen = parser.parse_args(arguments)
    if chosen.days < 1 or chosen.columns < 1 or chosen.crm_columns < 2 or not 250.0 <= chosen.surface_temperature <= 320.0:
        parser.error("needs at least 1 day, 1 column and 2 CRM columns, and a surface between 250 and 320 K")
    host = Equilibrium(chosen.columns, LEVELS_20, chosen.surface_temperature)
    scheme = Multiscale.build(LEVELS_20, chosen.crm_columns)
    with Progress() as progress:
        records, carry = run_equilibrium(host, scheme, chosen.days, progress=progress)
    draw(host, scheme, records, carry, chosen.out)
    late = slice(len(records["precipitation"]) // 2, None)
    print(
        f"second half: precipitation {records['precipitation'][late].mean() * SECONDS_PER_DAY:.2f} mm/day, "
        f"evaporation {records['evaporation'][late].mean() * SECONDS_PER_DAY:.2f} mm/day, "
        f"outgoing long-wave {records['outgoing_longwave'][late].mean():.0f} W/m2; picture in {chosen.out}"
    )


if __name__ == "__main__":
    main()
