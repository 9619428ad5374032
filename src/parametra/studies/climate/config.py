"""What can be chosen about the climate study. No jax: a wrong value is refused before anything heavy is imported."""

from typing import Literal

from pydantic import Field, model_validator

from parametra.climate.emulator.config import EmulatorConfig, StochasticConfig
from parametra.climate.host.config import HostConfig
from parametra.core.config import Config


class CRMConfig(Config):
    """The cloud-resolving model in every column."""

    columns: int = Field(default=8, ge=2, le=512, description="CRM columns in a host column [1]")
    spacing: float = Field(default=4000.0, ge=50.0, le=20000.0, description="distance between them [m]")
    time_step: float = Field(default=30.0, ge=1.0, le=60.0, description="CRM step; half the host's step is a multiple of it [s]")


class OpticsConfig(Config):
    """Cloud optics; the numbers that the balance of the world is tuned with."""

    absorption_liquid: float = Field(default=80.0, ge=0.0, le=500.0, description="long-wave absorption of cloud water [m2 kg-1]")
    absorption_ice: float = Field(default=15.0, ge=0.0, le=500.0, description="long-wave absorption of cloud ice [m2 kg-1]")
    radius_liquid: float = Field(default=12e-6, gt=1e-6, le=1e-4, description="effective radius of droplets [m]")
    radius_ice: float = Field(default=27e-6, gt=1e-6, le=1e-3, description="effective radius of crystals [m]")
    shortwave_scale: float = Field(default=0.8, ge=0.0, le=2.0, description="factor on short-wave optical depth [1]")
    surface_albedo: float = Field(default=0.08, ge=0.0, le=1.0, description="albedo of the sea [1]")


class TruthConfig(Config):
    """Stretches of truth, one after the other: none of them is used twice."""

    spin_up_days: float = Field(default=7.0, ge=0.0, description="left out [d]")
    training_days: float = Field(default=11.0, gt=0.0, description="what the networks learn from [d]")
    selection_days: float = Field(default=3.0, gt=0.0, description="what the choice among networks looks at [d]")
    scoring_days: float = Field(default=7.0, gt=0.0, description="what scores are computed on [d]")
    blocks: int = Field(default=0, ge=0, le=256, description="blocks of columns side by side; 0: one for each core")
    chunk_hours: float = Field(default=24.0, gt=0.0, le=240.0, description="simulated time between outputs and checkpoints [h]")

    @property
    def days(self) -> float:
        """All days of truth."""
        return self.spin_up_days + self.training_days + self.selection_days + self.scoring_days

    @property
    def selection_start(self) -> float:
        """First day of the stretch for selection."""
        return self.spin_up_days + self.training_days

    @property
    def scoring_start(self) -> float:
        """First day of the stretch for scoring."""
        return self.selection_start + self.selection_days


class CeilingConfig(Config):
    """Twins of the CRM under one host forcing: how much of a tendency is chance."""

    starts: int = Field(default=8, ge=1, le=64, description="start states, spread over the truth after spin-up")
    twins: int = Field(default=8, ge=2, le=64, description="twins from each start state")
    columns: int = Field(default=64, ge=1, description="columns of each start state, spread over the sphere")
    settle_hours: float = Field(default=26.0, ge=0.0, description="until the twins' differences have levelled off [h]")
    score_hours: float = Field(default=12.0, gt=0.0, description="what is scored after that [h]")


