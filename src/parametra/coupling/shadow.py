r"""The shadow run: one closure drives the host, the truth runs beside it on the same states and says what it would have done.

Offline error is measured where the truth goes; what decides a coupled run is the error where the run itself goes,

    online error = driver(x_n, f_n) - truth(x_n, f_n, m_n),    x_n of the driven run,  m_n the truth's memory dragged along.

A closure's memory follows the host by its own rules: the fast scale of Lorenz-96 feels x, a cloud-resolving model in a column is
taken to the host's means in every step. So the truth is held at the driven state, and only its memory of the first moments is
another one: leave a few of its own time scales out (`settle`).

The truth's answers are labels. `aggregate` trains on them, drives again and so on: data aggregation (Ross, Gordon & Bagnell 2011,
AISTATS, "DAgger"), a remedy for runs that leave what they were trained on. Every label costs a step of the truth, so compare with
as many labels of plain truth. Seen on two-scale Lorenz-96: a polynomial fitted at F = 6 and run at F = 12 has a quarter of its
drift after two rounds, while as many more labels at F = 6 change nothing; in the climate that it was fitted to, where the run
stays where the truth goes, shadow labels are worth no more than plain ones.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import equinox as eqx
import numpy as np
from jaxtyping import Array, PRNGKeyArray, PyTree

from parametra.core.errors import PhysicalStopError, UsageError
from parametra.coupling.blocks import call_closure
from parametra.coupling.protocols import Carry, Closure, Fluxes, Forcing, Host, Resolved, Tendency
from parametra.coupling.run import CoupledResult, coupled_run
from parametra.coupling.watch import Watch

Pairs = Mapping[str, np.ndarray]
See = Callable[[Resolved, Forcing], Mapping[str, Any]]
Say = Callable[[Tendency, Fluxes], Mapping[str, Any]]
TRUTH, DRIVER = "truth.", "driver."


class ShadowFluxes(NamedTuple):
    """The driver's fluxes, and all that the truth said."""

    driver: PyTree
    truth_tendency: PyTree
    truth: PyTree


class ShadowCarry(NamedTuple):
    """The memories of both."""

    driver: PyTree
    truth: PyTree


class Shadow(eqx.Module):
    """Driver and truth as one closure: the host gets the driver's tendency; the truth's answer goes along with the fluxes.

    Attributes:
        driver: the closure that acts.
        truth: the closure that watches; either may be `ColumnBlocks`.
    """

    driver: Closure
    truth: Closure

    @property
    def traceable(self) -> bool:
        """Whether both can be compiled into a loop."""
        return getattr(self.driver, "traceable", True) and getattr(self.truth, "traceable", True)

    def init(self, resolved: Resolved, forcing: Forcing, key: PRNGKeyArray) -> ShadowCarry:
        """First memories of both, from one key."""
        return ShadowCarry(self.driver.init(resolved, forcing, key), self.truth.init(resolved, forcing, key))

    def __call__(
        self, resolved: Resolved, forcing: Forcing, carry: ShadowCarry, key: PRNGKeyArray
    ) -> tuple[Tendency, ShadowFluxes, ShadowCarry]:
        """The driver's tendency, and what both said."""
        tendency, fluxes, driver = self._call(self.driver, resolved, forcing, carry.driver, key)
        truth_tendency, truth_fluxes, truth = self._call(self.truth, resolved, forcing, carry.truth, key)
        return tendency, ShadowFluxes(fluxes, truth_tendency, truth_fluxes), ShadowCarry(driver, truth)

    def whole(self, carry: ShadowCarry, columns: int) -> ShadowCarry:
        """The memories of all columns, where they are kept in blocks."""
        closures = (self.driver, self.truth)
        parts = (getattr(one, "whole", _as_it_is)(memory, columns) for one, memory in zip(closures, carry, strict=True))
        return ShadowCarry(*parts)

    def _call(self, closure: Closure, resolved: Resolved, forcing: Forcing, carry: Carry, key: PRNGKeyArray) -> Any:
        if self.traceable or not getattr(closure, "traceable", True):
            return closure(resolved, forcing, carry, key)
        return call_closure(closure, resolved, forcing, carry, key)  # called from Python: compiled here


class OnlineError(NamedTuple):
    """Error of the driver over the states of its own run, `driver - truth`.

    Attributes:
        bias: mean over moments, of the shape of one moment.
        rms: root mean square over moments, likewise.
        r2: 1 - sum (driver - truth)^2 / sum (truth - mean truth)^2, a number over all moments and places; NaN without variance.
    """

    bias: np.ndarray
    rms: np.ndarray
    r2: float


class ShadowRun(NamedTuple):
    """What a shadow run leaves.

    Attributes:
        labels: inputs and the truth's answers, `(moment, column, ...)` each.
        answers: the driver's answers at the same moments.
        errors: online error of every target.
        end: state, memories and step, to go on from; None for a run that stopped.
        stop: why it stopped, None if it did not; labels until then are kept.
    """

    labels: Pairs
    answers: Pairs
    errors: Mapping[str, OnlineError]
    end: CoupledResult | None
    stop: PhysicalStopError | None


