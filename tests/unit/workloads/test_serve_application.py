"""The SDK's own endpoints around the predictor, in this process: answers of both protocols, and every kind of bad input."""

import asyncio
import json
import math

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from tests.unit.workloads.served import ENCODER, INFER, PREDICT, ROW, forward, settings, tensors, write_artifact

from gyre_serve.application import application
from gyre_serve.artifact import fetch
from gyre_serve.faults import StartError
from gyre_serve.gate import Gate
from gyre_serve.metrics import Metrics
from gyre_serve.networks import load
from gyre_serve.predictor import Predictor
from gyre_serve.schema import Schema
from gyre_serve.server import warm

pytestmark = pytest.mark.filterwarnings("ignore:ORJSONResponse")  # the SDK's business


class Served:
    """One predictor, asked over HTTP without a network."""

    def __init__(self, network):
        self.registry, self.schema = CollectorRegistry(), Schema(ENCODER, max_rows=50)
        self.app = application(Predictor("late", "late-1", "onnx", self.schema, network), self.registry)
        metrics = Metrics(self.registry, "late", "late-1")
        self.gate = Gate(self.app, metrics, model="late", version="late-1", max_body_bytes=1 << 16)

    def ask(self, path, body=None, *, method="POST", content=None, headers=None):
        async def go():
            transport = httpx.ASGITransport(self.gate, raise_app_exceptions=True)
            async with httpx.AsyncClient(transport=transport, base_url="http://late") as client:
                return await client.request(method, path, json=body, content=content, headers=headers)

        return asyncio.run(go())

    def counted(self, code):
        labels = {"model": "late", "model_version": "late-1", "code": str(code)}
        return self.registry.get_sample_value("gyre_inference_requests_total", labels) or 0


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    folder = tmp_path_factory.mktemp("version") / "artifact"
    return load(fetch(settings(folder, write_artifact(folder))), 1)[1]


@pytest.fixture(scope="module")
def served(network):
    return Served(network)


def expected(*rows):
    schema = Schema(ENCODER, 50)
    return pytest.approx(forward(*schema.encode(schema.of_instances({"instances": list(rows)}))), rel=1e-5)


OTHER = {"hour": 23, "carrier": "never seen", "temp": None, "weekday": 2}


def test_version_1_of_the_protocol_answers_predictions(served):
    answer = served.ask(PREDICT, {"instances": [ROW, OTHER]})
    assert answer.status_code == 200
    assert answer.headers["x-model-version"] == "late-1"
    assert answer.json()["predictions"] == expected(ROW, OTHER)


def test_version_2_of_the_protocol_answers_a_tensor(served):
    answer = served.ask(INFER, {"id": "mine", **tensors(ROW, OTHER)}).json()
    assert (answer["model_name"], answer["model_version"], answer["id"]) == ("late", "late-1", "mine")
    (output,) = answer["outputs"]
    assert (output["name"], output["datatype"], output["shape"]) == ("probability", "FP32", [2])
    assert output["data"] == expected(ROW, OTHER)


def test_a_request_without_an_id_gets_one(served):
    assert served.ask(INFER, tensors(ROW)).json()["id"]


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-8", "application/octet-stream"],
)
@pytest.mark.parametrize(("path", "body"), [(PREDICT, {"instances": [ROW]}), (INFER, tensors(ROW))])
def test_the_content_type_does_not_matter(served, path, body, kind):
    assert served.ask(path, content=json.dumps(body), headers={"content-type": kind}).status_code == 200


def test_the_metadata_names_columns_types_and_version(served):
    answer = served.ask("/v2/models/late", method="GET").json()
    assert (answer["versions"], answer["platform"]) == (["late-1"], "gyre_onnx")
    assert answer["inputs"][:2] == [
        {"name": "hour", "datatype": "FP64", "shape": [-1]},
        {"name": "carrier", "datatype": "BYTES", "shape": [-1]},
    ]
    assert answer["outputs"] == [{"name": "probability", "datatype": "FP32", "shape": [-1]}]


@pytest.mark.parametrize(
    "path", ["/v2/models/late/ready", "/v2/health/ready", "/v2/health/live", "/v1/models/late", "/"]
)
def test_who_is_loaded_is_ready(served, path):
    assert served.ask(path, method="GET").status_code == 200


REFUSED = [
    (PREDICT, b"{", "the body is not JSON: "),
    (PREDICT, b"", "the body is not JSON: "),
    (PREDICT, b'{"instances": [NaN]}', "the body is not JSON: "),
    (PREDICT, b"\xff\xfe", "the body is not JSON: "),
    (PREDICT, b"[" * 60_000, "the body is not JSON: "),
    (PREDICT, b"[]", "the body must be"),
    (INFER, b"{", "the body is not JSON: "),
    (INFER, b"", "the body: Field required"),
    (INFER, b"[]", "the body: "),
    (INFER, b'"text"', "the body is not JSON: "),
    (INFER, b"[" * 60_000, "There was an error parsing the body"),
    (INFER, b'{"inputs": 3}', "inputs: Input should be a valid list, got 3"),
    (INFER, b'{"inputs": [{"name": "hour"}]}', 'inputs.0.shape: Field required, got {"name": "hour"}'),
    (INFER, b'{"inputs": []}', 'column "hour" is missing'),
    (
        INFER,
        json.dumps({**tensors(ROW), "outputs": [{"name": "label"}]}).encode(),
        'output "label": the model has only',
    ),
    (INFER, json.dumps({**tensors(ROW), "id": "\ud800"}).encode(), r'id: expected ASCII text, got "\ud800"'),
    (INFER, json.dumps(tensors({**ROW, "temp": math.nan})).encode(), "temp, row 0: expected a finite number"),
    (INFER, json.dumps(tensors(ROW)).replace("FP32", "FP16").encode(), "Sending FP16 data via JSON is not supported"),
    (INFER, b'{"inputs": [1' + b"0" * 5000 + b"]}", "There was an error parsing the body"),
]


