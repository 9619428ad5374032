"""An emulator on disk: one safetensors file whose JSON header says all that another program needs to use it."""

from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from parametra.climate.emulator import vectors
from parametra.climate.emulator.emulator import Emulator
from parametra.climate.emulator.growth import KINDS, require_kind
from parametra.climate.emulator.invariant import SATURATION, VIEWS, require_view
from parametra.climate.emulator.limits import DRYING_SHARE, Limits
from parametra.climate.emulator.scaling import InputScaling
from parametra.climate.emulator.stochastic import StochasticEmulator
from parametra.core import constants
from parametra.core.errors import DataError
from parametra.networks import MLP, Committee, Linear
from parametra.store.networks import fill_module, flatten_module, load_network, save_network

FORMAT = "parametra-emulator-1"
STOCHASTIC = "parametra-stochastic-emulator-1"


def save_emulator(path: Path, emulator: Emulator, extra: Mapping[str, Any] | None = None) -> None:
    """Write weights, norms and header; `extra`, anything that JSON can hold, goes into the header as it is."""
    save_network(path, flatten_module(emulator), emulator_header(emulator) | {"extra": dict(extra or {})})


def load_emulator(path: Path) -> tuple[Emulator, dict[str, Any]]:
    """The emulator and its whole header.

    Raises:
        DataError: absent, damaged, another kind of network, or arrays that do not fit the header.
    """
    return _load(path, FORMAT, _build, "save_emulator")


def save_stochastic(path: Path, stochastic: StochasticEmulator, extra: Mapping[str, Any] | None = None) -> None:
    """Write a stochastic emulator: the file of its mean, with the arrays and the header of its noise."""
    network = stochastic.amplitude
    noise = {
        "modes": stochastic.memory.size,
        "hidden": list(network.sizes[1:-1]),
        "activation": network.activation,
        "formula": "network output + modes @ (softplus(amplitude(features)) / ln 2 * z), "
        "z' = memory z + sqrt(1 - memory^2) N(0, 1)",
    }
    header = emulator_header(stochastic.emulator) | {"format": STOCHASTIC, "noise": noise, "extra": dict(extra or {})}
    save_network(path, flatten_module(stochastic), header)


def load_stochastic(path: Path) -> tuple[StochasticEmulator, dict[str, Any]]:
    """The stochastic emulator and its whole header; errors as those of `load_emulator`."""
    return _load(path, STOCHASTIC, _build_stochastic, "save_stochastic")


def emulator_header(emulator: Emulator) -> dict[str, Any]:
    """Everything but the numbers of the arrays: names, units, order, formulas, architecture, limits, versions."""
    network, levels = emulator.network, emulator.levels
    grows = "plain" if emulator.moisture is None else "scaled"
    one = network.members[0] if isinstance(network, Committee) else network
    return {
        "format": FORMAT,
        "levels": levels,
        "level_order": "0 at the top",
        "sigma_half": list(emulator.sigma_half),
        "time_step": emulator.time_step,
        "inputs": _describe(vectors.INPUTS, levels),
        "view": {"kind": emulator.inputs, "formulas": dict(VIEWS[emulator.inputs])},
        "outputs": _describe(vectors.OUTPUTS, levels),
        "growth": {"kind": grows, "formula": KINDS[grows]},
        "formula": {
            "features": "(clip(x, scaling.low, scaling.high) - scaling.mean) / scaling.scale, specific_humidity first max(., 0); "
            "clip only if options.clip; x is the view of the inputs",
            "layer": "y = matrix x + bias, matrix (outputs, inputs), activation after each but the last",
            "members": "where architecture.members is not 0, y is the mean over networks members.0, members.1, ...",
            "outputs": "SI value = network output / factor",
            "snow_share": "clip((rain_only - T_lowest) / (rain_only - snow_only), 0, 1)",
        },
        "architecture": {
            "kind": "mlp" if isinstance(one, MLP) else "linear",
            "members": len(network.members) if isinstance(network, Committee) else 0,
            "hidden": list(one.sizes[1:-1]) if isinstance(one, MLP) else [],
            "activation": one.activation if isinstance(one, MLP) else "identity",
            "leaky_relu_slope": 0.3,
        },
        "norm": emulator.scaling.norm,
        "options": {"conservation": emulator.conservation, "clip": emulator.clip},
        "limits": {
            "dry_levels": emulator.limits.dry_levels,
            "dry_levels_moistening": f"-max(q - qs, 0) / time_step; qs: {SATURATION}" if emulator.limits.cold_trap else "0",
            "moistening_at_least": f"-{DRYING_SHARE} q / time_step, below the dry levels",
            "precipitation_at_least": 0.0,
            "shortwave": "0 <= surface <= top <= insolation",
        },
        "constants": {
            "gravity": constants.GRAVITY,
            "heat_capacity": constants.HEAT_CAPACITY,
            "latent_heat_condensation": constants.LATENT_HEAT_CONDENSATION,
            "latent_heat_sublimation": constants.LATENT_HEAT_SUBLIMATION,
            "snow_only": vectors.SNOW_ONLY,
            "rain_only": vectors.RAIN_ONLY,
        },
        "versions": {name: version(name) for name in ("parametra", "jax", "equinox")},
    }


