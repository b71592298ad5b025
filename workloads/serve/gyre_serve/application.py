"""The SDK's endpoints around one predictor, with every refusal said in one way: `{"error": …}`.

Of the KServe SDK (0.21.0) this takes the model, the data plane and the endpoints of both protocols; not its ModelServer, which
unloads the models at SIGTERM before the requests in flight are answered (model_server.py, `stop`), offers unloading to
whoever asks, and logs a traceback for each bad request (errors.py).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from kserve import InferRequest, InferResponse, ModelRepository
from kserve.constants.constants import PredictorProtocol
from kserve.errors import InvalidInput, ModelNotFound
from kserve.protocol.dataplane import DataPlane
from kserve.protocol.rest.v1_endpoints import register_v1_endpoints
from kserve.protocol.rest.v2_datamodels import InferenceRequest
from kserve.protocol.rest.v2_endpoints import register_v2_endpoints
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from gyre_serve.faults import PredictionFailed, Refused
from gyre_serve.predictor import Predictor
from gyre_serve.schema import shown

log = logging.getLogger(__name__)


class JsonPlane(DataPlane):  # type: ignore[misc]
    """JSON in both directions, whatever the content type says; no CloudEvents and no binary tensors."""

    def decode(
        self, body: Any, headers: Any, protocol_version: str = PredictorProtocol.REST_V1.value, model_name: Any = None
    ) -> tuple[Any, dict[str, Any]]:
        if isinstance(body, bytes):
            try:
                body = orjson.loads(body)
            except orjson.JSONDecodeError as error:
                raise Refused(f"the body is not JSON: {error}") from error
            if protocol_version != PredictorProtocol.REST_V2.value:
                return body, {}
            try:
                body = InferenceRequest.model_validate(body)
            except ValidationError as error:
                raise Refused(first_of(error.errors())) from error
        return InferRequest.from_inference_request(body, model_name), {}

    def encode(self, model_name: str, response: Any, headers: Any, req_attributes: Any) -> tuple[Any, dict[str, str]]:
        return (response.to_rest()[0] if isinstance(response, InferResponse) else response), {}

    async def model_metadata(self, model_name: str) -> dict[str, Any]:
        model: Predictor = self.get_model_from_registry(model_name)
        found: dict[str, Any] = await super().model_metadata(model_name)
        return {**found, "versions": [model.version], "platform": f"gyre_{model.flavour}"}


def application(predictor: Predictor, registry: CollectorRegistry) -> FastAPI:
    repository = ModelRepository()
    repository.update(predictor)
    plane = JsonPlane(repository)
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    register_v1_endpoints(app, plane, None)
    register_v2_endpoints(app, plane, None)
    app.add_api_route("/", plane.live, methods=["GET"])

    def page() -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    app.add_api_route("/metrics", page, methods=["GET"])
    for fault, code in ((Refused, 400), (InvalidInput, 400), (ModelNotFound, 404)):
        app.add_exception_handler(fault, saying(code))
    app.add_exception_handler(RequestValidationError, malformed)
    app.add_exception_handler(HTTPException, told)
    app.add_exception_handler(PredictionFailed, saying(500))
    app.add_exception_handler(Exception, unexpected)
    return app


def saying(code: int) -> Any:
    async def handler(_: Request, error: Exception) -> JSONResponse:
        if code >= 500:
            log.error("%s", error)
        return JSONResponse({"error": str(error)}, code)

    return handler


async def malformed(_: Request, error: RequestValidationError) -> JSONResponse:
    """FastAPI itself would answer 422 with a list."""
    return JSONResponse({"error": first_of(error.errors())}, 400)


def first_of(errors: Sequence[Mapping[str, Any]]) -> str:
    """What pydantic says of a body that is no inference request."""
    first = errors[0]
    if first["type"] == "json_invalid":
        return f"the body is not JSON: {first.get('ctx', {}).get('error', first['msg'])}"
    place = ".".join(str(part) for part in first["loc"] if part not in ("body", "InferenceRequest"))
    return f"{place or 'the body'}: {first['msg']}, got {shown(first.get('input'))}"


async def told(_: Request, error: HTTPException) -> JSONResponse:
    return JSONResponse({"error": str(error.detail)}, error.status_code, error.headers)


async def unexpected(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"error": f"the prediction failed: {type(error).__name__}; the pod's log says more"}, 500)
