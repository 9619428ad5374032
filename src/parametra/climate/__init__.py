"""The climate: columns of air, the resolved atmosphere around them, the schemes inside them, and what is learnt from them.

- `columns`: what an atmosphere and its closure say to each other
- `grid`: where the columns are
- `thermodynamics`, `insolation`, `surface`, `radiation`: the physics shared by all parts
- `host`: the resolved atmosphere
- `crm`, `schemes`, `emulator`: the cloud-resolving model, the closures, the network
- `diagnostics`: means, skill, budgets
"""
