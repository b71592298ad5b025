"""The model as the KServe SDK sees it: a body in, a checked batch, probabilities, an answer in the protocol it was asked in."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from kserve import InferOutput, InferRequest, InferResponse, Model

from gyre_serve.faults import PredictionFailed, Refused
from gyre_serve.networks import Network
from gyre_serve.schema import Schema, Tensor, shown

OUTPUT: Final = "probability"


@dataclass(frozen=True, slots=True)
class Batch:
    numbers: np.ndarray
    places: np.ndarray
    asked: InferRequest | None  # None: version 1 of the protocol


@dataclass(frozen=True, slots=True)
class Answer:
    probability: list[float]
    asked: InferRequest | None


class Predictor(Model):  # type: ignore[misc]
    """Computed in the event loop itself: a prediction takes less time than handing it to a thread and back."""

    def __init__(self, name: str, version: str, flavour: str, schema: Schema, network: Network) -> None:
        super().__init__(name)
        self.version, self.flavour, self.schema, self.network = version, flavour, schema, network
        self.ready = True

    def preprocess(self, payload: Any, headers: Any = None) -> Batch:
        if isinstance(payload, InferRequest):
            check_request(payload)
            tensors = [Tensor(given.name, given.shape, given.datatype, given.data) for given in payload.inputs]
            return Batch(*self.schema.encode(self.schema.of_tensors(tensors)), payload)
        return Batch(*self.schema.encode(self.schema.of_instances(payload)), None)

    def predict(self, batch: Batch, headers: Any = None, response_headers: Any = None) -> Answer:
        probability = self.network(batch.numbers, batch.places)
        if probability.shape != (len(batch.numbers),) or not np.isfinite(probability).all():
            raise PredictionFailed("the model gave no finite probability for every row")
        return Answer(probability.tolist(), batch.asked)

    def postprocess(self, answer: Answer, headers: Any = None, response_headers: Any = None) -> Any:
        if answer.asked is None:
            return {"predictions": answer.probability}
        rows = len(answer.probability)
        return InferResponse(
            response_id=answer.asked.id or str(uuid.uuid4()),
            model_name=self.name,
            model_version=self.version,
            infer_outputs=[InferOutput(OUTPUT, [rows], "FP32", answer.probability)],
        )

    def get_input_types(self) -> list[dict[str, Any]]:
        return self.schema.tensors()

    def get_output_types(self) -> list[dict[str, Any]]:
        return [{"name": OUTPUT, "datatype": "FP32", "shape": [-1]}]


def check_request(request: InferRequest) -> None:
    """What surrounds the tensors. Raises Refused."""
    if request.id is not None and not request.id.isascii():
        raise Refused(f"id: expected ASCII text, got {shown(request.id)}")
    for output in request.request_outputs or ():
        if output.name != OUTPUT:
            raise Refused(f"output {shown(output.name)}: the model has only {OUTPUT}")
