# ruff: noqa: E501 (tables of made-up numbers)
"""A made-up run folder of the climate study: small, smooth and plausible, so that the page can be judged without a run."""

from pathlib import Path

import numpy as np
import xarray as xr

from parametra.store.fields import write_fields
from parametra.store.metrics import Metric
from parametra.store.runfolder import RunFolder

ROWS, COLUMNS, LEVELS = 16, 32, 20
THICKNESS = np.array([0.03, 0.03, 0.035, 0.04, 0.045, 0.05, 0.055, *[0.06] * 9, 0.055, 0.05, 0.04, 0.03])
HALF = np.concatenate([[0.0], np.cumsum(THICKNESS / THICKNESS.sum())])
LEVEL = 0.5 * (HALF[1:] + HALF[:-1])
LATITUDE = np.degrees(np.arcsin(np.polynomial.legendre.leggauss(ROWS)[0]))
TARGETS = ["tendency_of_air_temperature", "tendency_of_specific_humidity"]
SCALARS = [
    "precipitation_flux", "toa_net_downward_shortwave_flux", "surface_net_downward_shortwave_flux",
    "toa_outgoing_longwave_flux", "surface_net_upward_longwave_flux",
]  # fmt: skip
DAY = 86400.0
STOP = "temperature left [150, 350] with 148 in column 3 at day 74.00."


def make_run(path: Path, *, fields: bool = True, metrics: bool = True, finished: bool = True, config: dict | None = None) -> Path:
    """A run folder in `path` with everything that the page can show, or less."""
    settings = config or {"seed": 0, "host": {"truncation": 15, "time_step": 1800.0}, "network": {"width": 128, "depth": 5}}
    folder = RunFolder.open(path, "climate", "mini", settings)
    folder.log("start", versions={"parametra": "0.1.0", "jax": "0.10.2"}, machine="2 cores, 8 GB", device="cpu")
    stages = {
        "spin-up": 8.1,
        "truth": 291.0,
        "ceiling": 44.0,
        "training": 58.0,
        "selection": 47.0,
        "coupled": 86.0,
        "score": 11.0,
    }
    for name, seconds in stages.items():
        folder.log("stage_start", stage=name)
        folder.log("stage_end", stage=name, seconds=seconds, peak_memory_gb=2.1)
        folder.finish_stage(name, **({"stops": {"5x128-0": None, "linear": STOP}} if name == "coupled" else {}))
    folder.log("selected", network="5x128-0", scores={"5x128-0": 0.4})
    if fields:
        for name, make in (
            ("zonal", zonal),
            ("maps", maps),
            ("skill", skill),
            ("ceiling", ceiling),
            ("drift", drift),
            ("budgets", budgets),
            ("yardstick", yardstick),
            ("rain", rain),
            ("deviation", deviation),
            ("waves", waves),
            ("scatter", scatter),
            ("contents", contents),
            ("skillmap", skillmap),
        ):
            write_fields(folder.fields(name), make())
    if metrics:
        folder.write_metrics(figures())
    if finished:
        folder.log("end")
    return path


