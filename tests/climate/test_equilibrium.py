"""The column scheme alone: the command makes its picture, wrong arguments are refused, the host adds what it is given."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from parametra.climate.columns import ColumnTendency
from parametra.climate.equilibrium import Equilibrium, main
from parametra.climate.host.levels import LEVELS_20
from parametra.coupling import Host


def test_the_command_draws_its_picture(tmp_path, capsys):
    main(["--days", "1", "--columns", "2", "--crm-columns", "4", "--out", str(tmp_path / "picture.png")])
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
    assert "outgoing long-wave" in capsys.readouterr().out


@pytest.mark.parametrize("wrong", [["--days", "0"], ["--surface-temperature", "400"], ["--crm-columns", "1"], ["--columns", "x"]])
def test_wrong_arguments_are_refused(wrong, capsys):
    with pytest.raises(SystemExit) as stop:
        main(wrong)
    assert stop.value.code == 2
    assert "error" in capsys.readouterr().err


def test_the_host_adds_the_tendency_and_nothing_else():
    host = Equilibrium(3, LEVELS_20)
    assert isinstance(host, Host)
    state = host.init(jax.random.key(0))
    heating = jnp.full((3, 20), 1e-5)
    after = host.step(state, ColumnTendency(heating, 0.0 * heating))
    np.testing.assert_allclose(after.columns.temperature - state.columns.temperature, 0.018, atol=1e-4)
    gained = host.budget(after)["energy"] - host.budget(state)["energy"]
    assert gained == pytest.approx(1004.0 * 0.018 * 1e5 / 9.80616, rel=1e-3)
    assert host.budget(after)["water"] == host.budget(state)["water"]
