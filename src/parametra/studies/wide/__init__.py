"""Lee et al. (2019): wide networks train as linear models, seen on networks that were really trained."""

from parametra.studies.base import Stage, Study, lazy
from parametra.studies.wide.config import WideConfig

STUDY = Study(
    name="wide",
    summary="wide networks in closed form: kernels, training curves and uncertainty beside networks that were trained",
    config=WideConfig,
    stages=(
        Stage("montecarlo", lazy("parametra.studies.wide.montecarlo:run_monte_carlo"), "networks average to the analytic kernel"),
        Stage("width", lazy("parametra.studies.wide.width:run_width"), "what changes in training, against width"),
        Stage(
            "parameterization",
            lazy("parametra.studies.wide.parameterization:run_parameterization"),
            "weights drawn small instead of multiplied",
        ),
        Stage("curves", lazy("parametra.studies.wide.curves:run_curves"), "trained networks beside their prediction"),
        Stage("batches", lazy("parametra.studies.wide.batches:run_batches"), "the same with mini-batches, on more images"),
        Stage(
            "distribution",
            lazy("parametra.studies.wide.distribution:run_distribution"),
            "an ensemble beside its Gaussian process",
        ),
        Stage("critical", lazy("parametra.studies.wide.critical:run_critical"), "where gradient descent ceases to converge"),
        Stage("regression", lazy("parametra.studies.wide.regression:run_regression"), "kernel regression on all training data"),
    ),
)
