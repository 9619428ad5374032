"""A network in closed form."""

from parametra.wide.kernel import kernel as kernel
