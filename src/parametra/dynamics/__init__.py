"""Systems with a control parameter, and families of networks that learn them at some values and extrapolate to others.

| name | what it is |
| --- | --- |
| `Map`, `Flow` | a system of one's own: a function, or a slope through diffrax |
| `LOGISTIC`, `QUARTIC`, `SINE_LAW`, `RICKER`, `HENON`, `LORENZ63` | known systems |
| `SeriesSet`, `read_csv`, `simulate` | what a family is learned from |
| `Design`, `fit`, `Fitted`, `Family` | what is chosen, the fit, the learned system |
| `select`, `Selection` | the design by edge validation |
| `discover`, `affine_r2` | an unknown control: one learned number per series |
| `guard`, `Guard` | how far a family can be trusted |
| `diagram`, `lyapunov_spectrum`, `find_landmarks`, `follow` | analysis of exact and learned systems alike |
| `wasserstein`, `hellinger`, `state_space_divergence`, `spectrum_hellinger` | distances between attractors |
| `Lorenz96`, `FastScale`, `PolynomialClosure`, `fit_polynomial` | two-scale Lorenz-96 as host and closures |
| `FamilyClosure`, `choose_closure`, `truth_pairs` | a family as its closure |
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from parametra.dynamics.attractors import hellinger as hellinger
    from parametra.dynamics.attractors import spectrum_hellinger as spectrum_hellinger
    from parametra.dynamics.attractors import state_space_divergence as state_space_divergence
    from parametra.dynamics.attractors import wasserstein as wasserstein
    from parametra.dynamics.closure_choice import choose_closure as choose_closure
    from parametra.dynamics.closures import FamilyClosure as FamilyClosure
    from parametra.dynamics.closures import truth_pairs as truth_pairs
    from parametra.dynamics.continuation import Branch as Branch
    from parametra.dynamics.continuation import follow as follow
    from parametra.dynamics.design import Design as Design
    from parametra.dynamics.exact import HENON as HENON
    from parametra.dynamics.exact import LOGISTIC as LOGISTIC
    from parametra.dynamics.exact import LORENZ63 as LORENZ63
    from parametra.dynamics.exact import QUARTIC as QUARTIC
    from parametra.dynamics.exact import RICKER as RICKER
    from parametra.dynamics.exact import SINE_LAW as SINE_LAW
    from parametra.dynamics.family import Family as Family
    from parametra.dynamics.fitting import Fitted as Fitted
    from parametra.dynamics.fitting import fit as fit
    from parametra.dynamics.landmarks import Landmarks as Landmarks
    from parametra.dynamics.landmarks import find_landmarks as find_landmarks
    from parametra.dynamics.latent import Discovered as Discovered
    from parametra.dynamics.latent import affine_r2 as affine_r2
    from parametra.dynamics.latent import discover as discover
    from parametra.dynamics.lorenz96 import FastScale as FastScale
    from parametra.dynamics.lorenz96 import Lorenz96 as Lorenz96
    from parametra.dynamics.lorenz96 import PolynomialClosure as PolynomialClosure
    from parametra.dynamics.lorenz96 import fit_polynomial as fit_polynomial
    from parametra.dynamics.orbits import Diagram as Diagram
    from parametra.dynamics.orbits import diagram as diagram
    from parametra.dynamics.orbits import lyapunov_spectrum as lyapunov_spectrum
    from parametra.dynamics.selection import Selection as Selection
    from parametra.dynamics.selection import select as select
    from parametra.dynamics.series import SeriesSet as SeriesSet
    from parametra.dynamics.series import read_csv as read_csv
    from parametra.dynamics.series import simulate as simulate
    from parametra.dynamics.systems import AbstractSystem as AbstractSystem
    from parametra.dynamics.systems import Flow as Flow
    from parametra.dynamics.systems import Map as Map
    from parametra.dynamics.trust import Guard as Guard
    from parametra.dynamics.trust import guard as guard
else:
    from parametra.core.lazy import lazy_names

    __getattr__ = lazy_names(
        __name__,
        {
            "hellinger": "attractors",
            "spectrum_hellinger": "attractors",
            "state_space_divergence": "attractors",
            "wasserstein": "attractors",
            "FamilyClosure": "closures",
            "choose_closure": "closure_choice",
            "truth_pairs": "closures",
            "Branch": "continuation",
            "follow": "continuation",
            "Design": "design",
            "Diagram": "orbits",
            "diagram": "orbits",
            "lyapunov_spectrum": "orbits",
            "HENON": "exact",
            "LOGISTIC": "exact",
            "LORENZ63": "exact",
            "QUARTIC": "exact",
            "RICKER": "exact",
            "SINE_LAW": "exact",
            "Family": "family",
            "Fitted": "fitting",
            "fit": "fitting",
            "Guard": "trust",
            "guard": "trust",
            "Landmarks": "landmarks",
            "find_landmarks": "landmarks",
            "Discovered": "latent",
            "affine_r2": "latent",
            "discover": "latent",
            "FastScale": "lorenz96",
            "Lorenz96": "lorenz96",
            "PolynomialClosure": "lorenz96",
            "fit_polynomial": "lorenz96",
            "Selection": "selection",
            "select": "selection",
            "SeriesSet": "series",
            "read_csv": "series",
            "simulate": "series",
            "AbstractSystem": "systems",
            "Flow": "systems",
            "Map": "systems",
        },
    )