def _load(path: Path, form: str, build: Callable[[Mapping[str, Any]], Any], writer: str) -> tuple[Any, dict[str, Any]]:
    arrays, header = load_network(path)
    if header.get("format") != form:
        raise DataError(f"{path} has the format {header.get('format')!r}, not {form!r}. Remedy: a file of `{writer}`.")
    try:
        skeleton = eqx.filter_eval_shape(build, header)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"The header of {path} is incomplete: {error!r}. Remedy: save the network again.") from None
    return fill_module(skeleton, arrays), header


def _describe(variables: tuple[vectors.Variable, ...], levels: int) -> list[dict[str, Any]]:
    return [{"name": v.name, "units": v.units, "size": levels if v.profile else 1, "factor": v.factor} for v in variables]


def _build(header: Mapping[str, Any]) -> Emulator:
    """An emulator of the header's shape, its numbers of no meaning."""
    levels, architecture, options = header["levels"], header["architecture"], header["options"]
    inputs, outputs = vectors.size(vectors.INPUTS, levels), vectors.size(vectors.OUTPUTS, levels)
    key = jax.random.key(0)
    if architecture["kind"] == "mlp":
        network = MLP.init(key, inputs, outputs, architecture["hidden"], architecture["activation"])
        if members := architecture.get("members", 0):  # absent from files written before there were committees
            network = Committee((network,) * members)
    elif architecture["kind"] == "linear":
        network = Linear.init(key, outputs, inputs)
    else:
        raise ValueError(f"unknown architecture {architecture['kind']}")
    scaling = InputScaling(*(jnp.zeros(inputs) for _ in range(4)), norm=header["norm"])
    # absent from files written before there was a cold trap
    limits = Limits(header["limits"]["dry_levels"], header["limits"].get("dry_levels_moistening", "0") != "0")
    sigma_half = tuple(header["sigma_half"])
    # files written before there were choices have none of these
    kind = header["view"]["kind"] if "view" in header else "plain"
    grows = header["growth"]["kind"] if "growth" in header else "plain"
    require_view(kind)
    require_kind(grows)
    _require_same("inputs", header.get("view", {}).get("formulas", VIEWS[kind]), VIEWS[kind])
    _require_same("outputs", header.get("growth", {}).get("formula", KINDS[grows]), KINDS[grows])
    moisture = None if grows == "plain" else jnp.zeros(levels)
    return Emulator(
        scaling, network, sigma_half, header["time_step"], limits, options["conservation"], options["clip"], kind, moisture
    )


def _require_same(what: str, then: Any, now: Any) -> None:
    """A network means nothing with other inputs than those it was trained on."""
    if then != now:
        raise DataError(
            f"This network was trained by another version, whose {what} were {then}, and here they are {now}. Remedy: the "
            "version of parametra in its header, or train it anew."
        )


def _build_stochastic(header: Mapping[str, Any]) -> StochasticEmulator:
    emulator, noise = _build(header), header["noise"]
    inputs, outputs = (sum(part["size"] for part in header[name]) for name in ("inputs", "outputs"))
    amplitude = MLP.init(jax.random.key(0), inputs, noise["modes"], noise["hidden"], noise["activation"])
    return StochasticEmulator(emulator, amplitude, jnp.zeros((outputs, noise["modes"])), jnp.zeros(noise["modes"]))
