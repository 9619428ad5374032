"""What a run leaves on disk, in open formats.

`runfolder` and `metrics` (a run is a folder), `fields` and `variables` (zarr with CF attributes), `networks` (safetensors),
`checkpoints` (orbax), `exports` (StableHLO, ONNX, Fortran). Import the module you need: each brings its own heavy library.
"""
