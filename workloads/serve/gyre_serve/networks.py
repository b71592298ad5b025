"""A version's network, built again from its files: by torch or by ONNX Runtime, whichever its flavour says.

A network is a function of (rows × numeric inputs, float32) and (rows × categorical features, int64) to probabilities
(rows, float32). Only the library that is needed is imported: torch takes longer than everything else at start together.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from gyre_serve.artifact import Artifact
from gyre_serve.faults import StartError
from gyre_train.encoder import Encoder

Network = Callable[[np.ndarray, np.ndarray], np.ndarray]
WEIGHTS: Final = "model.pt"
GRAPH: Final = "model.onnx"


def load(artifact: Artifact, threads: int) -> tuple[Encoder, Network]:
    """Raises StartError."""
    flavour = artifact.description.get("flavour")
    if flavour not in FLAVOURS:
        raise StartError(
            "UnsupportedFlavour",
            f"flavour {flavour!r} is not one of {', '.join(FLAVOURS)}: serve it with spec.runtime.container or "
            "spec.runtime.kserve",
        )
    try:
        encoder = Encoder.of_json(artifact.description["encoder"])
        return encoder, FLAVOURS[flavour](artifact, encoder, threads)
    except StartError:
        raise
    except Exception as error:  # whatever a library says of files that are not what they should be
        raise StartError(
            "Unreadable", f"the {flavour} model cannot be loaded: {type(error).__name__}: {error}"
        ) from error


def by_torch(artifact: Artifact, encoder: Encoder, threads: int) -> Network:
    import torch

    from gyre_train.network import Network as Module

    shape = artifact.description["network"]
    torch.set_num_threads(threads)
    module = Module(encoder, shape["hidden"], shape["dropout"])
    module.load_state_dict(torch.load(io.BytesIO(artifact.file(WEIGHTS)), map_location="cpu", weights_only=True))
    module.eval()

    def probability(numbers: np.ndarray, places: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            result: np.ndarray = torch.sigmoid(module(torch.from_numpy(numbers), torch.from_numpy(places))).numpy()
        return result

    return probability


def by_onnx(artifact: Artifact, encoder: Encoder, threads: int) -> Network:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # a waiting thread would eat the quota
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(artifact.file(GRAPH), options, providers=["CPUExecutionProvider"])
    inputs = {node.name: (node.type, node.shape[1:]) for node in session.get_inputs()}
    wanted = {"numbers": ("tensor(float)", [len(encoder.numeric) + len(encoder.flagged)])}
    if encoder.categorical:
        wanted["places"] = ("tensor(int64)", [len(encoder.categorical)])
    outputs = [node.name for node in session.get_outputs()]
    if inputs != wanted or "probability" not in outputs:
        raise StartError(
            "Unreadable",
            f"{GRAPH} takes {inputs} and gives {outputs}; by model.json it must take {wanted} and give probability",
        )

    def probability(numbers: np.ndarray, places: np.ndarray) -> np.ndarray:
        given = {"numbers": numbers, "places": places} if encoder.categorical else {"numbers": numbers}
        result: np.ndarray = session.run(["probability"], given)[0]
        return result

    return probability


FLAVOURS: Final[Mapping[str, Callable[[Artifact, Encoder, int], Network]]] = {"torch": by_torch, "onnx": by_onnx}
