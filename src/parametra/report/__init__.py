"""The page of a run: one self-contained HTML file made from the run folder alone, without jax."""

from parametra.report.page import build as build
