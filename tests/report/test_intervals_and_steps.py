"""What is not known is not drawn as if it were, and a step is as long as the run's own."""

from importlib import import_module

import numpy as np
import pytest
import xarray as xr
from matplotlib.axes import Axes

from parametra.report.figures.bars import rows
from parametra.report.figures.palette import Palette
from parametra.report.figures.rain import quantiles
from parametra.report.picture import draw
from parametra.report.reader import RunReader
from parametra.store.fields import write_fields
from parametra.store.runfolder import RunFolder


def section(path, name: str) -> str:
    """Everything that a section of the page holds, drawings included."""
    return str(import_module(f"parametra.report.sections.{name}").section(RunReader(path)))


@pytest.fixture
def caps(monkeypatch):
    """Places that were drawn with an interval, of every call."""
    calls, errorbar = [], Axes.errorbar

    def recorded(self, x, y, *args, **options):
        ends = options["yerr"] if "yerr" in options else options["xerr"]
        assert np.isfinite(ends).all()
        calls.append(len(x))
        return errorbar(self, x, y, *args, **options)

    monkeypatch.setattr(Axes, "errorbar", recorded)
    return calls


def test_points_of_rain_without_an_interval_have_no_caps_and_are_hollow(caps):
    value, nothing = np.array([30.0, 60.0, 90.0]), np.full(3, np.nan)
    ends = np.array([0.9, 0.9, np.nan])
    runs = {"truth": (value, ends * value, 1.1 * value), "network_offline": (value, nothing, nothing)}
    drawing = quantiles(np.array([0.01, 1e-3, 1e-4]), runs, Palette({}), "Exceeded")
    assert caps == [2, 0]
    assert ">network, offline, no interval<" in drawing
    assert ">truth<" in drawing


def test_bars_without_an_interval_have_no_caps(caps):
    values, ends = np.array([3.0, 2.0]), np.array([0.1, np.nan])
    rows(["evaporation", "precipitation"], values, "Water", "mm/day", low=values - ends, high=values + ends)
    assert caps == [1]


@pytest.mark.parametrize("known", [True, False])
def test_the_page_names_runs_and_terms_without_an_interval(made_up, tmp_path, known):
    path = made_up.make_run(tmp_path / "run", fields=False)
    rain, budgets = made_up.rain(), made_up.budgets()
    if not known:
        there = rain.run != "network_offline"
        rain = rain.assign({name: rain[name].where(there) for name in ("low_daily", "high_daily")})
        budgets = budgets.assign(low=budgets.low.where(budgets.term != "evaporation"))
    for name, data in (("rain", rain), ("budgets", budgets)):
        write_fields(RunFolder.read(path).fields(name), data)
    assert ("A hollow point has no interval" in section(path, "rain")) is not known
    assert ("There is no interval for water: evaporation:" in section(path, "budgets")) is not known
    if not known:
        assert "too few of the rains: network, offline." in section(path, "rain")


def test_of_terms_that_all_lack_an_interval_one_sentence_is_said(made_up, tmp_path):
    path = made_up.make_run(tmp_path / "run", fields=False)
    budgets = made_up.budgets()
    write_fields(RunFolder.read(path).fields("budgets"), budgets.assign(low=budgets.low * np.nan, high=budgets.high * np.nan))
    assert "There is no interval for any term" in section(path, "budgets")


def kinds() -> xr.Dataset:
    names = ("r2_heating", "r2_moistening", "zonal_temperature_rms", "rain_profile_r", "kept")
    columns = {name: ("network", [0.5, 0.6]) for name in names}
    coords = {"kind": ("network", ["5x128", "9x256"]), "differs": ("network", ["", "size"])}
    return xr.Dataset(columns, {"network": ["5x128-0", "9x256-0"]} | coords)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"host": {"time_step": 1800.0}}, "single steps of 30 min"), ({"host": {"time_step": 1200}}, "single steps of 20 min"),
        ({"host": {"time_step": 450.0}}, "single steps of 7.5 min"), ({"host": {}}, "single steps"),
        ({"seed": 0}, "single steps"),
    ],
)  # fmt: skip
def test_a_step_is_as_long_as_the_configuration_says(made_up, tmp_path, config, words):
    path = made_up.make_run(tmp_path / "run", fields=False, metrics=False, config=config)
    assert RunReader(path).single_steps == words


def test_page_and_picture_name_the_length_of_the_runs_own_step(made_up, tmp_path):
    path = made_up.make_run(tmp_path / "run", fields=False, config={"host": {"time_step": 1200.0}})
    for name, data in (("rain", made_up.rain()), ("kinds", kinds())):
        write_fields(RunFolder.read(path).fields(name), data)
    for name in ("zonal", "skill", "drift"):
        write_fields(RunFolder.read(path).fields(name), getattr(made_up, name)())
    assert "Distribution, single steps of 20 min<" in section(path, "rain")
    assert "R² heating, single steps of 20 min" in section(path, "kinds")
    draw(path, tmp_path / "picture.svg")
    assert "R2 of moistening, single steps of 20 min -->" in (tmp_path / "picture.svg").read_text(encoding="utf-8")


def test_a_drift_has_its_interval_and_whether_the_record_is_long_enough(made_up, tmp_path):
    path = made_up.make_run(tmp_path / "run", fields=False)
    write_fields(RunFolder.read(path).fields("contents"), made_up.contents())
    text = section(path, "energy")
    assert "Days recorded: truth 23, network 360, conventional scheme 360" in text
    assert "0.08 to 0.16" in text
    assert "Too short for a drift, what slopes here may be weather: truth." in text
    assert "weeks" not in text
    bare = made_up.contents().drop_vars([f"drift{end}" for end in ("", "_low", "_high", "_word", "_why")])
    write_fields(RunFolder.read(path).fields("contents"), bare)
    assert "Too short for a drift" not in section(path, "energy")
