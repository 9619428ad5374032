"""Systems with a control parameter, small enough to prove in seconds what the atmosphere then uses unchanged."""

from parametra.dynamics.lorenz96 import FastScale, Lorenz96, PolynomialClosure, fit_polynomial

__all__ = ["FastScale", "Lorenz96", "PolynomialClosure", "fit_polynomial"]
