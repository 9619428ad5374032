"""What can be chosen about the resolved atmosphere. No jax: presets are validated before anything heavy is imported."""

from itertools import pairwise
from typing import Literal

from pydantic import Field, model_validator

from parametra.climate.host.levels import LEVELS_20
from parametra.core.config import Config
from parametra.core.constants import SECONDS_PER_DAY

Profile = tuple[tuple[float, float], ...]


class SpinUpConfig(Config):
    """The start: a stored moment of a mature climate, or days of relaxation towards a radiative-convective profile."""

    start: Literal["mature", "relaxation"] = Field(default="mature", description="where a run starts from")
    noise: float = Field(default=0.2, ge=0.0, le=5.0, description="standard deviation of the first perturbation [K]")
    days: float = Field(default=60.0, ge=0.0, le=1000.0, description="length of the relaxation run [d]")
    offset: float = Field(
        default=0.9, ge=-30.0, le=30.0, description="surface air of the target profile is colder than the sea by this [K]"
    )
    exponent: float = Field(default=0.148, gt=0.0, lt=0.5, description="target profile falls as sigma to this power [1]")
    polar_exponent: float = Field(default=0.1, ge=0.0, lt=0.5, description="added to it at the poles, as sin^2 of latitude [1]")
    minimum: float = Field(default=203.0, ge=150.0, le=260.0, description="coldest temperature of the target profile [K]")
    polar_minimum: float = Field(default=14.0, ge=0.0, le=50.0, description="added to it at the poles, as sin^2 of latitude [K]")
    temperature_days: float = Field(default=6.0, gt=0.0, le=1000.0, description="relaxation time of temperature [d]")
    humidity_days: float = Field(default=1.0, gt=0.0, le=1000.0, description="relaxation time of specific humidity [d]")
    humidity: float = Field(default=0.93, ge=0.0, le=1.0, description="relative humidity of the target at the surface [1]")


class SurfaceConfig(Config):
    """The prescribed sea and the exchange with it."""

    offset: float = Field(default=2.0, ge=-40.0, le=30.0, description="sea surface temperature poleward of 60 degrees [Celsius]")
    wave: float = Field(default=0.0, ge=0.0, le=10.0, description="amplitude of a zonal wave number one, 3KW1 has 3 [K]")
    warming: float = Field(default=0.0, ge=-20.0, le=20.0, description="uniform change of sea surface temperature [K]")
    exchange: float = Field(default=1.5e-3, ge=0.0, le=1e-2, description="bulk coefficient of heat and moisture [1]")
    drag: float = Field(default=4.0e-3, ge=0.0, le=1e-1, description="bulk coefficient of momentum [1]")
    gustiness: float = Field(default=5.0, ge=0.0, le=20.0, description="wind speed of unresolved gusts [m s-1]")


class HostConfig(Config):
    """The resolved atmosphere: grid, step, diffusion and the physics that stays explicit in every run."""

    truncation: int = Field(default=15, ge=5, le=170, description="largest total wave number kept [1]")
    longitudes: int = Field(default=32, ge=12, le=1024, description="grid points on a circle of latitude [1]")
    latitudes: int = Field(default=16, ge=6, le=512, description="Gaussian circles of latitude [1]")
    sigma_half: tuple[float, ...] = Field(default=LEVELS_20, min_length=4, description="interfaces of the layers, 0 to 1 [1]")
    time_step: float = Field(default=1800.0, ge=10.0, le=7200.0, description="step, a whole number of them in a day [s]")
    stepper: Literal["imex_rk_sil3", "crank_nicolson_rk2", "crank_nicolson_rk3"] = Field(
        default="imex_rk_sil3", description="time stepping of the dynamical core"
    )
    mean_surface_pressure: float = Field(
        default=1.0e5, ge=2.0e4, le=2.0e5, description="global mean of surface pressure, kept for ever [Pa]"
    )
    reference_temperature: float = Field(default=288.0, ge=200.0, le=350.0, description="isothermal, of the implicit terms [K]")
    diffusion_hours: float = Field(
        default=2.5, gt=0.0, le=1000.0, description="horizontal diffusion: e-folding at the last wave number [h]"
    )
    diffusion_order: int = Field(default=3, ge=1, le=8, description="horizontal diffusion: power of the Laplacian [1]")
    humidity_noise_hours: float = Field(
        default=0.0, ge=0.0, le=24.0, description="decay of humidity finer than the truncation [h]"
    )
    momentum_diffusion: float = Field(default=10.0, ge=0.0, le=100.0, description="vertical diffusion of wind [m2 s-1]")
    boundary_diffusion: float = Field(
        default=20.0, ge=0.0, le=500.0, description="more of it at the ground, a Gaussian in 1 - sigma [m2 s-1]"
    )
    boundary_depth: float = Field(default=0.12, gt=0.0, le=1.0, description="width of that Gaussian in sigma [1]")
    scalar_diffusion: float = Field(default=1.0, ge=0.0, le=100.0, description="of temperature and humidity, vertical [m2 s-1]")
    stratosphere: float = Field(
        default=205.0, ge=150.0, le=280.0, description="temperature that the top layers are relaxed to [K]"
    )
    stratosphere_days: Profile = Field(
        default=((0.015, 10.0), (0.045, 15.0), (0.0775, 20.0), (0.115, 40.0)),
        description="relaxation time [d] at sigma, none two layers below",
    )
    sponge_days: Profile = Field(
        default=((0.015, 0.5), (0.045, 2.0)), description="damping time of wind [d] at sigma, none a layer below"
    )
    surface: SurfaceConfig = Field(default=SurfaceConfig(), description="the sea")
    spin_up: SpinUpConfig = Field(default=SpinUpConfig(), description="the start state")

    @property
    def steps_per_day(self) -> int:
        """Number of steps in a day."""
        return round(SECONDS_PER_DAY / self.time_step)

    @model_validator(mode="after")
    def _lawful(self) -> "HostConfig":
        if self.latitudes % 2 or self.latitudes < self.truncation + 1 or self.longitudes < 2 * self.truncation + 1:
            raise ValueError(
                f"a grid of {self.longitudes} x {self.latitudes} points cannot hold wave number {self.truncation}: it takes "
                f"an even number of latitudes, at least truncation + 1, and at least 2 truncation + 1 longitudes"
            )
        half = self.sigma_half
        if half[0] != 0.0 or abs(half[-1] - 1.0) > 1e-9 or any(below <= above for above, below in pairwise(half)):
            raise ValueError("sigma_half must rise from 0 at the top to 1 at the surface")
        if abs(self.steps_per_day * self.time_step - SECONDS_PER_DAY) > 1e-6:
            raise ValueError(f"a day is not a whole number of time steps of {self.time_step:g} s")
        for name in ("stratosphere_days", "sponge_days"):
            profile = getattr(self, name)
            if any(days <= 0.0 or not 0.0 <= sigma <= 1.0 for sigma, days in profile) or any(
                below[0] <= above[0] for above, below in pairwise(profile)
            ):
                raise ValueError(f"{name} must be pairs (sigma, days) with rising sigma in [0, 1] and days above zero")
        return self