def shadow_run(
    host: Host, driver: Closure, truth: Closure, state: PyTree, memories: tuple[PyTree, PyTree], seed: int, steps: int, *,
    see: See, say: Say, every: int = 1, settle: int = 0, chunk: int = 100, watch: Watch | None = None, start_step: int = 0,
) -> ShadowRun:  # fmt: skip
    """Drive `host` by `driver` for `steps` steps with `truth` beside it.

    Args:
        host: the resolved part.
        driver: the closure whose tendency the host gets.
        truth: the closure that labels the states.
        state: start state of the host.
        memories: of the driver and of the truth at the start; a truth's last memory is the best one.
        seed: of the closures' random numbers.
        steps: number of steps.
        see: `see(resolved, forcing)` gives the named inputs that are kept, axis 0 the column.
        say: `say(tendency, fluxes)` gives the named targets, of the driver and of the truth.
        every: one moment in so many steps is kept.
        settle: first steps that are not kept, until the truth's memory is that of the driven run.
        chunk: steps between outputs; what came before a crash is kept up to the last one.
        watch: ends the run at the first value that is not finite or leaves its limits.
        start_step: number of the first step.

    Raises:
        PhysicalStopError: the run stopped before the first moment was kept.
        UsageError: numbers that make no sense, or a name that is an input and a target.
    """
    if every < 1 or settle < 0 or steps <= settle:
        raise UsageError(f"A shadow run needs every >= 1 and 0 <= settle < steps, got {every}, {settle} and {steps}.")
    kept: list[dict[str, np.ndarray]] = []
    seen = 0

    def keep(step: int, records: dict[str, np.ndarray], _: PyTree) -> None:
        nonlocal seen
        length = len(next(iter(records.values())))
        rows = np.arange(seen, seen + length)
        chosen = (rows >= settle) & ((rows - settle) % every == 0)
        seen += length
        kept.append({name: values[chosen] for name, values in records.items()})

    end, stop = None, None
    try:
        end = coupled_run(
            host, Shadow(driver, truth), state, ShadowCarry(*memories), seed, steps, chunk=chunk, record=_Record(see, say),
            reduce="none", on_chunk=keep, watch=watch, start_step=start_step,
        )  # fmt: skip
    except PhysicalStopError as error:
        stop = error
    if stop is not None and not sum(len(next(iter(rows.values()))) for rows in kept):
        raise stop  # before the first moment was kept: there is nothing to learn from
    whole = {name: np.concatenate([rows[name] for rows in kept]) for name in kept[0]}
    answers = {name.removeprefix(DRIVER): x for name, x in whole.items() if name.startswith(DRIVER)}
    labels = {name.removeprefix(TRUTH): x for name, x in whole.items() if not name.startswith(DRIVER)}
    errors = {name: online_error(answer, labels[name]) for name, answer in answers.items()}
    return ShadowRun(labels, answers, errors, end, stop)


def online_error(answer: np.ndarray, truth: np.ndarray) -> OnlineError:
    """Error of `answer` against `truth`, `(moment, ...)` each, in float64."""
    answer, truth = np.asarray(answer, np.float64), np.asarray(truth, np.float64)
    difference = answer - truth
    variance = np.sum((truth - truth.mean(axis=0)) ** 2)
    r2 = 1.0 - np.sum(difference**2) / variance if variance > 0 else np.float64(np.nan)
    return OnlineError(difference.mean(axis=0), np.sqrt((difference**2).mean(axis=0)), float(r2))


class Round(NamedTuple):
    """One round of data aggregation: the closure that drove, its shadow run, and the closure fitted to all labels so far."""

    driver: Closure
    run: ShadowRun
    closure: Closure


def aggregate(
    fit: Callable[[Pairs], Closure], shadow: Callable[[Closure, int], ShadowRun], labels: Pairs, rounds: int
) -> list[Round]:
    """Fit, drive with a shadow, add its labels, fit again.

    Args:
        fit: a closure from labels, `(moment, ...)` each.
        shadow: `shadow(closure, round)` is a `shadow_run` of that closure.
        labels: of plain truth, to begin with; the same names as those of the shadow runs.
        rounds: how often.
    """
    if rounds < 1:
        raise UsageError(f"Data aggregation needs at least one round, got {rounds}.")
    found: list[Round] = []
    closure = fit(labels)
    for number in range(rounds):
        run = shadow(closure, number)
        labels = join(labels, run.labels)
        after = fit(labels)
        found.append(Round(closure, run, after))
        closure = after
    return found


def join(first: Pairs, second: Pairs) -> dict[str, np.ndarray]:
    """Labels after one another; UsageError unless both have the same names."""
    if set(first) != set(second):
        raise UsageError(f"Labels of different names cannot be joined: {sorted(first)} and {sorted(second)}.")
    return {name: np.concatenate([first[name], second[name]]) for name in first}


class _Record:
    """The recorder of a shadow run; equal functions make equal recorders, so that runs share one compiled program."""

    def __init__(self, see: See, say: Say):
        self.see, self.say = see, say

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Record) and (self.see, self.say) == (other.see, other.say)

    def __hash__(self) -> int:
        return hash((self.see, self.say))

    def __call__(
        self, resolved: Resolved, forcing: Forcing, tendency: Tendency, fluxes: ShadowFluxes, carry: Carry
    ) -> dict[str, Array]:
        inputs = dict(self.see(resolved, forcing))
        driver = dict(self.say(tendency, fluxes.driver))
        truth = dict(self.say(fluxes.truth_tendency, fluxes.truth))
        clash = set(inputs) & set(driver)
        if clash:
            raise UsageError(f"The shadow run has {min(clash)!r} as an input and as a target. Remedy: another name in `say`.")
        return inputs | {f"{DRIVER}{n}": x for n, x in driver.items()} | {f"{TRUTH}{n}": x for n, x in truth.items()}


def _as_it_is(carry: PyTree, columns: int) -> PyTree:
    return carry
