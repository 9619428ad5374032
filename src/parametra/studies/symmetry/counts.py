"""Stage counts: parameters and FLOPs of networks of practice under symmetries, by shapes alone: nothing is trained here."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import numpy as np
import xarray as xr

from parametra.networks import RESNET_50, RESNET_101, LanguageModel, ResNet, WideResNet
from parametra.store.fields import write_fields
from parametra.store.metrics import Metric
from parametra.studies.base import Run
from parametra.studies.symmetry.config import LanguageConfig
from parametra.studies.symmetry.counting import image_flops, parameters, word_flops
from parametra.studies.symmetry.schemes import DENSE, language_model
from parametra.weights import hadamard, parametrize, quarter, symmetric

KEY = jax.random.key(0)
SCHEMES: dict[str, Any] = {"symmetric": symmetric(), "quarter": quarter(), "hadamard-4": hadamard(4)}
PUBLISHED = 0.25  # "almost 25 % fewer parameters" for ResNet-101, abstract of Hu, Zagoruyko & Komodakis (2018)
IMAGENET, SMALL = (224, 224, 3), (32, 32, 3)


def run_counts(run: Run) -> dict[str, Any]:
    """The table, and the share that symmetric 3 x 3 kernels save of ResNet-101."""
    found: dict[str, dict[str, tuple[int, int]]] = {}
    cases = {name: case for name, case in _cases().items() if name in run.config.counted}
    for number, (name, (make, count)) in enumerate(cases.items()):
        run.progress.update("counts", number / len(cases), network=name)
        found[name] = {scheme: count(eqx.filter_eval_shape(make, scheme)) for scheme in _schemes(name)}
    schemes = list(dict.fromkeys(scheme for row in found.values() for scheme in row))
    values = np.array([[row.get(scheme, (np.nan, np.nan)) for scheme in schemes] for row in found.values()], np.float64)
    dims = ("network", "scheme")
    write_fields(
        run.folder.fields("counts"),
        # counts above 2^24 are not exact in float32: they go to disk in two parts
        xr.Dataset(
            {
                "parameters": (dims, np.floor(values[..., 0] / 1000), {"units": "1000"}),
                "parameters_rest": (dims, values[..., 0] % 1000, {"units": "1"}),
                "flops": (dims, values[..., 1], {"units": "1"}),
            },
            {"network": list(found), "scheme": schemes},
        ),
    )
    source = "abstract of Hu, Zagoruyko & Komodakis (2018): almost 25 % fewer parameters; which layers is our reading"
    return {
        "metrics": [
            Metric(
                f"{name}, {scheme}: share of parameters saved", 1 - row[scheme][0] / row[DENSE][0], "1",
                target, "lower" if target is None else "inside", source=source if target else "",
            )
            for name, row in found.items() for scheme in row if scheme != DENSE
            for target in [(PUBLISHED - 0.02, PUBLISHED) if (name, scheme) == ("ResNet-101", "symmetric") else None]
        ]
    }  # fmt: skip


def _schemes(name: str) -> tuple[str, ...]:
    return (DENSE, "symmetric, hidden", "symmetric, all") if "LSTM" in name else (DENSE, *SCHEMES)


def _cases() -> dict[str, tuple[Callable[[str], Any], Callable[[Any], tuple[int, int]]]]:
    def residual(depths: tuple[int, ...]) -> Callable[[str], Any]:
        return lambda scheme: _given(ResNet.init(KEY, depths), ResNet.middle_kernels, scheme)

    def wide(depth: int, factor: int) -> Callable[[str], Any]:
        return lambda scheme: _given(WideResNet.init(KEY, depth, factor), WideResNet.square_kernels, scheme)

    def large(network: Any) -> tuple[int, int]:
        return parameters(network), image_flops(network, IMAGENET)

    def small(network: Any) -> tuple[int, int]:
        return parameters(network), image_flops(network, SMALL)

    def words(model: LanguageModel) -> tuple[int, int]:
        return parameters(model), word_flops(model)

    lstm = LanguageConfig(dropout=0.0)
    return {
        "ResNet-50": (residual(RESNET_50), large),
        "ResNet-101": (residual(RESNET_101), large),
        "WRN-28-10, bottleneck": (wide(28, 10), small),
        "WRN-40-10, bottleneck": (wide(40, 10), small),
        "LSTM-650 x 2, 10 000 words": (lambda scheme: language_model(lstm, 650, scheme, 10_000, KEY), words),
    }


def _given(network: Any, where: Callable[[Any], Any], scheme: str) -> Any:
    return network if scheme == DENSE else parametrize(network, where, SCHEMES[scheme])
