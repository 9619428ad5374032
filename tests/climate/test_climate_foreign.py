"""Our columns in jcm, and its physics in our atmosphere; skipped where jcm is absent."""

import importlib.util
import os
import subprocess
import sys
import warnings

import numpy as np
import pytest

from parametra.core.errors import UsageError

ABSENT = importlib.util.find_spec("jcm") is None
needs_jcm = pytest.mark.skipif(ABSENT, reason="parametra.climate.foreign needs the extra jcm")
HALF = (0.0, 0.06, 0.14, 0.24, 0.36, 0.5, 0.64, 0.78, 0.88, 0.95, 1.0)

TOGETHER = """
import jax, jax.numpy as jnp, numpy as np
from jcm.dycore.dinosaur.dycore import DinosaurDycore
from jcm.forcing import default_forcing
from jcm.model import Model
from jcm.physics.composable_physics import ComposablePhysics
from jcm.physics.speedy.speedy_terms import speedy_physics
from jcm.physics_interface import PhysicsState
from jcm.terrain import TerrainData
from jcm.utils import get_coords

from parametra.climate.columns import ColumnForcing, ColumnState
from parametra.climate.foreign import JcmScheme, SchemeTerm
from parametra.climate.foreign.layout import from_surface, to_columns, to_field, to_surface
from parametra.climate.host.atmosphere import Atmosphere
from parametra.climate.host.config import HostConfig, SpinUpConfig
from parametra.climate.insolation import cosine_zenith, insolation
from parametra.climate.schemes.conventional import Conventional
from parametra.climate.surface import bulk_fluxes
from parametra.core.errors import UsageError
from parametra.coupling import coupled_run
HALF = {half}

# ours in jcm: a day, and the tendency of the very same columns
scheme = Conventional(HALF)
coords = get_coords(np.asarray(HALF), spectral_truncation=21)
term = SchemeTerm(scheme)
physics = ComposablePhysics([term], checkpoint_terms=False)
dycore = DinosaurDycore(coords, TerrainData.aquaplanet(coords), dt_seconds=1800.0, advection="eulerian")
out = Model(dycore, physics=physics).run(save_interval=1.0, total_time=1.0).to_xarray()
assert np.isfinite(out.temperature).all() and float(out["parametra.step"].max()) == 48
grid = term._grid
rng = np.random.default_rng(0)
n = grid.columns
columns = ColumnState(
    jnp.asarray(np.linspace(210, 300, 10) + rng.normal(0, 2, (n, 10)), jnp.float32),
    jnp.asarray(np.linspace(1e-5, 1.2e-2, 10) * rng.uniform(0.5, 1, (n, 10)), jnp.float32),
    *(jnp.asarray(rng.normal(0, 10, (n, 10)), jnp.float32) for _ in range(2)),
    jnp.asarray(1e5 + rng.normal(0, 500, n), jnp.float32),
)
forcing = default_forcing(coords.horizontal)
sea = from_surface(forcing.sea_surface_temperature)
cosine = cosine_zenith(jnp.zeros((), jnp.int32), 48, grid)
fluxes = bulk_fluxes(columns, sea, float(grid.sigma[-1]), exchange=1.5e-3, gustiness=5.0)
ours, said, _ = scheme(columns, ColumnForcing(sea, insolation(cosine), cosine, *fluxes, time_step=1800.0), (), jax.random.key(0))
fields = PhysicsState(
    *(to_field(x, grid.shape) for x in (columns.eastward_wind, columns.northward_wind, columns.temperature,
      columns.specific_humidity, 0 * columns.temperature)), to_surface(columns.surface_pressure / 1e5, grid.shape))
theirs, diagnostics = physics.compute_tendencies(fields, forcing, TerrainData.aquaplanet(coords))
for mine, their in ((ours.temperature, theirs.temperature), (ours.specific_humidity, theirs.specific_humidity)):
    error = np.abs(np.asarray(mine) - np.asarray(to_columns(their))).max(1) / np.abs(np.asarray(mine)).max()
    # pressure is normalised and back: a few columns in a thousand stand on the other side of a threshold of convection
    assert np.mean(error < 1e-5) > 0.99, np.sort(error)[-20:]
assert np.mean(np.isclose(from_surface(diagnostics["parametra"]["rain"]), said.rain, rtol=1e-4, atol=1e-9)) > 0.99
slow = np.asarray(theirs.u_wind[-1]) / np.asarray(fields.u_wind[-1])  # friction near the ground, none aloft
assert np.allclose(slow, -(grid.sigma[-1] - 0.7) / 0.3 / 86400.0, rtol=1e-4) and not np.asarray(theirs.u_wind[0]).any()

def refuses(words, call):
    try:
        call()
    except UsageError as error:
        assert words in str(error), error
    else:
        raise AssertionError(f"nothing refused: {words}")

refuses("divide a day", lambda: SchemeTerm(scheme, time_step=1700.0))
refuses("does not know its grid", lambda: SchemeTerm(scheme)._grid)
other = get_coords(np.linspace(0.0, 1.0, 11), spectral_truncation=21)
refuses("layers that are not", lambda: SchemeTerm(scheme).cache_coords(other))
late = ComposablePhysics([term], checkpoint_terms=False, dt_seconds=1200.0)
refuses("jcm's step is 1200 s", lambda: late.compute_tendencies(fields, forcing, TerrainData.aquaplanet(coords)))

# its physics in ours: two days of SPEEDY
aloft = dict(stratosphere_days=((0.03, 10.0), (0.1, 20.0)), sponge_days=((0.03, 0.5), (0.1, 2.0)))
host = Atmosphere(HostConfig(truncation=7, longitudes=16, latitudes=8, sigma_half=HALF, spin_up=SpinUpConfig(days=1.0), **aloft))
package = speedy_physics()
speedy = JcmScheme.of(host, package)
assert speedy.package.value is not package and package.checkpoint_terms  # the caller's own is left as it is
flat = ComposablePhysics([term], vectorize_columns=True)
refuses("flattened columns", lambda: JcmScheme.of(host, flat))
state = host.init(jax.random.key(0))
resolved, forcing = host.resolved(state)
carry = speedy.init(resolved, forcing, jax.random.key(0))
tendency, fluxes, _ = speedy(resolved, forcing, carry, jax.random.key(0))
assert 100 < float(fluxes.net_longwave_top.mean()) < 350 and 0 <= float(fluxes.rain.min())
end = coupled_run(host, speedy, state, carry, 0, 96, chunk=48)
columns = end.state.columns
assert end.step == 96 and np.isfinite(columns.temperature).all()
assert 150 < float(columns.temperature.min()) < float(columns.temperature.max()) < 330
again = coupled_run(host, speedy, state, carry, 0, 96, chunk=48)
assert np.array_equal(columns.temperature, again.state.columns.temperature)
"""


