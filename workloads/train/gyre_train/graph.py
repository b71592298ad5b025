"""The network of the tabular loop as an ONNX graph, made of its weights alone.

Promises   inputs `numbers` (rows × numeric inputs, float32) and, with categorical features, `places` (rows × categorical
           features, int64), output `probability` (rows, float32); the same weights give the same bytes, so the same digest.
Never      traces a run of the network: needs neither torch nor its exporter, only numpy and the package `onnx`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from gyre_train.encoder import Encoder

OPSET: Final = 17  # what every ONNX Runtime since 1.12 reads
IR: Final = 8


def graph(weights: Mapping[str, np.ndarray], encoder: Encoder) -> bytes:
    """A ModelProto; `weights` by the names of `network.Network`'s state."""
    embeddings = range(len(encoder.categorical))
    layers = sorted(int(match[1]) for name in weights if (match := re.fullmatch(r"head\.(\d+)\.weight", name)))
    nodes, constants = [], [numpy_helper.from_array(values, name) for name, values in sorted(weights.items())]
    for index in embeddings:
        constants.append(numpy_helper.from_array(np.array(index), f"column.{index}"))
        nodes.append(helper.make_node("Gather", ["places", f"column.{index}"], [f"place.{index}"], axis=1))
        nodes.append(helper.make_node("Gather", [f"embeddings.{index}.weight", f"place.{index}"], [f"part.{index}"]))
    nodes.append(helper.make_node("Concat", ["numbers", *(f"part.{index}" for index in embeddings)], ["wide"], axis=1))
    flow = "wide"
    for layer in layers:
        nodes.append(
            helper.make_node(
                "Gemm", [flow, f"head.{layer}.weight", f"head.{layer}.bias"], [f"linear.{layer}"], transB=1
            )
        )
        flow = f"linear.{layer}"
        if layer != layers[-1]:
            nodes.append(helper.make_node("Relu", [flow], [f"relu.{layer}"]))
            flow = f"relu.{layer}"
    constants.append(numpy_helper.from_array(np.array([-1]), "flat"))
    nodes.append(helper.make_node("Reshape", [flow, "flat"], ["logit"]))
    nodes.append(helper.make_node("Sigmoid", ["logit"], ["probability"]))
    inputs = [helper.make_tensor_value_info("numbers", TensorProto.FLOAT, ["rows", width(encoder)])]
    if embeddings:
        inputs.append(helper.make_tensor_value_info("places", TensorProto.INT64, ["rows", len(embeddings)]))
    output = helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["rows"])
    model = helper.make_model(
        helper.make_graph(nodes, "tabular", inputs, [output], constants),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR,
        producer_name="gyre_train",
    )
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def width(encoder: Encoder) -> int:
    return len(encoder.numeric) + len(encoder.flagged)
