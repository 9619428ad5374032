"""Corrections that make a step conserve, one per file; each says how much it changed.

- `positivity`: humidity is filled inside its column
- `mass`: one factor on surface pressure
- `water`: one factor on humidity
- `energy`: one increment of temperature
"""