@needs_jcm
def test_our_scheme_in_jcm_and_speedy_in_our_atmosphere():
    """In a process of its own: jcm warns, and changes settings of JAX when it is imported."""
    done = subprocess.run(
        [sys.executable, "-c", TOGETHER.replace("{half}", repr(HALF))], capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.skipif(not ABSENT, reason="jcm is here")
def test_without_jcm_one_sentence_says_how_to_get_it():
    with pytest.raises(UsageError, match=r"parametra\[jcm\]"):
        importlib.import_module("parametra.climate.foreign")


def test_the_two_layouts_are_one_another_turned():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        spec = importlib.util.find_spec("parametra.climate")
        assert spec is not None
        path = spec.submodule_search_locations[0] + "/foreign/layout.py"  # pyright: ignore[reportOptionalSubscript]
    loader = importlib.util.spec_from_file_location("layout", path)
    layout = importlib.util.module_from_spec(loader)  # pyright: ignore[reportArgumentType]
    loader.loader.exec_module(layout)  # pyright: ignore[reportOptionalMemberAccess]
    columns = np.arange(24.0, dtype=np.float32).reshape(6, 4)  # two latitudes of three longitudes
    field = np.asarray(layout.to_field(columns, (2, 3)))
    assert field.shape == (4, 3, 2)
    assert field[1, 2, 0] == columns[2, 1]
    assert field[3, 0, 1] == columns[3, 3]
    np.testing.assert_array_equal(layout.to_columns(field), columns)
    surface = np.asarray(layout.to_surface(columns[:, 0], (2, 3)))
    assert surface[2, 1] == columns[5, 0]
    np.testing.assert_array_equal(layout.from_surface(surface), columns[:, 0])
