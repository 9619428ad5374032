"""The section on other seas: figures, table and sentences from made-up stores, and its absence where no world was asked for."""

import re

import numpy as np
import pytest
import xarray as xr

from parametra.report import build
from parametra.report.headline import headline
from parametra.report.reader import RunReader
from parametra.report.sections.elsewhere import section
from parametra.store.fields import write_fields
from parametra.store.metrics import Metric
from parametra.store.runfolder import RunFolder

WORLDS = [
    {"name": "plus4", "warming": 4.0, "wave": 0.0, "recipes": ["plain", "invariant", "alone"]},
    {"name": "wave", "warming": 0.0, "wave": 3.0, "recipes": ["plain", "alone"]},
]
HEATING = "tendency_of_atmosphere_enthalpy_content"


def transfer(made_up, world: dict) -> xr.Dataset:
    shape = (2, len(world["recipes"]), 2, 2)
    r2 = 0.5 - 0.8 * np.arange(2).reshape(2, 1, 1, 1) + np.zeros(shape)
    by_level = r2[..., None] * np.linspace(0.2, 1.0, made_up.LEVELS)
    return xr.Dataset(
        {
            "r2": (("stretch", "recipe", "seed", "target", "level"), by_level),
            "r2_mean": (("stretch", "recipe", "seed", "target"), r2),
        },
        {
            "stretch": ["reference", world["name"]], "recipe": world["recipes"], "target": made_up.TARGETS,
            "level": made_up.LEVEL,
        },
    )  # fmt: skip


def response(made_up, world: dict) -> xr.Dataset:
    """A response in which the second seed of the plain recipe stopped on day 7."""
    runs = [
        "truth",
        "truth_first_half",
        "truth_second_half",
        *(f"{recipe}-{seed}" for recipe in world["recipes"] for seed in (0, 1)),
    ]
    dead = np.where([name == "plain-1" for name in runs], np.nan, 1.0)
    longitude, day = np.arange(made_up.COLUMNS) * 360.0 / made_up.COLUMNS, np.arange(1.0, 31.0)
    field = np.outer(np.cos(np.radians(made_up.LATITUDE)), 1.0 + np.cos(np.radians(longitude)))
    section = np.outer(np.cos(np.radians(made_up.LATITUDE)), np.linspace(0.0, 6.0, made_up.LEVELS))
    figures = ["mean_temperature", "precipitation", HEATING, "precipitation_flux"]
    scalars = {"change_mean_temperature": 4.4, "change_precipitation": 0.3, "kept": 1.0}
    scalars |= {"gap_absolute_temperature": 1.75}
    scalars |= {f"{kind}_{name}": 0.93 for kind in ("r", "departure_r") for name in figures[2:]}
    drift = 270.0 + np.outer(np.arange(len(runs)), day / 30.0)
    drift[runs.index("plain-1"), 7:] = np.nan
    return xr.Dataset(
        {
            "change_of_air_temperature": (("run", "latitude", "level"), dead[:, None, None] * section),
            "change_of_precipitation_flux": (("run", "latitude"), dead[:, None] * field[:, 0] / made_up.DAY),
            **{f"map_{name}": (("run", "latitude", "longitude"), dead[:, None, None] * field) for name in figures[2:]},
            **{name: ("run", dead * value) for name, value in scalars.items()},
            "days": ("run", np.where(np.isnan(dead), 7.0, 30.0)),
            "drift_temperature": (("run", "day"), drift),
            "word": ("figure", ["long enough", "too short", "long enough", "barely"]),
            "why": ("figure", ["because"] * 4),
        },
        {
            "run": runs, "latitude": made_up.LATITUDE, "longitude": longitude, "level": made_up.LEVEL, "day": day,
            "figure": figures,
        },
    )  # fmt: skip


@pytest.fixture
def folder(made_up, tmp_path):
    path = made_up.make_run(tmp_path / "run", fields=False, config={"seed": 0, "worlds": WORLDS})
    for world in WORLDS:
        write_fields(RunFolder.read(path).fields(f"transfer-{world['name']}"), transfer(made_up, world))
        write_fields(RunFolder.read(path).fields(f"response-{world['name']}"), response(made_up, world))
    return path


def block(page) -> str:
    text = page.read_text(encoding="utf-8")
    return text[text.index('<section id="elsewhere"') :].split("</section>")[0]


def test_two_worlds_have_their_figures_table_and_sentences(folder):
    text = block(build(folder))
    # skill 4, then temperature change or two maps of truth and recipes, then rain and drift
    assert text.count("<svg") == (4 + 4 + 2) + (4 + 2 * 3 + 2)
    assert text.count("<table") == 4
    assert "reference, plain inputs 0.5 on the reference, −0.3 here" in text
    assert "reference, plain inputs 1 of 2" in text
    assert re.search(r"mean precipitation: too short, because", text)
    assert re.search(r"map of precipitation: barely, because", text)
    assert "30, 7" in text


def test_sections_of_temperature_are_not_called_r9_and_r9_is_a_number(made_up, folder):
    text = str(section(RunReader(folder)))
    assert "sections of the change of zonal-mean temperature from the reference truth, coupled" in text
    assert "reference truth (R9)" not in text
    assert "R9 at +4 K" in text
    assert "reference, plain inputs 1.75 K" in text
    assert "A half of that truth differs from the whole by 1.75 K" in text
    write_fields(
        RunFolder.read(folder).fields("response-plus4"), response(made_up, WORLDS[0]).drop_vars("gap_absolute_temperature")
    )
    assert "R9 at" not in str(section(RunReader(folder)))


@pytest.mark.parametrize("kept", ["transfer", "response"])
def test_half_of_it_says_what_is_missing(made_up, tmp_path, kept):
    path = made_up.make_run(tmp_path / "run", fields=False, config={"seed": 0, "worlds": WORLDS})
    for world in WORLDS:
        write_fields(RunFolder.read(path).fields(f"{kept}-{world['name']}"), globals()[kept](made_up, world))
    text = block(build(path))
    other = "response" if kept == "transfer" else "transfer"
    assert f"no stage has written fields/{other}-plus4.zarr" in text
    assert text.count("<table") == 2


def test_a_recipe_of_which_no_seed_lived_is_drawn_as_such(made_up, folder):
    found = response(made_up, WORLDS[1])
    lost = [str(name) for name in found.run.values if str(name).startswith("plain")]
    keep = ~found.run.isin(lost)
    found = found.map(lambda data: data.where(keep) if "run" in data.dims and data.dtype.kind == "f" else data)
    write_fields(RunFolder.read(folder).fields("response-wave"), found)
    text = block(build(folder))
    assert "stopped early: no map" in text
    assert "reference, plain inputs 0 of 2" in text


def test_without_worlds_there_is_no_section(made_up, tmp_path):
    path = made_up.make_run(tmp_path / "run", fields=False)
    assert 'id="elsewhere"' not in build(path).read_text(encoding="utf-8")


def test_other_seas_do_not_decide_the_headline(made_up, tmp_path):
    path = made_up.make_run(tmp_path / "run", fields=False)
    before = headline(RunReader(path))
    rows = RunFolder.read(path).metrics()
    lost = Metric("over plus4, both, coupled: change of mean temperature over the truth's", 9.0, "1", 1.2, "lower")
    RunFolder.read(path).write_metrics([lost, *rows])
    after = headline(RunReader(path))
    assert after.tiles == before.tiles
    assert after.verdict.split(";")[0] == before.verdict.split(";")[0]
