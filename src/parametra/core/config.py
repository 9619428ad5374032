"""Strict configuration: frozen pydantic models, merged from a preset and from `--set a.b=value`, validated once.

Every refusal is one sentence that names the key by its dotted path, what was found and what to do.
"""

import difflib
import json
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from parametra.core.errors import UsageError


class Config(BaseModel):
    """Base of every configuration: no unknown key, no silent conversion, no NaN, hashable and compared by value."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


Model = TypeVar("Model", bound=BaseModel)


def resolve(model: type[Model], preset: Mapping[str, Any], overrides: Sequence[str] = ()) -> Model:
    """The configuration that `preset` and then `overrides`, each "a.b=value", give.

    Raises:
        UsageError: an unknown key, a value of the wrong type or out of range, or a law between fields that does not hold.
    """
    merged = json.loads(_to_json(preset))
    for override in overrides:
        path, value = parse_override(override)
        _insert(merged, path, value, override)
    try:
        # Through JSON: strict mode then takes arrays for tuples and strings for paths, as TOML gives them.
        return model.model_validate_json(_to_json(merged), strict=True)
    except ValidationError as error:
        raise UsageError(_sentence(model, error)) from None


def parse_override(override: str) -> tuple[list[str], Any]:
    """The dotted path and the value of "a.b=value"; the value is read as TOML, and as plain text where it is not TOML."""
    key, equals, text = override.partition("=")
    path = key.strip().split(".")
    if not equals or not all(path):
        raise UsageError(
            f"--set {override}: expected KEY=VALUE with a dotted key. Remedy: for instance --set host.time_step=900.0"
        )
    try:
        parsed = tomllib.loads(f"value = {text.strip()}")
    except (tomllib.TOMLDecodeError, RecursionError, ValueError):
        return path, text
    return path, parsed["value"] if list(parsed) == ["value"] else text


def to_plain(config: BaseModel) -> dict[str, Any]:
    """The configuration as TOML can hold it: nested dicts, lists and scalars, entries that are None left out."""
    return without_none(config.model_dump(mode="json"))


def _insert(tree: dict[str, Any], path: list[str], value: Any, override: str) -> None:
    for depth, key in enumerate(path[:-1]):
        tree = tree.setdefault(key, {})
        if not isinstance(tree, dict):
            name = ".".join(path[: depth + 1])
            raise UsageError(f'--set {override}: "{name}" holds a value, not a table. Remedy: --set {name}=VALUE.')
    tree[path[-1]] = value


def _to_json(tree: Any) -> str:
    return json.dumps(tree, default=str)  # dates, the only TOML values that JSON lacks, become text and are then refused


def without_none(tree: Any) -> Any:
    """The tree without the entries that are None: TOML has no word for them."""
    if isinstance(tree, dict):
        return {key: without_none(value) for key, value in tree.items() if value is not None}
    if isinstance(tree, list):
        return [without_none(value) for value in tree]
    return tree


def _sentence(model: type[BaseModel], error: ValidationError) -> str:
    problems = error.errors(include_url=False)
    first = problems[0]
    location = [str(part) for part in first["loc"]]
    more = f" ({len(problems) - 1} more of this kind.)" if len(problems) > 1 else ""
    if first["type"] == "extra_forbidden":
        return _unknown_key(model, location) + more
    name = ".".join(location) or "configuration"
    if first["type"] == "missing":
        return f"{name}: no value. Likely cause: the preset does not set it. Remedy: --set {name}=VALUE.{more}"
    field = _field(model, first["loc"])
    meaning = f" It is: {field.description}." if field is not None and field.description else ""
    message = first["msg"].removeprefix("Value error, ")
    found = f", got {_short(first['input'])}" if location and not isinstance(first["input"], dict) else ""
    return f"{name}: {message[:1].lower() + message[1:]}{found}.{meaning} Remedy: {_remedy(model, first['loc'])}.{more}"


def _remedy(model: type[BaseModel], location: Sequence[str | int]) -> str:
    """What to type: a value that fits; of an entry of a list the whole list; of several values together one of those named."""
    entry = next((depth for depth, part in enumerate(location) if isinstance(part, int)), None)
    if entry is not None:
        name = ".".join(map(str, location[:entry]))
        return f"--set {name}='[...]' with all its entries, among them one that fits"
    field = _field(model, location)
    if field is None or _model_in(field.annotation) is not None:
        return "--set another value of one of the keys that this names"
    return f"--set {'.'.join(map(str, location))}=VALUE with a value that fits"


def _unknown_key(model: type[BaseModel], location: list[str]) -> str:
    owner = _owner(model, location[:-1])
    known = sorted(owner.model_fields) if owner is not None else []
    close = difflib.get_close_matches(location[-1], known, n=1)
    hint = f' Did you mean "{close[0]}"?' if close else ""
    return f"{'.'.join(location)}: unknown key.{hint} Known keys: {', '.join(known)}."


def _owner(model: type[BaseModel], location: Sequence[str | int]) -> type[BaseModel] | None:
    for part in location:
        field = model.model_fields.get(str(part))
        inner = _model_in(field.annotation) if field is not None else _named(model, part)
        if inner is None:
            continue  # a list index or the tag of a union: the model stays
        model = inner
    return model


def _named(model: type[BaseModel], part: str | int) -> type[BaseModel] | None:
    return model if model.__name__ == part else None


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = (_model_in(argument) for argument in getattr(annotation, "__args__", ()))
    return next((found for found in inner if found is not None), None)


def _field(model: type[BaseModel], location: Sequence[str | int]) -> Any:
    names = [part for part in location if isinstance(part, str)]
    owner = _owner(model, names[:-1]) if names else None
    return owner.model_fields.get(names[-1]) if owner is not None else None


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
