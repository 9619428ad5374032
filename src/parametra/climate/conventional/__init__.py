"""The pieces of a conventional scheme, each a process of textbooks on columns `(column, level)`, level 0 at the top.

| module | process |
| --- | --- |
| `parcel` | pseudo-adiabatic ascent of the lowest air |
| `convection` | simplified Betts-Miller adjustment, deep and shallow |
| `condensation` | large-scale condensation, and evaporation of what falls |
| `boundary_layer` | diffusion of static energy and humidity below a diagnosed height, surface fluxes |
| `clouds` | cloud water from relative humidity and from convection |
"""