def zonal() -> xr.Dataset:
    """Zonal means: truth with jets, a rain belt and heating that follows it; copies with small or larger faults."""
    y, s = np.radians(LATITUDE)[:, None], LEVEL[None, :]
    lat = LATITUDE[:, None]
    belt, storms = np.exp(-(((lat - 5) / 9) ** 2)), np.exp(-(((abs(lat) - 45) / 14) ** 2))
    heat_aloft = np.exp(-(((s - 0.45) / 0.2) ** 2))
    truth = {
        "air_temperature": np.maximum(204.0 + 4 * abs(np.sin(y)), (301 - 29 * np.sin(y) ** 2) * s**0.18),
        "specific_humidity": 0.0175 * s**3.2 * np.exp(-((lat / 42) ** 2)),
        "eastward_wind": 40 * np.exp(-(((abs(lat) - 33) / 13) ** 2) - ((s - 0.2) / 0.2) ** 2)
        - 6 * np.exp(-((lat / 18) ** 2)) * s,
        "tendency_of_air_temperature": (-1.1 * (1 - s**6) + 5.2 * belt * heat_aloft + 1.6 * storms * heat_aloft * s**0.5) / DAY,
        "tendency_of_specific_humidity": (-2.6e-3 * belt * heat_aloft * s + 2.2e-3 * np.cos(y) * s**8 - 0.4e-3 * storms * s)
        / DAY,
    }
    rain = 0.4 + 10.3 * belt[:, 0] + 3.6 * storms[:, 0]
    profile = {
        "precipitation_flux": rain / DAY,
        "evaporation_flux": (0.6 + 4.6 * np.cos(y[:, 0]) ** 2 - 1.2 * belt[:, 0]) / DAY,
        "toa_outgoing_longwave_flux": 175 + 90 * np.cos(y[:, 0]) - 35 * belt[:, 0],
        "toa_net_downward_shortwave_flux": 40 + 290 * np.cos(y[:, 0]) ** 1.3,
        "surface_temperature": 273.15 + 2 + 27 * np.cos(np.clip(np.pi * (LATITUDE - 5) / 120, -np.pi / 2, np.pi / 2)) ** 2,
        "atmosphere_mass_content_of_water_vapor": 4 + 46 * np.exp(-((LATITUDE / 33) ** 2)),
    }
    rng = np.random.default_rng(1)
    warm = {"truth": 0.0, "truth_first_half": 0.25, "truth_second_half": -0.25, "network": 0.9, "linear": -4.5, "time-mean": 3.0}
    wet = {"truth": 1.0, "truth_first_half": 1.05, "truth_second_half": 0.95, "network": 0.98, "linear": 0.72, "time-mean": 1.1}
    warm["conventional"], wet["conventional"] = 2.1, 0.9
    runs = []
    for run in warm:
        shift = warm[run]
        noise = 0.0 if run == "truth" else 0.03
        fields = {
            name: values * (1 + noise * rng.normal(size=(ROWS, 1))) for name, values in truth.items() if name != "air_temperature"
        }
        fields["air_temperature"] = truth["air_temperature"] + shift * (0.6 + np.cos(2 * y) * s)
        lines = {
            name: values * wet[run] * (1 + noise * rng.normal(size=ROWS))
            for name, values in profile.items()
            if "surface" not in name
        }
        lines["surface_temperature"] = profile["surface_temperature"]
        columns = {name: (("latitude", "level"), values) for name, values in fields.items()}
        runs.append(xr.Dataset(columns | {name: ("latitude", values) for name, values in lines.items()}))
    return xr.concat(runs, "run").assign_coords(run=list(warm), latitude=LATITUDE, level=LEVEL)


def maps(frames: int = 24) -> xr.Dataset:
    """Rain with waves and bursts [kg m-2 s-1]."""
    rng = np.random.default_rng(2)
    x = np.linspace(0, 2 * np.pi, COLUMNS, endpoint=False)[None, None, None]
    t = np.arange(frames)[None, :, None, None]
    lat = LATITUDE[None, None, :, None]
    phase = np.array([0.0, 1.3])[:, None, None, None]
    base = 10 * np.exp(-(((lat - 5) / 8) ** 2)) + 4 * np.exp(-(((abs(lat) - 45) / 13) ** 2)) * (
        1 + np.cos(5 * x - 0.7 * t + phase + lat / 25)
    )
    rain = base * rng.gamma(0.7, 1.4, size=(2, frames, ROWS, COLUMNS)) / DAY
    coords = {
        "run": ["truth", "network"],
        "time": 10 + 0.25 * np.arange(frames),
        "latitude": LATITUDE,
        "longitude": np.degrees(x).ravel(),
    }
    return xr.Dataset({"precipitation_flux": (("run", "time", "latitude", "longitude"), rain)}, coords=coords)


def skill() -> xr.Dataset:
    """R2 that is high aloft and low near the ground; the two top levels of moistening are masked."""
    shape = np.exp(-(((LEVEL - 0.4) / 0.28) ** 2))
    best = np.stack([0.12 + 0.6 * shape, 0.2 + 0.55 * shape])
    ceiling = best + 0.09
    models = {"linear": 0.5, "zonal climatology": 0.1, "5x128-0": 0.93, "5x128-1": 0.9, "5x128-2": 0.91, "9x256-0": 1.0}
    pooled = np.stack([best * factor for factor in models.values()])
    pooled[:, 1, :2] = np.nan
    windows = np.array([0.5, 2.0, 6.0, 24.0])
    growth = 1 + 0.25 * np.log2(windows / 0.5) / 5.6
    factors = np.array(list(models.values()))
    masked = np.isnan(pooled).astype(int)
    return xr.Dataset(
        {
            "r2_pooled": (("model", "target", "level"), pooled),
            "r2_per_cell": (("model", "target", "level"), pooled - 0.55),
            "masked": (("model", "target", "level"), masked),
            "ceiling": (("target", "level"), ceiling),
            "ceiling_low": (("target", "level"), ceiling - 0.05),
            "ceiling_high": (("target", "level"), ceiling + 0.05),
            "ceiling_precipitation": ((), 0.79),
            "r2_scalar": (("model", "scalar"), factors[:, None] * np.array([0.72, 0.97, 0.97, 0.78, 0.77])),
            "r2_window": (("model", "window", "target"), factors[:, None, None] * growth[None, :, None] * np.array([0.46, 0.55])),
        },
        coords={"model": list(models), "target": TARGETS, "scalar": SCALARS, "window": windows, "level": LEVEL},
    )


