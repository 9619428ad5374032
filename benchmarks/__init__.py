"""Ratios side by side against peers and floors, one module per area; run with `python -m benchmarks.NAME`."""
