"""Drawings of the page, each a function from arrays to SVG text."""