@pytest.mark.parametrize(("path", "content", "message"), REFUSED)
def test_bad_input_is_refused_with_its_reason(served, path, content, message):
    before = served.counted(400)
    answer = served.ask(path, content=content, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.headers["x-model-version"]) == (400, "late-1")
    assert message in answer.json()["error"]
    assert served.counted(400) == before + 1


def test_cloud_events_and_binary_tensors_are_no_way_around_the_checks(served):
    event = {
        "ce-specversion": "1.0",
        "ce-source": "x",
        "ce-type": "y",
        "ce-id": "z",
        "content-type": "application/json",
    }
    answer = served.ask(PREDICT, content=b'{"instances": 3}', headers=event)
    assert (answer.status_code, "the body must be" in answer.json()["error"]) == (400, True)
    assert served.ask(PREDICT, {"instances": [ROW]}, headers=event).json() == {"predictions": expected(ROW)}
    binary = {"inference-header-content-length": "-3", "content-type": "application/octet-stream"}
    assert served.ask(INFER, content=b"\0\0\0", headers=binary).status_code == 400


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        (INFER, "GET", 405),
        (PREDICT, "DELETE", 405),
        ("/v1/models/other:predict", "POST", 404),
        ("/v2/models/other/infer", "POST", 404),
    ],
)
def test_other_methods_and_models_are_refused_in_the_same_words(served, path, method, status):
    answer = served.ask(path, tensors(ROW), method=method)
    assert answer.status_code == status
    assert answer.json()["error"]


def test_a_body_that_is_too_large_is_refused_before_it_is_read_as_json(served):
    answer = served.ask(PREDICT, content=b"x" * ((1 << 16) + 1))
    assert answer.status_code == 413
    assert "larger than 65536 bytes" in answer.json()["error"]


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "x"]), inner, max_size=2),
    max_leaves=8,
)


@given(
    st.sampled_from([PREDICT, INFER]),
    st.sampled_from(["inputs", "instances", "id", "parameters", "outputs"]),
    anything,
)
def test_nothing_that_is_json_makes_it_fail(served, path, key, value):
    whole = {"instances": [ROW], **tensors(ROW)}
    answer = served.ask(path, content=json.dumps({**whole, key: value}), headers={"content-type": "application/json"})
    assert answer.status_code in (200, 400)
    assert answer.status_code == 200 or answer.json()["error"]


@given(st.sampled_from(["name", "shape", "datatype", "data", "parameters"]), st.integers(0, 3), anything)
def test_nothing_in_a_tensor_makes_it_fail(served, key, which, value):
    body = tensors(ROW)
    body["inputs"][which][key] = value
    answer = served.ask(INFER, content=json.dumps(body), headers={"content-type": "application/json"})
    assert answer.status_code in (200, 400)


@pytest.mark.parametrize("path", [PREDICT, INFER])
def test_a_model_that_gives_no_number_is_a_failure_of_ours(path):
    broken = Served(lambda numbers, places: np.full(len(numbers), np.nan, np.float32))
    answer = broken.ask(path, {"instances": [ROW], **tensors(ROW)})
    assert (answer.status_code, answer.json()["error"]) == (500, "the model gave no finite probability for every row")
    assert broken.counted(500) == 1


def test_a_model_that_raises_is_answered_without_its_insides():
    def fails(numbers, places):
        raise RuntimeError("secret")

    broken = Served(fails)
    answer = broken.ask(PREDICT, {"instances": [ROW]})
    assert (answer.status_code, "RuntimeError" in answer.text, "secret" in answer.text) == (500, True, False)
    assert broken.counted(500) == 1


def test_the_page_of_metrics_has_the_names_that_the_judge_reads(served):
    served.ask(PREDICT, {"instances": [ROW]})
    page = served.ask("/metrics", method="GET").text
    assert 'gyre_inference_requests_total{code="200",model="late",model_version="late-1"}' in page
    assert 'gyre_inference_seconds_bucket{le="0.0009313",model="late",model_version="late-1"}' in page


def test_warming_up_asks_in_both_protocols_and_counts_nothing(network):
    asked = []
    fresh = Served(lambda numbers, places: asked.append(len(numbers)) or network(numbers, places))
    asyncio.run(warm(fresh.app, "late", fresh.schema))
    assert asked == [1] * 6
    assert fresh.counted(200) == 0


def test_a_model_that_cannot_predict_does_not_become_ready():
    broken = Served(lambda numbers, places: np.full(len(numbers), np.nan, np.float32))
    with pytest.raises(StartError) as told:
        asyncio.run(warm(broken.app, "late", broken.schema))
    assert told.value.kind == "Unreadable"
    assert "cannot predict its own training's means" in told.value.message
