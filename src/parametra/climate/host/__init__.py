"""The resolved atmosphere, table of contents.

- `atmosphere`: `Atmosphere`, the host
- `config`, `levels`: what can be chosen
- `core`: the adapter to the spectral dynamical core
- `profiles`, `mixing`: the host's own physics: relaxation, sponge, drag, vertical diffusion
- `positivity`, `conservation`: the fixers; `ledger`: what they did; `budget`: float64 sums
- `spinup`: the start state
"""