class NetworkConfig(Config):
    """Networks of one kind, that differ in their seeds."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$", description="short name")
    seeds: int = Field(default=3, ge=1, le=1000, description="how many")
    emulator: EmulatorConfig = Field(default=EmulatorConfig(), description="network and training")
    required: bool = Field(default=False, description="whether metrics.json states targets for it")
    committee_of: str = Field(
        default="", description="name of networks above: each of these is the mean of `members` of them, none is in two"
    )
    members: int = Field(default=4, ge=2, description="networks of a committee")
    long: int = Field(default=0, ge=0, description="how many of them, the first ones, run for coupled.days if they last")
    training_days: float = Field(
        default=0.0, ge=0.0, description="how many of the last days of the training stretch they learn from; 0: all [d]"
    )
    diffusion: float = Field(
        default=1.0,
        gt=0.0,
        le=100.0,
        description="factor on the host's horizontal diffusion in their coupled runs; 1 to be chosen",
    )
    choose: bool = Field(default=True, description="whether the study's network, which runs for coupled.days, may be one of them")

    @property
    def names(self) -> list[str]:
        """Each of them: NAME-SEED."""
        return [f"{self.name}-{seed}" for seed in range(self.seeds)]

    @property
    def eligible(self) -> bool:
        """Whether the study's network may be one of them: only in the study's own host."""
        return self.choose and self.diffusion == 1.0


class CoupledConfig(Config):
    """Networks in the CRM's place."""

    candidate_days: float = Field(default=180.0, ge=2.0, description="length of every candidate's run [d]")
    days: float = Field(default=360.0, ge=2.0, description="length of the chosen network's run and of the null closures' [d]")
    selection_from: float = Field(default=20.0, ge=0.0, description="selection looks at the climate from this day on [d]")
    selection_to: float = Field(default=120.0, gt=0.0, description="and up to this one [d]")
    keeps_from: float = Field(default=120.0, ge=0.0, description="a seed keeps the climate if it has it from this day on [d]")
    selections: int = Field(
        default=1, ge=1, le=100, description="groups the candidates are dealt into; the best of each runs for `days`"
    )
    conventional: bool = Field(default=False, description="run the conventional scheme for as long, beside the null closures")
    checkpoint_days: float = Field(default=60.0, gt=0.0, description="simulated time between checkpoints [d]")


class NoiseConfig(Config):
    """Noise around the chosen network, which alone must be too quiet."""

    on: bool = Field(default=False, description="train a stochastic head for the chosen network and run it beside it")
    head: StochasticConfig = Field(default=StochasticConfig(), description="the head and its training")
    members: int = Field(default=8, ge=2, le=32, description="draws of each column, offline")


class LotteryConfig(Config):
    """What is asked of every network before its run, and in its first days: which of it tells whether the climate is lost?"""

    unseen: str = Field(default="", description="name of the networks on which no predictor is chosen; empty: no lottery")
    columns: int = Field(default=8, ge=1, description="columns of each latitude that are linearised and replayed")
    replay_days: float = Field(default=3.0, gt=0.0, description="length of the replay of single columns [d]")
    early_days: int = Field(default=5, ge=1, description="first days of a run that the early predictors look at [d]")


Recipe = Literal["plain", "invariant", "both", "alone"]
"""What a network has seen of two worlds: the reference, plainly or through invariant inputs; both worlds; the other one alone."""


