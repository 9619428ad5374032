"""A small analytic world: smooth, with two jets, a rain belt and waves, on 16 x 16 columns and 20 levels."""

import numpy as np
import pytest
import xarray as xr


def analytic_world(steps: int = 48, step_hours: float = 6.0, rows: int = 16, columns: int = 16, levels: int = 20) -> xr.Dataset:
    nodes, _ = np.polynomial.legendre.leggauss(rows)
    latitude = np.degrees(np.arcsin(nodes))
    longitude = np.arange(columns) * 360.0 / columns
    half = np.linspace(0.0, 1.0, levels + 1)
    level = 0.5 * (half[1:] + half[:-1])
    time = np.arange(steps) * step_hours / 24.0
    axes = xr.Dataset(coords={"time": time, "latitude": latitude, "longitude": longitude, "level": level})
    t, y, x, s = axes.time, np.radians(axes.latitude), np.radians(axes.longitude), axes.level
    # travelling wave 3 with a broad meridional envelope
    wave = np.cos(3 * x - 2 * np.pi * t / 5.0) * np.cos(y) ** 2
    sst = 302.0 - 27.0 * np.sin(y - np.radians(5.0)) ** 2
    jet = 40.0 * (np.exp(-(((axes.latitude - 33) / 12) ** 2)) + np.exp(-(((axes.latitude + 33) / 12) ** 2)))
    rain = 0.5 + 10.0 * np.exp(-(((axes.latitude - 5.5) / 8) ** 2)) + 4.0 * np.exp(-(((abs(axes.latitude) - 52) / 15) ** 2))
    full = xr.ones_like(t * y * x, dtype=np.float64)
    return xr.Dataset(
        {
            "air_temperature": (sst * s**0.19 * full + 2.0 * wave * s).transpose("time", "latitude", "longitude", "level"),
            "specific_humidity": (0.016 * s**3 * np.cos(y) ** 2 * full).transpose("time", "latitude", "longitude", "level"),
            "eastward_wind": (jet * np.exp(-(((s - 0.2) / 0.15) ** 2)) * full + 6.0 * wave * s**0.0),
            "northward_wind": 6.0 * np.sin(3 * x - 2 * np.pi * t / 5.0) * np.cos(y) ** 2 * s**0.0,
            "surface_air_pressure": 1.0e5 * full,
            "surface_temperature": sst * full,
            "precipitation_flux": rain / 86400.0 * full,
            "surface_upward_latent_heat_flux": 100.0 * full,
            "toa_outgoing_longwave_flux": 235.0 * full,
        }
    ).transpose("time", "latitude", "longitude", "level")


@pytest.fixture(scope="session")
def world() -> xr.Dataset:
    return analytic_world()
