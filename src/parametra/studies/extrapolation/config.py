"""What can be chosen about the extrapolation study. No jax: a wrong value is refused before anything heavy is imported."""

from typing import Literal

from pydantic import Field, model_validator

from parametra.core.config import Config
from parametra.dynamics.design import Design

Regime = Literal["one", "cov", "attr"]


class LogisticConfig(Config):
    """The protocol on the logistic map: series at r in [2.8, 3.5], none of them chaotic, judged up to r = 4."""

    controls: int = Field(default=15, ge=4, le=1000, description="values of r")
    low: float = Field(default=2.8, gt=0.0, lt=3.57, description="smallest r of the training series")
    high: float = Field(default=3.5, gt=0.0, lt=3.57, description="largest r of the training series, below chaos")
    regimes: tuple[Regime, ...] = Field(default=("cov", "one", "attr"), min_length=1, description="ways of sampling")
    noise: tuple[float, ...] = Field(default=(0.0, 1e-3, 1e-2), min_length=1, description="standard deviations of observations")
    seeds: int = Field(default=5, ge=1, le=100, description="repetitions of everything, of which medians are shown")
    bound_seeds: int = Field(
        default=20, ge=1, le=1000, description="repetitions beside the Cramer-Rao bound, most noise, first regime"
    )
    degree: int = Field(default=4, ge=2, le=6, description="of the polynomial library")
    most_terms: int = Field(default=8, ge=2, le=15, description="sparse candidates keep 2 to this many terms")
    networks: tuple[Design, ...] = Field(min_length=1, description="candidates among trained networks")
    network_seeds: int = Field(default=5, ge=1, le=100, description="repetitions for the networks, clean `cov` only")
    edge: float = Field(default=0.25, gt=0.0, lt=1.0, description="share of controls that edge validation holds out")


class DiagramConfig(Config):
    """Long orbits of the chosen networks beside the exact map's."""

    controls: int = Field(default=1000, ge=50, le=100_000, description="values of r in a diagram")
    steps: int = Field(default=2000, ge=100, le=1_000_000, description="steps at each")
    integrity_controls: int = Field(default=200, ge=10, le=10_000, description="values of r beyond training for long runs")
    integrity_steps: int = Field(default=1_000_000, ge=1000, description="steps of a long run")


class SystemConfig(Config):
    """A system other than the logistic map, learned at some controls and judged at another."""

    name: Literal["quartic", "sine-law", "henon", "ricker", "lorenz63"] = Field(description="the system")
    low: float = Field(description="smallest control of the training series")
    high: float = Field(description="largest control of the training series")
    targets: tuple[float, ...] = Field(min_length=1, description="controls at which exponents are compared")
    controls: int = Field(default=12, ge=4, le=1000, description="values of the control")
    repeats: int = Field(default=8, ge=1, le=1000, description="series at each")
    steps: int = Field(default=8, ge=2, le=10_000, description="states of a series")
    burn: int = Field(default=1000, ge=0, description="steps before exponents")
    exponent_steps: int = Field(default=20_000, ge=100, description="steps of exponents")
    seeds: int = Field(default=5, ge=1, le=100, description="repetitions")
    designs: tuple[Design, ...] = Field(min_length=1, description="candidates")
    baseline: Design | None = Field(default=None, description="a plain design, for comparison, not a candidate")


class ClosureConfig(Config):
    """Sub-grid closures of two-scale Lorenz-96, learned at weak forcing and run at strong forcing."""

    training: tuple[float, ...] = Field(
        default=(5.0, 6.0, 7.0, 8.0, 9.0, 10.0), min_length=3, description="forcings of the pairs; at 4 the state hardly moves"
    )
    testing: tuple[float, ...] = Field(default=(14.0, 18.0, 24.0, 32.0), min_length=1, description="stronger forcings")
    time: float = Field(default=10.0, gt=0.0, description="truth at each forcing [units of time]")
    run_time: float = Field(default=40.0, gt=0.0, description="coupled runs at the strongest forcing [units of time]")
    spin_up: float = Field(default=3.0, ge=0.0, description="left out at the start [units of time]")
    rings: int = Field(default=12, ge=1, le=1000, description="independent copies")
    pairs: int = Field(default=300, ge=100, description="pairs of each forcing that are fitted")
    seeds: int = Field(default=5, ge=1, le=100, description="truths, each with its own closure, of which medians are shown")
    hidden: tuple[int, ...] = Field(default=(1, 2, 3), min_length=1, description="candidates for the network's width")
    tails: tuple[float, ...] = Field(
        default=(0.0, 0.25, 0.5, 0.75), min_length=1, description="candidates for the growth |X|^tail outside the data"
    )
    powers: tuple[float, ...] = Field(default=(0.0,), min_length=1, description="candidates for p in X / F^p")
    out_powers: tuple[float, ...] = Field(default=(0.0,), min_length=1, description="candidates for q in U / F^q")
    restarts: int = Field(default=2, ge=1, le=100, description="random starts of a network")
    steps: int = Field(default=25, ge=1, le=10_000, description="most steps of Levenberg-Marquardt")


class ExtrapolationConfig(Config):
    """The extrapolation study."""

    seed: int = Field(default=0, ge=0, le=2**31 - 1, description="of everything random")
    logistic: LogisticConfig = Field(description="the logistic protocol")
    diagram: DiagramConfig = Field(default=DiagramConfig(), description="diagrams and long runs")
    systems: tuple[SystemConfig, ...] = Field(default=(), description="other systems")
    closure: ClosureConfig | None = Field(default=None, description="two-scale Lorenz-96; left out where absent")
    unknown_seeds: int = Field(default=5, ge=1, le=100, description="repetitions with the control not given")
    guard_seeds: int = Field(default=5, ge=1, le=100, description="repetitions on which the guard is judged")
    judged: bool = Field(default=True, description="whether metrics.json states targets")

    @model_validator(mode="after")
    def _lawful(self) -> "ExtrapolationConfig":
        if self.logistic.low >= self.logistic.high:
            raise ValueError("logistic.low must be below logistic.high")
        for system in self.systems:
            if system.low >= system.high:
                raise ValueError(f"{system.name}: low must be below high")
        return self