class WorldConfig(Config):
    """The same planet over another sea, which networks of the reference climate are asked to follow."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$", description="short name")
    warming: float = Field(default=0.0, ge=-20.0, le=20.0, description="added to the reference's sea everywhere [K]")
    wave: float = Field(default=0.0, ge=0.0, le=10.0, description="added amplitude of a zonal wave number one [K]")
    spin_up_days: float = Field(default=8.0, ge=0.0, description="left out [d]")
    training_days: float = Field(default=13.0, gt=0.0, description="what the networks of this world learn from [d]")
    scoring_days: float = Field(default=7.0, gt=0.0, description="what skill is computed on [d]")
    recipes: tuple[Recipe, ...] = Field(
        default=("plain", "invariant", "both", "alone"), description="networks that are tried here; alone is the yardstick"
    )


class RecipesConfig(Config):
    """What all recipes have in common: only what they have seen of the worlds differs."""

    seeds: int = Field(default=3, ge=1, le=1000, description="networks of each recipe")
    emulator: EmulatorConfig = Field(
        default=EmulatorConfig(), description="network and training; inputs are the recipe's, outputs for invariant alone"
    )


class ClimateConfig(Config):
    """The climate study."""

    seed: int = Field(default=0, ge=0, le=2**31 - 1, description="of everything random")
    host: HostConfig = Field(default=HostConfig(), description="the resolved atmosphere")
    crm: CRMConfig = Field(default=CRMConfig(), description="the cloud-resolving model")
    optics: OpticsConfig = Field(default=OpticsConfig(), description="clouds in radiation")
    truth: TruthConfig = Field(default=TruthConfig(), description="the truth")
    ceiling: CeilingConfig = Field(default=CeilingConfig(), description="the noise ceiling")
    networks: tuple[NetworkConfig, ...] = Field(default=(NetworkConfig(name="5x128"),), min_length=1, description="networks")
    coupled: CoupledConfig = Field(default=CoupledConfig(), description="coupled runs")
    stochastic: NoiseConfig = Field(default=NoiseConfig(), description="noise around the chosen network")
    lottery: LotteryConfig = Field(default=LotteryConfig(), description="what predicts which networks are lost")
    worlds: tuple[WorldConfig, ...] = Field(default=(), description="other seas, for the two generalization experiments")
    recipes: RecipesConfig = Field(default=RecipesConfig(), description="networks of these experiments")

    @model_validator(mode="after")
    def _lawful(self) -> "ClimateConfig":
        half_step = self.host.time_step / 2.0 / self.crm.time_step
        if abs(half_step - round(half_step)) > 1e-6:
            raise ValueError(
                f"half the host's step of {self.host.time_step:g} s is not a multiple of the CRM's {self.crm.time_step:g} s"
            )
        if self.ceiling.columns > self.host.longitudes * self.host.latitudes:
            raise ValueError(f"ceiling.columns is {self.ceiling.columns}, more than the host's columns")
        if not self.coupled.selection_from < self.coupled.selection_to <= self.coupled.candidate_days <= self.coupled.days:
            raise ValueError("coupled needs selection_from < selection_to <= candidate_days <= days")
        if self.coupled.keeps_from >= self.coupled.candidate_days:
            raise ValueError("coupled.keeps_from must come before candidate_days")
        names = [network.name for network in self.networks]
        if len(set(names)) < len(names):
            raise ValueError(f"networks share a name: {', '.join(names)}")
        if not any(network.eligible for network in self.networks):
            raise ValueError("networks needs at least one kind with choose = true and diffusion = 1: only those can be chosen")
        dealt = sum(network.seeds for network in self.dealt)
        if self.coupled.selections > dealt:
            raise ValueError(f"coupled.selections is {self.coupled.selections}, more than the {dealt} networks to choose from")
        for network in self.networks:
            if network.training_days > self.truth.training_days:
                raise ValueError(f"{network.name} learns from {network.training_days:g} days, more than truth.training_days has")
            steps = round((network.training_days or self.truth.training_days) * self.host.steps_per_day)
            if steps < max(2, network.emulator.rollout.steps + 1) and not network.committee_of:
                raise ValueError(
                    f"{network.name} learns from {steps} steps, fewer than a rollout of {network.emulator.rollout.steps} needs: "
                    "longer training_days, or a smaller rollout.steps"
                )
            self._require_room(network.name, network.emulator)
        if round(self.truth.scoring_days * self.host.steps_per_day) < self.host.steps_per_day:
            raise ValueError(f"truth.scoring_days is {self.truth.scoring_days:g}, less than the day whose mean is scored")
        most = 2 * (len(self.host.sigma_half) - 1) + 5
        if self.stochastic.on and self.stochastic.head.modes > most:
            raise ValueError(f"stochastic.head.modes is {self.stochastic.head.modes}, more than the {most} outputs of a network")
        chunk = self.truth.chunk_hours * 3600.0 / self.host.time_step
        if abs(chunk - round(chunk)) > 1e-6 or chunk < 1:
            raise ValueError("truth.chunk_hours is not a multiple of the host's step")
        self._require_twins(round(chunk))
        return self

    def _require_twins(self, chunk: int) -> None:
        """Twins start at the end of a chunk after the spin-up, and are gone before the truth ends."""
        per_day = self.host.steps_per_day
        total, first = (-(-round(days * per_day) // chunk) for days in (self.truth.days, self.truth.spin_up_days))
        settle, score = (round(hours / 24.0 * per_day) for hours in (self.ceiling.settle_hours, self.ceiling.score_hours))
        if not score:
            raise ValueError(f"ceiling.score_hours is {self.ceiling.score_hours:g}, less than a step of the host")
        twins = settle + score
        if max(first, 1) * chunk + twins > total * chunk:
            raise ValueError(
                "the twins of ceiling run longer than the truth after its spin-up (which ends with a whole truth.chunk_hours)"
            )

    def _require_room(self, name: str, emulator: EmulatorConfig) -> None:
        """What a network needs of the selection stretch and of the levels."""
        steps, rollout = round(self.truth.selection_days * self.host.steps_per_day), emulator.rollout.steps
        if steps < max(1, rollout + 1 if rollout else 1):
            needs = f", a rollout of {rollout}: longer selection_days, or a smaller rollout.steps" if rollout else ""
            raise ValueError(f"truth.selection_days has {steps} steps, on which {name} cannot be judged{needs}")
        levels = len(self.host.sigma_half) - 1
        if emulator.dry_levels >= levels:
            raise ValueError(f"dry_levels of {name} is {emulator.dry_levels}, and there are {levels} levels")

    @property
    def dealt(self) -> list[NetworkConfig]:
        """The kinds that selections are made of: where there are several, no committee beside its own members."""
        eligible = [network for network in self.networks if network.eligible]
        names = [network.name for network in eligible] if self.coupled.selections > 1 else []
        return [network for network in eligible if network.committee_of not in names]

    @model_validator(mode="after")
    def _seated(self) -> "ClimateConfig":
        for place, network in enumerate(self.networks):
            if network.committee_of:
                above = [one for one in self.networks[:place] if one.name == network.committee_of and not one.committee_of]
                if network.training_days:
                    raise ValueError(
                        f"{network.name} are committees, which learn nothing: training_days belongs to their members"
                    )
                if not above or above[0].seeds < network.seeds * network.members:
                    raise ValueError(
                        f"{network.name} are {network.seeds} committees of {network.members}: committee_of must name as many "
                        "single networks above them"
                    )
        return self

    @model_validator(mode="after")
    def _drawn(self) -> "ClimateConfig":
        lottery, names = self.lottery, [network.name for network in self.networks]
        if lottery.unseen and (lottery.unseen not in names or len(names) < 2):
            raise ValueError(f"lottery.unseen is {lottery.unseen!r}: it must name one of at least two kinds of networks")
        if lottery.unseen and round(lottery.replay_days * self.host.steps_per_day) < 2:
            raise ValueError(f"lottery.replay_days is {lottery.replay_days:g}, less than two steps of the host")
        if lottery.unseen and lottery.replay_days > self.truth.selection_days:
            raise ValueError("lottery.replay_days is longer than the selection stretch that is replayed")
        if lottery.unseen and lottery.columns > self.host.longitudes:
            raise ValueError(f"lottery.columns is {lottery.columns}, more than the columns of a latitude")
        if lottery.unseen and lottery.early_days > self.coupled.keeps_from:
            raise ValueError("lottery.early_days must end by coupled.keeps_from")
        return self

    @model_validator(mode="after")
    def _worlds_apart(self) -> "ClimateConfig":
        names = [world.name for world in self.worlds]
        if len(set(names)) < len(names):
            raise ValueError(f"worlds share a name: {', '.join(names)}")
        if taken := {"daily", "reference", "home"} & set(names):
            raise ValueError(
                f"a world cannot be named {taken.pop()}: truth-daily, the reference and home are something else already"
            )
        for world in self.worlds:
            if "alone" not in world.recipes or len(set(world.recipes)) < len(world.recipes):
                raise ValueError(f"the recipes of world {world.name} must name each once, alone among them: it is the yardstick")
            steps = round(min(world.training_days, self.truth.training_days) * self.host.steps_per_day)
            rollout = self.recipes.emulator.rollout.steps
            if steps < 2:
                raise ValueError(f"world {world.name} trains on less than two steps: a network cannot learn from nothing")
            if round(world.scoring_days * self.host.steps_per_day) < 2:
                raise ValueError(f"world {world.name} is scored on less than two steps")
            self._require_room(f"world {world.name}", self.recipes.emulator)
            if rollout and steps < 2 * (rollout + 1):
                raise ValueError(
                    f"half of the {steps} steps of world {world.name} hold no rollout of {rollout}: longer training_days"
                )
        if self.worlds and any(network.name.startswith("recipe") for network in self.networks):
            raise ValueError("networks cannot be named recipe...: these names are those of the worlds' networks")
        return self
