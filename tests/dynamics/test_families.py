"""One suite over all parameterization networks and links: what a family is does not depend on which one it has."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpy.testing import assert_allclose

from parametra.core.errors import UsageError
from parametra.dynamics import Design, Map, diagram, find_landmarks, fit, follow, guard, select, simulate
from parametra.dynamics.fitting import build, samples_of
from parametra.dynamics.links import LINKS
from parametra.dynamics.series import SeriesSet
from parametra.networks import MLP, Linear
from parametra.weights import AbstractWeight

KINDS = ["affine", "powers", "low-rank", "hypernetwork", "concatenation"]
SERIES = tuple(np.random.default_rng(i).uniform(0.2, 0.9, (9, 2)) for i in range(4))
DATA = SeriesSet(SERIES, np.array([1.0, 1.5, 2.0, 3.0]))


def random_family(design, data=DATA):
    samples = samples_of(design, data, np.ones(len(data.series), bool))
    family = build(design, samples, jax.random.key(1), data.time_step)
    readout = jax.random.normal(jax.random.key(2), family.readout.shape, family.readout.dtype)
    return eqx.tree_at(lambda f: f.readout, family, 0.3 * readout)


@pytest.mark.parametrize("varies", ["last", "all"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_step_is_the_formula(kind, varies):
    family = random_family(Design(main="network", hidden=(5,), coefficients=kind, order=3, varies=varies))
    state, control = jnp.array([0.3, 0.6]), jnp.array([1.7])
    c = family.coefficients(family.scaling.control(control))
    weights = [leaf for leaf in jax.tree.leaves(eqx.filter(family.body, eqx.is_inexact_array))]
    shifts = jax.tree.leaves(family.directions) or [jnp.zeros((c.size, *leaf.shape)) for leaf in weights]
    theta = [leaf + jnp.einsum("k,k...->...", c, shift) for leaf, shift in zip(weights, shifts, strict=True)]
    tree = jax.tree.structure(eqx.filter(family.body, eqx.is_inexact_array))
    body = eqx.combine(jax.tree.unflatten(tree, theta), family.body)
    inputs = family.scaling.inputs(state, control)
    inputs = jnp.concatenate([inputs, family.scaling.control(control)]) if kind == "concatenation" else inputs
    readout = family.readout[0] + jnp.einsum("k,ksf->sf", c, family.readout[1:])
    expected = family.scaling.outputs(readout @ body(inputs), control)
    assert_allclose(family.predict(state, control), expected, rtol=2e-5, atol=1e-6)
    assert_allclose(family.step(state, control), expected, rtol=2e-5, atol=1e-6)


def test_the_body_takes_any_weight():
    class Doubled(AbstractWeight):
        half: jax.Array

        @property
        def shape(self):
            return self.half.shape

        def unwrap(self):
            return 2 * self.half

    family = random_family(Design(main="network", hidden=(5,)))
    layer = family.body.hidden.layers[0]
    swapped = MLP((Linear(Doubled(layer.weight.matrix / 2), layer.bias),), "tanh")
    other = eqx.tree_at(lambda f: f.body.hidden, family, swapped)
    state, control = jnp.array([0.3, 0.6]), jnp.array([1.7])
    assert_allclose(other.step(state, control), family.step(state, control), rtol=1e-6)


@pytest.mark.parametrize("name", ["identity", "residual", "log-ratio"])
def test_a_link_undoes_itself(name):
    link, series = LINKS[name], SERIES[0]
    x, z = link.targets(series, 1.0)
    again = [link.advance(lambda _, t=t: jnp.asarray(t), jnp.asarray(s), 1.0) for s, t in zip(x, z, strict=True)]
    assert_allclose(np.stack(again), series[1:], rtol=1e-5)


def test_the_tendency_of_a_series_is_its_derivative_to_sixth_order():
    errors = []
    for step in (0.2, 0.1, 0.05):
        time = step * np.arange(41)
        x, slope = LINKS["tendency"].targets(np.sin(time)[:, None], step)
        errors.append(np.abs(slope - np.cos(np.arcsin(x)) * np.sign(np.cos(time[3:-3]))[:, None]).max())
    assert np.log2(errors[0] / errors[1]) == pytest.approx(6.0, abs=0.4)


def test_links_refuse_what_they_cannot_take():
    with pytest.raises(UsageError, match='"log-ratio" needs positive states'):
        LINKS["log-ratio"].targets(np.array([[0.1], [-0.1]]), 1.0)
    with pytest.raises(UsageError, match="seven states"):
        LINKS["tendency"].targets(np.zeros((6, 1)), 1.0)


def test_powers_of_the_control_make_scaled_states_equal():
    # x = mu^1.5 y with y' = cos(y): in x / mu^1.5 every control has one and the same law
    start = np.random.default_rng(0).uniform(0, 1, 30)
    series = tuple(np.array([[mu**1.5 * y], [mu**1.5 * np.cos(y)]]) for mu in (1.0, 2.0, 3.0) for y in start)
    data = SeriesSet(series, np.repeat([1.0, 2.0, 3.0], 30))
    design = Design(main="network", hidden=(4,), powers=(1.5,), out_powers=(1.5,), restarts=1, steps=25)
    fitted = fit(design, data)
    with jax.enable_x64(True):
        far = float(fitted.family.step(jnp.array([7.0**1.5 * 0.4]), jnp.array([7.0]))[0])
    assert far / 7.0**1.5 == pytest.approx(np.cos(0.4), abs=1e-3)


def test_powers_need_a_positive_control():
    data = SeriesSet(SERIES, np.array([-1.0, 1.0, 2.0, 3.0]))
    with pytest.raises(UsageError, match="positive control"):
        fit(Design(main="network", powers=(1.0,)), data)
    with pytest.raises(UsageError, match="3 powers for 2 state variables"):
        fit(Design(main="network", powers=(1.0, 1.0, 1.0)), DATA)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"coefficients": "low-rank"}, "a polynomial moves with"),
        ({"powers": (1.0,)}, "raw coordinates"),
        ({"learn_powers": True}, "raw coordinates"),
        ({"main": "network", "terms": 3}, "terms belong to the polynomial"),
        ({"degree": 0}, "greater than or equal to 1"),
        ({"nonsense": 1}, "Extra inputs"),
    ],
)
def test_a_design_that_makes_no_sense_is_refused(change, match):
    with pytest.raises(ValueError, match=match):
        Design(**change)


def test_the_reconstruction_is_called_one():
    design = Design(main="network", hidden=(4,), coefficients="hypernetwork", order=3, varies="all")
    assert "tan-reconstruction" in design.label


def test_a_control_of_two_parameters_is_learned_at_once():
    system = Map(lambda x, mu: mu[0] * x * (1 - x) + mu[1])
    control = np.array([(a, b) for a in (2.0, 2.5, 3.0) for b in (0.0, 0.05)])
    data = simulate(system, control, 5, lambda rng: rng.uniform(0, 1, 1), seed=0, repeats=3)
    fitted = fit(Design(degree=2), data)
    with jax.enable_x64(True):
        assert fitted.family.step(jnp.array([0.3]), jnp.array([3.4, 0.1]))[0] == pytest.approx(3.4 * 0.21 + 0.1, abs=1e-9)


@pytest.fixture(scope="module")
def two_controls():
    system = Map(lambda x, mu: mu[0] * x * (1 - x) + mu[1])
    control = np.array([(a, b) for a in (2.0, 2.4, 2.8, 3.2) for b in (0.0, 0.02, 0.05)])
    return simulate(system, control, 6, lambda rng: rng.uniform(0, 1, 1), seed=0, repeats=3)


def test_a_family_of_two_controls_is_chosen_and_trusted_along_either(two_controls):
    # nothing is held out along the other control, so what lies beyond the data there is far at once
    for along, inside in ((0, [3.3, 0.02]), (1, [3.0, 0.06])):
        selection = select([Design(degree=2), Design(degree=3)], two_controls, along=along)
        assert selection.along == along
        verdict = guard(
            selection.fitted, two_controls, np.array([inside, [3.3, 0.06]]), edge=selection.edge, along=selection.along, steps=100
        )
        assert verdict.flags[:, 3].tolist() == [False, True]


def test_analysis_wants_the_controls_that_a_family_was_learned_from(two_controls):
    family = fit(Design(degree=2), two_controls).family
    assert family.controls == 2
    wanted = pytest.raises(UsageError, match="control of 1 number does not fit the system, whose step takes 2 numbers")
    with wanted:
        diagram(family, np.array([3.4, 3.6]), np.array([0.4]), burn=10, steps=3)
    with wanted:
        find_landmarks(family, (2.8, 4.1), (0.0, 1.0))
    with wanted:
        follow(family, np.array([0.6]), 2.8, (2.5, 3.4))


def test_powers_of_the_state_are_learned():
    # x = mu^1.5 y with y' = cos(y), as above, with the scale of the prediction given and that of the state found
    start = np.random.default_rng(0).uniform(0, 1, 30)
    series = tuple(np.array([[mu**1.5 * y], [mu**1.5 * np.cos(y)]]) for mu in (1.0, 2.0, 3.0) for y in start)
    data = SeriesSet(series, np.repeat([1.0, 2.0, 3.0], 30))
    design = Design(
        main="network", hidden=(4,), coefficients="constant", powers=(1.0,), out_powers=(1.5,), learn_powers=True, steps=60
    )
    fitted = fit(design, data)
    assert float(fitted.family.scaling.powers[0]) == pytest.approx(1.5, abs=1e-3)
    assert float(fitted.family.scaling.out_powers[0]) == 1.5
    assert fitted.parameters == fit(design.model_copy(update={"learn_powers": False}), data).parameters + 1


def test_powers_that_are_learned_need_a_positive_control_too():
    data = SeriesSet(SERIES, np.array([-1.0, 1.0, 2.0, 3.0]))
    with pytest.raises(UsageError, match="positive control"):
        fit(Design(main="network", learn_powers=True), data)
