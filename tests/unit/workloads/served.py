"""A tiny version to serve: an ONNX artifact with known weights, and what it must answer, worked out by hand in numpy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from pyarrow import fs

from gyre_data.digest import of_folder, root
from gyre_serve.settings import Settings
from gyre_train.checkpoint import write_manifest
from gyre_train.encoder import Encoder, Feature
from gyre_train.graph import graph

ENCODER = Encoder(
    features=(
        Feature("hour", "Numeric"),
        Feature("carrier", "Categorical"),
        Feature("temp", "Numeric"),
        Feature("weekday", "Categorical"),
    ),
    mean={"hour": 12.0, "temp": 50.0},
    std={"hour": 5.0, "temp": 15.0},
    flagged=("temp",),
    vocabulary={"carrier": ("AA", "UA"), "weekday": ("0", "1", "2")},
)
ROW: dict[str, Any] = {"hour": 8, "carrier": "UA", "temp": 30.5, "weekday": 1}
INFER, PREDICT = "/v2/models/late/infer", "/v1/models/late:predict"


def weights(seed: int = 0) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    shapes = {
        "embeddings.0.weight": (3, 2),
        "embeddings.1.weight": (4, 2),
        "head.0.weight": (8, 7),
        "head.0.bias": (8,),
        "head.3.weight": (1, 8),  # 1 and 2: ReLU and dropout
        "head.3.bias": (1,),
    }
    return {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def forward(numbers: np.ndarray, places: np.ndarray) -> np.ndarray:
    w = weights()
    wide = np.concatenate([numbers, *(w[f"embeddings.{at}.weight"][places[:, at]] for at in (0, 1))], axis=1)
    hidden = np.maximum(wide @ w["head.0.weight"].T + w["head.0.bias"], 0)
    probability: np.ndarray = 1 / (1 + np.exp(-(hidden @ w["head.3.weight"].T + w["head.3.bias"])[:, 0]))
    return probability


def write_artifact(folder: Path, **changes: Any) -> str:
    """Its digest."""
    folder.mkdir()
    (folder / "model.onnx").write_bytes(graph(weights(), ENCODER))
    description = {"version": 1, "flavour": "onnx", "encoder": ENCODER.as_json(), "network": {"hidden": [8]}, **changes}
    (folder / "model.json").write_text(json.dumps(description))
    write_manifest(folder, 1)
    return digest_of(folder)


def digest_of(folder: Path) -> str:
    return root(of_folder(fs.LocalFileSystem(), str(folder), fs.FileSelector(str(folder), recursive=True)))


def environment(folder: Path, digest: str, **changes: str) -> dict[str, str]:
    return {
        "GYRE_MODEL": "late",
        "GYRE_MODEL_VERSION": "late-1",
        "GYRE_ARTIFACT_URI": "pvc://runs/late",
        "GYRE_ARTIFACT_DIR": str(folder),
        "GYRE_ARTIFACT_DIGEST": digest,
        **changes,
    }


def settings(folder: Path, digest: str, **changes: str) -> Settings:
    return Settings.of(environment(folder, digest, **changes))


def tensors(*rows: dict[str, Any]) -> dict[str, Any]:
    """The rows in version 2 of the protocol."""
    datatypes = {"hour": "FP64", "carrier": "BYTES", "temp": "FP32", "weekday": "INT64"}
    return {
        "inputs": [
            {"name": name, "shape": [len(rows)], "datatype": datatype, "data": [row[name] for row in rows]}
            for name, datatype in datatypes.items()
        ]
    }