def ceiling() -> xr.Dataset:
    """Twin differences that level off after half a day, sooner near the ground."""
    lead = np.arange(0.5, 24.5, 0.5)
    share = 1 - np.exp(-lead[:, None] / (1.5 + 4.5 * (1 - LEVEL[None, :])))
    curves = {f"growth_{TARGETS[0]}": (("lead", "level"), share), f"growth_{TARGETS[1]}": (("lead", "level"), share**1.3)}
    curves["growth_precipitation_flux"] = (("lead",), share[:, 10])
    return xr.Dataset(curves, coords={"lead": lead, "level": LEVEL})


def drift(days: int = 360) -> xr.Dataset:
    """A truth of 20 days, three networks of which one slides, and two null closures."""
    rng = np.random.default_rng(3)
    day = np.arange(1, days + 1)
    slide = {"truth": 0.0, "5x128-0": 0.4, "5x128-1": -0.7, "5x128-2": -6.5, "9x256-0": 0.2, "linear": -9.0, "time-mean": 3.0}
    series = []
    for run, end in slide.items():
        gone = end * (1 - np.exp(-day / 60))
        noise = rng.normal(size=days)
        one = {
            "mean_temperature": 251.5 + gone + 0.12 * noise,
            "zonal_temperature_rms": np.hypot(0.5, gone) + 0.05 * abs(noise),
            "precipitable_water": 30.2 * np.exp(0.06 * gone) + 0.2 * noise,
            "precipitation_flux": 3.4 + 0.05 * gone + 0.1 * noise,
            "rain_profile_r": 0.99 - 0.06 * abs(gone) - 0.005 * abs(noise),
        }
        dataset = xr.Dataset({name: ("day", values) for name, values in one.items()})
        last = {"truth": 20, "linear": 74, "5x128-1": 180, "5x128-2": 180, "9x256-0": 180}.get(run, days)
        series.append(dataset.where(xr.DataArray(day <= last, dims="day")))
    return xr.concat(series, "run").assign_coords(run=list(slide), day=day)


def budgets() -> xr.Dataset:
    """Terms of a truth that closes."""
    terms = {
        ("water", "mm/day"): {
            "evaporation": 3.42,
            "precipitation": 3.40,
            "vapour storage": 0.012,
            "condensate storage": 0.004,
            "residual": 0.004,
        },
        ("energy", "W m-2"): {
            "latent heating": 98.6,
            "sensible heating": 9.2,
            "radiative cooling": 107.9,
            "heat storage": -0.4,
            "residual": 0.3,
        },
    }
    rows = [(name, budget, unit, value) for (budget, unit), group in terms.items() for name, value in group.items()]
    mean = np.array([row[3] for row in rows])
    half = 0.02 * abs(mean) + 0.002
    coords = {
        "term": [row[0] for row in rows],
        "budget": ("term", [row[1] for row in rows]),
        "unit": ("term", [row[2] for row in rows]),
    }
    return xr.Dataset({"mean": ("term", mean), "low": ("term", mean - half), "high": ("term", mean + half)}, coords=coords)


def yardstick() -> xr.Dataset:
    """Scores of the paper's figures: the network near chance, the conventional scheme not."""
    names = [f"{name}_rms" for name in (*TARGETS, "air_temperature", "specific_humidity", "precipitation_flux")]
    names += ["rain_0.01_steps", "rain_0.001_steps", "rain_0.01_daily", "rain_0.001_daily"]
    names += [f"deviation_{name}" for name in TARGETS] + ["wave_spectrum", "energy_slope"]
    ratio = np.stack([np.linspace(0.4, 1.8, len(names)), np.linspace(1.0, 12.0, len(names))])
    ratio[:, -2] = np.nan
    words = ["long enough"] * 5 + ["barely"] * 4 + ["long enough"] * 2 + ["too short", "long enough"]
    texts = {"word": words, "why": [f"reason {i}" for i in range(len(names))], "words": [n.replace("_", " ") for n in names],
             "unit": ["1"] * len(names), "figure": ["R1"] * 2 + ["R2"] * 3 + ["R3"] * 4 + ["R4"] * 2 + ["R5", "R6"]}  # fmt: skip
    coords = {"run": ["network", "conventional"], "score": names} | {key: ("score", text) for key, text in texts.items()}
    split = np.full(len(names), 0.1)
    variables = {"value": (("run", "score"), 0.1 * ratio), "ratio": (("run", "score"), ratio), "split_half": ("score", split)}
    return xr.Dataset(variables, coords)


