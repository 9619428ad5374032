"""Hu, Zagoruyko & Komodakis (2018): what symmetric weights cost and buy, beside narrower networks of free weights."""

from parametra.studies.base import Stage, Study, lazy
from parametra.studies.symmetry.config import SymmetryConfig

STUDY = Study(
    name="symmetry",
    summary="symmetric and group-symmetric weights beside narrower free ones of equal parameters and of equal time",
    config=SymmetryConfig,
    stages=(
        Stage("counts", lazy("parametra.studies.symmetry.counts:run_counts"), "parameters and FLOPs of networks of practice"),
        Stage("universal", lazy("parametra.studies.symmetry.universal:run_universal"), "what one symmetric hidden layer can fit"),
        Stage("throughput", lazy("parametra.studies.symmetry.throughput:run_throughput"), "images a second in training"),
        Stage(
            "images", lazy("parametra.studies.symmetry.images:run_images"), "residual networks on images, several seeds",
            lazy("parametra.studies.symmetry.images:check_images"),
        ),
        Stage(
            "language", lazy("parametra.studies.symmetry.language:run_language"), "LSTM language models, several seeds",
            lazy("parametra.studies.symmetry.language:check_language"),
        ),
    ),
)  # fmt: skip
