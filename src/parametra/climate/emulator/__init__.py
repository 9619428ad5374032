"""From columns to a network, and back.

| name | what it is |
| --- | --- |
| `Emulator` | normalisation, network, limits and conservation: columns in, tendencies and fluxes out |
| `EmulatorConfig`, `NETWORKS` | what a network is made of; the sizes 9x256, 5x128, 4x64 |
| `column_dataset`, `stretch`, `ColumnDataset` | from stored fields to arrays |
| `train`, `train_many`, `train_linear` | fit one seed, several side by side, or a linear regression |
| `committee` | several emulators as one, the mean of their networks |
| `predict`, `predict_vectors`, `vectors_to_fields` | a network's word on recorded columns |
| `TimeMean` | the null closure |
| `StochasticEmulator`, `StochasticConfig`, `train_stochastic` | noise around a network, trained by CRPS |
| `draw`, `ensemble_scores`, `EnsembleScores` | draws of it, and CRPS, spread over error, variance ratio |
| `save_stochastic`, `load_stochastic` | its file |
| `save_emulator`, `load_emulator` | safetensors with a header that is enough elsewhere |
| `column_residuals` | what does not close, in float64 |
| `Inputs`, `Outputs`, `InputScaling`, `Limits` | the parts |
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from parametra.climate.emulator.climatology import TimeMean as TimeMean
    from parametra.climate.emulator.committee import committee as committee
    from parametra.climate.emulator.config import NETWORKS as NETWORKS
    from parametra.climate.emulator.config import EmulatorConfig as EmulatorConfig
    from parametra.climate.emulator.config import StochasticConfig as StochasticConfig
    from parametra.climate.emulator.dataset import ColumnDataset as ColumnDataset
    from parametra.climate.emulator.dataset import column_dataset as column_dataset
    from parametra.climate.emulator.dataset import stretch as stretch
    from parametra.climate.emulator.emulator import Emulator as Emulator
    from parametra.climate.emulator.ensemble import EnsembleScores as EnsembleScores
    from parametra.climate.emulator.ensemble import draw as draw
    from parametra.climate.emulator.ensemble import ensemble_scores as ensemble_scores
    from parametra.climate.emulator.files import load_emulator as load_emulator
    from parametra.climate.emulator.files import load_stochastic as load_stochastic
    from parametra.climate.emulator.files import save_emulator as save_emulator
    from parametra.climate.emulator.files import save_stochastic as save_stochastic
    from parametra.climate.emulator.limits import Limits as Limits
    from parametra.climate.emulator.prediction import predict as predict
    from parametra.climate.emulator.prediction import predict_vectors as predict_vectors
    from parametra.climate.emulator.prediction import vectors_to_fields as vectors_to_fields
    from parametra.climate.emulator.residuals import column_residuals as column_residuals
    from parametra.climate.emulator.scaling import InputScaling as InputScaling
    from parametra.climate.emulator.scaling import input_scaling as input_scaling
    from parametra.climate.emulator.stochastic import StochasticEmulator as StochasticEmulator
    from parametra.climate.emulator.stochastic import train_stochastic as train_stochastic
    from parametra.climate.emulator.training import train as train
    from parametra.climate.emulator.training import train_linear as train_linear
    from parametra.climate.emulator.training import train_many as train_many
    from parametra.climate.emulator.vectors import Inputs as Inputs
    from parametra.climate.emulator.vectors import Outputs as Outputs
else:
    from parametra.core.lazy import lazy_names

    __getattr__ = lazy_names(
        __name__,
        {
            "TimeMean": "climatology",
            "NETWORKS": "config",
            "EmulatorConfig": "config",
            "committee": "committee",
            "StochasticConfig": "config",
            "ColumnDataset": "dataset",
            "column_dataset": "dataset",
            "stretch": "dataset",
            "Emulator": "emulator",
            "EnsembleScores": "ensemble",
            "draw": "ensemble",
            "ensemble_scores": "ensemble",
            "load_emulator": "files",
            "load_stochastic": "files",
            "save_emulator": "files",
            "save_stochastic": "files",
            "Limits": "limits",
            "predict": "prediction",
            "predict_vectors": "prediction",
            "vectors_to_fields": "prediction",
            "column_residuals": "residuals",
            "InputScaling": "scaling",
            "input_scaling": "scaling",
            "StochasticEmulator": "stochastic",
            "train_stochastic": "stochastic",
            "train": "training",
            "train_linear": "training",
            "train_many": "training",
            "Inputs": "vectors",
            "Outputs": "vectors",
        },
    )