SIDES = {"truth": 1.0, "network": 0.95, "conventional": 0.6, "network_offline": 0.8}


def rain() -> xr.Dataset:
    """Tails that fall off faster for the faulty; the conventional scheme kept no single steps."""
    bins = 2.0 + 4.0 * np.arange(40)
    density = np.stack([0.1 * np.exp(-bins / (14.0 * size)) for size in SIDES.values()])
    share = np.array([0.01, 1e-3, 1e-4, 1e-5])
    value = np.stack([-14.0 * size * np.log(share) for size in SIDES.values()])
    steps = np.array([1.0, 1.0, np.nan, 1.0])[:, None]
    variables: dict[str, tuple] = {"days": ("run", [23, 180, 180, 7])}
    for kind, seen in (("steps", steps), ("daily", np.ones_like(steps))):
        variables[f"density_{kind}"] = (("run", "bin"), density * seen)
        for part, factor in (("value", 1.0), ("low", 0.9), ("high", 1.1)):
            variables[f"{part}_{kind}"] = (("run", "exceedance"), factor * value * seen)
    return xr.Dataset(variables, {"run": list(SIDES), "bin": bins, "exceedance": share})


def deviation() -> xr.Dataset:
    """Standard deviations that follow the rain belt."""
    field = (0.3 + np.exp(-(((LATITUDE - 5) / 12) ** 2)))[:, None] * np.exp(-(((LEVEL - 0.5) / 0.3) ** 2))[None] / DAY
    sides = SIDES | {"truth_first_half": 1.03, "truth_second_half": 0.97}
    values = np.stack([size * field for size in sides.values()])
    variables = {
        f"deviation_{name}": (("run", "latitude", "level"), values * scale)
        for name, scale in zip(TARGETS, (5.0, 2e-3), strict=True)
    }
    return xr.Dataset(variables, {"run": list(sides), "latitude": LATITUDE, "level": LEVEL})


def waves() -> xr.Dataset:
    """Two spectra with a Kelvin ridge; nine windows."""
    k, f = np.arange(-15, 16), np.arange(1, 49) / 96.0
    ridge = np.exp(-(((f[:, None] - 0.028 * k[None]) / 0.03) ** 2)) - 0.2
    lines = np.where(k > 0, 0.028 * k, np.nan)
    families = ["kelvin", "rossby", "gravity_1", "mixed_rossby_gravity", "gravity_2"]
    curves = np.stack([np.stack([lines * (1 + 0.3 * depth) + 0.02 * number for depth in range(3)]) for number in range(5)])
    bands = ["Madden-Julian", "Kelvin", "equatorial Rossby", "mixed Rossby-gravity"]
    both = np.stack([ridge, 0.7 * ridge])
    return xr.Dataset(
        {
            "ratio_symmetric": (("run", "frequency", "wavenumber"), both), "ratio_antisymmetric": (("run", "frequency", "wavenumber"), -both),
            "band_power": (("run", "band"), np.ones((2, 4))), "band_ratio": (("run", "band"), [[1.1, 2.0, 0.9, 1.0]] * 2),
            "windows": ("run", [9, 9]), "dispersion": (("family", "depth", "wavenumber"), curves),
        },
        {"run": ["network", "conventional"], "frequency": f, "wavenumber": k, "band": bands, "family": families, "depth": [12.0, 25.0, 50.0]},
    )  # fmt: skip


def scatter() -> xr.Dataset:
    """Points about the diagonal for truth and offline network, slopes for all."""
    middle = np.linspace(-1450, 4450, 60)
    share = np.exp(-(((middle[:, None] - middle[None]) / 90) ** 2)) * np.exp(-abs(middle[:, None]) / 400)
    density = np.stack([share / share.sum(), np.full_like(share, np.nan), np.full_like(share, np.nan), share / share.sum()])
    numbers = {"slope": [1.01, 1.0, 0.97, 1.0], "rms": [8.0, 2.0, 20.0, 2.0], "mean": [0.9, 0.8, 3.0, 0.8]}
    variables = {"density": (("run", "x", "y"), density)} | {key: ("run", values) for key, values in numbers.items()}
    return xr.Dataset(variables, {"run": list(SIDES), "x": middle, "y": middle})


