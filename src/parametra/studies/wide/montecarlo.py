"""Stage montecarlo (W10): the mean over networks tends to the analytic kernel.

What is averaged for the NNGP is outputs: its error falls with their number, networks x outputs. A tangent kernel is a sum over
the whole network: its error falls with networks x width.
"""

from typing import Any

import equinox as eqx
import jax
import numpy as np
import xarray as xr

from parametra.store.fields import write_fields
from parametra.store.metrics import Metric
from parametra.studies.base import Run
from parametra.studies.wide import parts
from parametra.wide import kernel, monte_carlo_kernel

SOURCE = "relative Frobenius distance of the Monte-Carlo kernel, Lee et al. (2019) supplement; (samples)^-1/2 expected"


def run_monte_carlo(run: Run) -> dict[str, Any]:
    """Distances for every width and number of networks, and their exponent in the number of samples."""
    config = run.config.monte_carlo
    network = run.config.networks[0]
    x, y, _ = parts.subset(run.config, network.kind)
    x = x[: config.points]
    distance = np.zeros((2, len(config.widths), len(config.networks)))
    for i, width in enumerate(config.widths):
        make = parts.maker(network, width, x.shape, y.shape[1])
        exact = kernel(eqx.filter_eval_shape(make, jax.random.key(0)))(x)
        for j, count in enumerate(config.networks):
            run.progress.update("montecarlo", (i + j / len(config.networks)) / len(config.widths), width=width, networks=count)
            key = jax.random.fold_in(jax.random.key(run.config.seed), 1000 * i + j)
            found = monte_carlo_kernel(make, x, key=key, networks=count)
            for which, (estimate, true) in enumerate(((found.nngp, exact.nngp), (found.ntk, exact.ntk))):
                distance[which, i, j] = np.linalg.norm(estimate - true) / np.linalg.norm(true)
    outputs = y.shape[1]
    samples = {  # what is averaged, and how many of it for each width and number of networks
        "nngp": ("networks x outputs", np.outer(np.full(len(config.widths), outputs), config.networks)),
        "ntk": ("networks x width", np.outer(config.widths, config.networks)),
    }
    table = xr.Dataset(
        {
            "distance": (("kernel", "width", "networks"), distance, {"units": "1"}),
            "samples": (("kernel", "width", "networks"), np.stack([n for _, n in samples.values()]), {"units": "1"}),
        },
        {"kernel": list(samples), "width": list(config.widths), "networks": list(config.networks)},
    )
    write_fields(run.folder.fields("montecarlo"), table)
    rows = []
    for (name, (what, number)), values in zip(samples.items(), distance, strict=True):
        exponent = float(np.polyfit(np.log(number.ravel()), np.log(values.ravel()), 1)[0])
        # A kernel of nearly parallel inputs has one large eigenvalue: the distance of its estimate is that of a variance.
        chance = 2.0 * float(np.sqrt(2.0 / number[-1, -1]))
        rows += [
            Metric(f"Monte Carlo {name}: exponent in {what}", exponent, "1", (-0.7, -0.3), "inside", source=SOURCE),
            Metric(
                f"Monte Carlo {name}: distance at the largest", values[-1, -1], "1", chance,
                "lower", source=SOURCE + "; twice the deviation of a variance from so many samples",
            ),
        ]  # fmt: skip
    return {"metrics": rows}
