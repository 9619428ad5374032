"""Configuration: what is valid resolves to the same values, what is not is refused in one sentence that helps."""

from contextlib import suppress
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, model_validator

from parametra.core.config import Config, parse_override, resolve, to_plain
from parametra.core.errors import UsageError


class Host(Config):
    levels: Annotated[int, Field(gt=0, le=200, description="number of layers")] = 20
    time_step: Annotated[float, Field(gt=0, description="time step [s]")] = 1800.0
    sigma: tuple[float, ...] = ()
    data: str | None = None


class Study(Config):
    seed: int = 0
    host: Host = Host()
    kinds: tuple[Host, ...] = ()

    @model_validator(mode="after")
    def _law(self):
        if self.host.time_step > 86400 / self.host.levels:
            raise ValueError("the time step must fit the levels")
        return self


def refusal(*overrides, preset=None):
    with pytest.raises(UsageError) as caught:
        resolve(Study, preset or {}, overrides)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_preset_then_overrides_and_the_preset_is_left_alone():
    preset = {"host": {"levels": 30}}
    config = resolve(Study, preset, ["host.time_step=900", "host.sigma=[0.0, 1.0]", "seed=3", "host.data=/some/folder"])
    assert config == Study(seed=3, host=Host(levels=30, time_step=900.0, sigma=(0.0, 1.0), data="/some/folder"))
    assert preset == {"host": {"levels": 30}}
    assert hash(config) == hash(resolve(Study, to_plain(config)))


def test_the_recorded_values_give_the_same_configuration():
    config = resolve(Study, {}, ["host.sigma=[0.1, 0.3]", "seed=-5"])
    assert resolve(Study, to_plain(config)) == config


def test_unknown_keys_get_a_suggestion():
    assert refusal("host.levles=3") == (
        'host.levles: unknown key. Did you mean "levels"? Known keys: data, levels, sigma, time_step.'
    )
    assert 'Did you mean "host"?' in refusal("hots.levels=3")
    assert 'Did you mean "levels"?' in refusal(preset={"kinds": [{"levle": 1}]})


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("host.levels=0", "host.levels: input should be greater than 0, got 0. It is: number of layers. Remedy"),
        ("host.levels=99999999999999999999999999", "less than or equal to 200"),
        ("host.levels=2.0", "valid integer"),
        ("host.levels=true", "valid integer"),
        ("host.levels=", "valid integer"),
        ("host.time_step=nan", "finite number"),
        ("host.time_step=inf", "finite number"),
        ("host.time_step=-inf", "finite number"),
        ("host.time_step='900'", "valid number"),
        ("host.time_step=1979-05-27", "valid number"),
        ("host.sigma=3", "valid tuple|valid array"),
        ("host=3", "host: "),
        ("host.levels.deep=3", "host.levels: "),
        ("seed.deep=3", "seed: "),
        ("seed", "expected KEY=VALUE"),
        ("=3", "expected KEY=VALUE"),
        ("host..levels=3", "expected KEY=VALUE"),
        ("host.time_step=80000.0", "time step must fit"),
    ],
)
def test_bad_values_are_refused_with_the_key_and_a_remedy(override, words):
    text = refusal(override)
    assert any(word in text for word in words.split("|")), text
    assert "Remedy" in text


def test_a_huge_value_is_not_printed_whole():
    assert len(refusal("host.levels='" + "x" * 10000 + "'")) < 300


def test_a_table_over_a_value_is_refused():
    assert "holds a value" in refusal("seed.a=1", preset={"seed": 2})


@given(st.text(max_size=12), st.text(max_size=12))
def test_no_text_at_all_gives_anything_but_a_value_or_a_sentence(key, value):
    with suppress(UsageError):
        resolve(Study, {}, [f"{key}={value}"])


@given(st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.booleans())
def test_numbers_are_read_exactly(value):
    assert parse_override(f"a.b={str(value).lower()}") == (["a", "b"], value)


def test_configurations_are_frozen():
    with pytest.raises(Exception, match="frozen"):
        Host().levels = 3  # pyright: ignore[reportAttributeAccessIssue]
