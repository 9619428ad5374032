"""The first paper's energy scatter: does a column turn the vapour that it loses into heat, no more and no less?

    x = -(Lc sum dq m - LH)                  latent heat given up by the column beyond what evaporation brought  [W m-2]
    y = cp sum dT m - SH + radiative cooling heat gained that neither surface nor radiation gave            [W m-2]

One point per column and step, the surface fluxes those that the closure saw; y = x where moist enthalpy is kept (the paper plots
-x). Freezing, and water that stays in the air as cloud, make the honest difference of a cloud-resolving model.

Source: Rasp, Pritchard & Gentine 2018, 10.1073/pnas.1810286115, figure 4A.
"""

import numpy as np
import xarray as xr

from parametra.climate.diagnostics.budgets import RADIATION, radiative_cooling
from parametra.climate.diagnostics.geometry import area_mean, column_integral
from parametra.climate.diagnostics.required import require
from parametra.core.constants import HEAT_CAPACITY, LATENT_HEAT_CONDENSATION
from parametra.core.errors import DataError

NEEDED = (
    "surface_air_pressure", "tendency_of_specific_humidity", "tendency_of_air_temperature", "surface_upward_latent_heat_flux",
    "surface_upward_sensible_heat_flux", *RADIATION,
)  # fmt: skip
MOMENTS = ("x", "y", "xx", "xy", "residual_squared")


def scatter_axes(dataset: xr.Dataset) -> xr.Dataset:
    """X and y [W m-2], dims of surface_air_pressure; DataError where one of `NEEDED` is missing."""
    require(dataset, NEEDED)
    pressure = dataset.surface_air_pressure
    moistening = LATENT_HEAT_CONDENSATION * column_integral(dataset.tendency_of_specific_humidity, pressure)
    heating = HEAT_CAPACITY * column_integral(dataset.tendency_of_air_temperature, pressure)
    x = dataset.surface_upward_latent_heat_flux.astype(np.float64) - moistening
    y = heating - dataset.surface_upward_sensible_heat_flux.astype(np.float64) + radiative_cooling(dataset)
    return xr.Dataset({"x": x, "y": y})


def energy_scatter(dataset: xr.Dataset) -> dict[str, float]:
    """Slope of y on x [1], root mean square and mean of y - x [W m-2], every column and step alike.

    Args:
        dataset: columns; or zonal means that hold the moments energy_scatter_x, _y, _xx, _xy, _residual_squared on
            (time, latitude) in place of every column (rows then count by area).

    Raises:
        DataError: zonal means without the moments, or columns without what `scatter_axes` needs.
    """
    if "energy_scatter_x" in dataset:
        moments = [f"energy_scatter_{name}" for name in MOMENTS]
        require(dataset, moments)
        x, y, xx, xy, squared = (float(area_mean(dataset[name]).mean(skipna=False)) for name in moments)
        spread = xx - x * x
        slope = (xy - x * y) / spread if spread > 0 else float("nan")
        return {"slope": slope, "rms": float(np.sqrt(max(squared, 0.0))), "mean": y - x}
    require(dataset, ["tendency_of_air_temperature"])
    if "longitude" not in dataset.tendency_of_air_temperature.dims:
        raise DataError("An energy scatter needs columns or their moments, the dataset holds zonal means alone.")
    axes = scatter_axes(dataset)
    x_, y_ = axes.x.values.ravel(), axes.y.transpose(*axes.x.dims).values.ravel()
    spread = np.var(x_)
    slope = float(np.mean((x_ - x_.mean()) * (y_ - y_.mean())) / spread) if spread > 0 else float("nan")
    return {"slope": slope, "rms": float(np.sqrt(np.mean((y_ - x_) ** 2))), "mean": float(np.mean(y_ - x_))}


def scatter_density(axes: xr.Dataset, edges: np.ndarray) -> xr.DataArray:
    """Share of the points in each box of x and y, dims (x, y), coordinates the middles; points outside count at the rim.

    Args:
        axes: as `scatter_axes` returns them.
        edges: of the boxes, both ways [W m-2].
    """
    x, y = (np.clip(axes[name].transpose(*axes.x.dims).values.ravel(), edges[0], edges[-1]) for name in ("x", "y"))
    counts, _, _ = np.histogram2d(x, y, bins=[edges, edges])
    middle = 0.5 * (edges[1:] + edges[:-1])
    return xr.DataArray(counts / x.size, {"x": middle, "y": middle}, ("x", "y"), "density")
