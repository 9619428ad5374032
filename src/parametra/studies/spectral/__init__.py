"""Zhang, Lei & Dhillon (2018): singular values held in an interval, over long sequences and through many layers."""

from parametra.studies.base import Stage, Study, lazy
from parametra.studies.spectral.config import SpectralConfig

IMAGES, TEXT = lazy("parametra.studies.spectral.images:check"), lazy("parametra.studies.spectral.language:check")

STUDY = Study(
    name="spectral",
    summary="singular values held near one: memory over long sequences, gradients through a hundred layers",
    config=SpectralConfig,
    stages=(
        Stage("copying", lazy("parametra.studies.spectral.memory:run_copying"), "symbols recalled after a delay"),
        Stage("addition", lazy("parametra.studies.spectral.memory:run_addition"), "two marked numbers added"),
        Stage("pixels", lazy("parametra.studies.spectral.pixels:run_pixels"), "images read pixel by pixel", IMAGES),
        Stage("language", lazy("parametra.studies.spectral.language:run_language"), "the next word of a text", TEXT),
        Stage("depth", lazy("parametra.studies.spectral.depth:run_depth"), "gradients through very deep networks", IMAGES),
        Stage("margin", lazy("parametra.studies.spectral.margin:run_margin"), "singular values and generalisation", IMAGES),
    ),
)
