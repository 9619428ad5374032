"""Rasp, Pritchard & Gentine (2018) on a small aquaplanet: a network learns a cloud-resolving model and takes its place."""

from parametra.studies.base import Stage, Study, lazy
from parametra.studies.climate.config import ClimateConfig

STUDY = Study(
    name="climate",
    summary="a network in the place of the cloud-resolving model of a multi-scale aquaplanet",
    config=ClimateConfig,
    stages=(
        Stage("truth", lazy("parametra.studies.climate.truth:run_truth"), "a cloud-resolving model in every column"),
        Stage("elsewhere", lazy("parametra.studies.climate.elsewhere:run_elsewhere"), "the same over other seas, if any"),
        Stage("world", lazy("parametra.studies.climate.world:judge_world"), "does the world deserve trust?"),
        Stage("ceiling", lazy("parametra.studies.climate.ceiling:run_ceiling"), "how much of the truth can be predicted at all"),
        Stage("train", lazy("parametra.studies.climate.training:train_networks"), "networks learn the columns"),
        Stage("recipes", lazy("parametra.studies.climate.recipes:train_recipes"), "networks of one world, of two, of the other"),
        Stage("transfer", lazy("parametra.studies.climate.transfer:score_transfer"), "skill on the truth over other seas"),
        Stage(
            "coupled", lazy("parametra.studies.climate.coupled:run_coupled"), "networks drive the host; the best for the longest"
        ),
        Stage(
            "stochastic", lazy("parametra.studies.climate.noise:run_stochastic"), "noise around the chosen network, if asked for"
        ),
        Stage("offline", lazy("parametra.studies.climate.offline:score_offline"), "skill on an independent stretch of truth"),
        Stage("abroad", lazy("parametra.studies.climate.abroad:run_abroad"), "networks drive the host over other seas"),
        Stage("climate", lazy("parametra.studies.climate.climate:score_climate"), "the network's climate beside the truth's"),
        Stage(
            "diagnostics",
            lazy("parametra.studies.climate.diagnostics:run_diagnostics"),
            "every figure of the paper, beside the truth's own split half",
        ),
        Stage("lottery", lazy("parametra.studies.climate.lottery:run_lottery"), "what tells which networks are lost"),
        Stage("speed", lazy("parametra.studies.climate.speed:measure_speed"), "what a step costs, side by side"),
    ),
    network_function=lazy("parametra.studies.climate.training:network_function"),
)
