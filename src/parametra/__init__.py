"""Neural networks that stand in for the expensive part of a simulation."""