def contents() -> xr.Dataset:
    """Energy and water before and after the runs take over."""
    day = np.arange(-22, 361)
    rng = np.random.default_rng(5)
    energy = np.stack(
        [0.4 * rng.normal(size=day.size), 0.4 * rng.normal(size=day.size), 0.01 * day + 0.4 * rng.normal(size=day.size)]
    )
    energy[0, day > 0] = energy[1:, day <= 0] = np.nan
    coords = {"run": ["truth", "network", "conventional"], "day": day}
    verdicts = {
        "drift": [0.4, 0.01, 0.12], "drift_low": [np.nan, -0.02, 0.08], "drift_high": [np.nan, 0.04, 0.16],
        "drift_word": ["too short", "long enough", "long enough"], "drift_why": ["worth 6.1 independent days, ten are needed"] * 3,
    }  # fmt: skip
    series = {"energy": (("run", "day"), energy), "water": (("run", "day"), 30.0 + 0.3 * energy)}
    return xr.Dataset(series | {name: ("run", values) for name, values in verdicts.items()}, coords)


def skillmap() -> xr.Dataset:
    """R2 by latitude and level."""
    field = 0.8 * np.exp(-(((LATITUDE - 5) / 30) ** 2))[:, None] * np.exp(-(((LEVEL - 0.4) / 0.3) ** 2))[None]
    parts = {
        f"{kind}_{name}": (("latitude", "level"), field - (kind == "per_cell"))
        for kind in ("pooled", "per_cell")
        for name in TARGETS
    }
    return xr.Dataset(parts, {"latitude": LATITUDE, "level": LEVEL})


def figures() -> list[Metric]:
    """Figures in the manner of climate/mini, two of them missed."""
    late = "days 180 to 360, against all truth after spin-up"
    return [
        Metric("precipitation", 3.40, "mm/day", (2.5, 4.0), "inside"),
        Metric("outgoing long-wave radiation", 221.3, "W m-2", (210, 260), "inside"),
        Metric("northern jet, speed", 38.2, "m/s", (30, 60), "inside"),
        Metric("eddy kinetic energy", 7.1, "m2 s-2", 8.0, "higher"),
        Metric("temperature drift", 0.011, "K/day", 0.02),
        Metric("E - P - storage of vapour and condensate", 0.0042, "mm/day", 0.01),
        Metric("radiative cooling - latent - sensible heating - storage", 0.31, "W m-2", 1.0),
        Metric("host fixer: water fixer", 0.0036, "mm/day", 0.01),
        Metric("network, with its conservation layer: column energy residual, largest", 4.1e-4, "W m-2", 1e-3),
        Metric("network, without the layer: column energy residual, rms", 21.7, "W m-2"),
        Metric(f"network, {late}: mass-weighted mean temperature below 180 hPa, difference", 0.42, "K", (-1.5, 1.5), "inside", "skill"),
        Metric(f"network, {late}: rms of zonal-mean temperature", 1.31, "K", 2.0, "lower", "skill"),
        Metric(f"network, {late}: precipitable water, relative difference", 0.031, "1", (-0.1, 0.1), "inside", "skill"),
        Metric(f"network, {late}: correlation of the rain profile", 0.987, "1", 0.95, "higher", "skill"),
        Metric(f"linear, {late}: rms of zonal-mean temperature", 9.2, "K", None, "lower", "skill"),
        Metric("truth's split half: rms of zonal-mean temperature", 0.5, "K", None, "lower", "skill"),
        Metric("30-min heating: (R2 - linear) / (ceiling - linear)", 0.71, "1", 0.6, "higher", "skill", "180 hPa to surface, pooled"),
        Metric("24-h means of heating: R2", 0.58, "1", 0.55, "higher", "skill"),
        Metric("24-h means of moistening: R2", 0.69, "1", 0.70, "higher", "skill"),
        Metric("30-min precipitation: R2 of the network", 0.724, "1", 0.65, "higher", "skill"),
        Metric("CRM: wall time per cell and step", 45.2, "ns", 50, "lower", "cost"),
        Metric("5x128: wall time per column", 1270, "ns", 1300, "lower", "cost"),
        Metric("5x128: simulated years per day, coupled", 1054, "1", 900, "higher", "cost"),
        Metric("5x128: sub-grid part, times faster than the CRM", 345, "1", 300, "higher", "cost"),
        Metric("5x128: whole step, times faster than the truth", 55, "1", 45, "higher", "cost"),
        Metric("9x256: sub-grid part, times faster than the CRM", 93, "1", None, "higher", "cost"),
        Metric("all stages before this one", 9.1, "min", 15, "lower", "cost"),
    ]  # fmt: skip
