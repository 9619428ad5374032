"""Fit a network: one loop that every study uses.

| name | what it is |
| --- | --- |
| `FitConfig`, `RecipeConfig` | epochs, batch size, learning rate, schedule; optimiser, decay, clipping, patience, precision |
| `fit`, `fit_many` | train one network; several of one shape side by side (vmap) |
| `History`, `EpochRecord`, `FitProgress` | what training did; what the callbacks are told |
| `mean_squared_error`, `cross_entropy` | the loss of a regression, of a classification |
| `learning_rate_schedule` | steps of Rasp et al. (2018), cosine, constant, the drops of Zagoruyko & Komodakis (2016) |
| `make_optimiser` | what a recipe names, by optax |
| `flip`, `pad_crop` | augmentation of images |
| `datasets` | readers of images and text |
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from parametra.learn.augmentation import flip as flip
    from parametra.learn.augmentation import pad_crop as pad_crop
    from parametra.learn.config import FitConfig as FitConfig
    from parametra.learn.config import RecipeConfig as RecipeConfig
    from parametra.learn.history import EpochRecord as EpochRecord
    from parametra.learn.history import FitProgress as FitProgress
    from parametra.learn.history import History as History
    from parametra.learn.loop import fit as fit
    from parametra.learn.loop import fit_many as fit_many
    from parametra.learn.losses import cross_entropy as cross_entropy
    from parametra.learn.losses import mean_squared_error as mean_squared_error
    from parametra.learn.optimisers import make_optimiser as make_optimiser
    from parametra.learn.schedules import learning_rate_schedule as learning_rate_schedule
else:
    from parametra.core.lazy import lazy_names

    __getattr__ = lazy_names(
        __name__,
        {
            "FitConfig": "config",
            "RecipeConfig": "config",
            "flip": "augmentation",
            "pad_crop": "augmentation",
            "cross_entropy": "losses",
            "make_optimiser": "optimisers",
            "EpochRecord": "history",
            "FitProgress": "history",
            "History": "history",
            "fit": "loop",
            "fit_many": "loop",
            "mean_squared_error": "losses",
            "learning_rate_schedule": "schedules",
        },
    )
