"""The resolved atmosphere, table of contents.

- `atmosphere`: `Atmosphere`, the host
- `config`, `levels`: what can be chosen
- `core`: the adapter to the spectral dynamical core
- `profiles`, `mixing`: the host's own physics: relaxation, sponge, drag, vertical diffusion
- `physics`, `transport`: the two halves of a step; `state`: what it acts on
- `fixers`: positivity, mass, water, energy; `sums`: how they weigh; `ledger`: what they did; `budget`: float64 sums
- `mature`, `spinup`: the start state, out of a climate or out of a relaxation run
"""
