"""After Tan (2019): families of systems learned in one regime of a control parameter, judged in others (a reconstruction)."""

from parametra.studies.base import Stage, Study, lazy
from parametra.studies.extrapolation.config import ExtrapolationConfig

STUDY = Study(
    name="extrapolation",
    summary="a family of systems learned below chaos predicts chaos; a closure learned under weak forcing, strong forcing",
    config=ExtrapolationConfig,
    stages=(
        Stage(
            "logistic",
            lazy("parametra.studies.extrapolation.logistic:run_logistic"),
            "sparse families, three regimes, noise",
        ),
        Stage("networks", lazy("parametra.studies.extrapolation.networks:run_networks"), "trained networks alone, clean series"),
        Stage("diagram", lazy("parametra.studies.extrapolation.diagrams:run_diagrams"), "diagrams, exponents, a million steps"),
        Stage("unknown", lazy("parametra.studies.extrapolation.unknown:run_unknown"), "the control parameter is not given"),
        Stage("systems", lazy("parametra.studies.extrapolation.systems:run_systems"), "other maps, and the Lorenz flow"),
        Stage("guard", lazy("parametra.studies.extrapolation.guarding:run_guard"), "what is flagged, on seeds not used before"),
        Stage(
            "closure", lazy("parametra.studies.extrapolation.closure:run_closure"), "two-scale Lorenz-96 under stronger forcing"
        ),
    ),
)
