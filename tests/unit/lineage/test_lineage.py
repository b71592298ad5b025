"""What is told to other programs fits their schemas, is the same each time, and comes in an order that they can follow."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from tests import make
from tests.unit.dataset.worlds import PREPARE, VOLUME, a_dataset
from tests.unit.dataset.worlds import Story as Scans
from tests.unit.inferenceservice.test_rulings import failing, promoted
from tests.unit.inferenceservice.worlds import Story
from tests.unit.reading import Cluster
from tests.unit.trainingjob.bench import Bench
from tests.unit.why.worlds import NS, Answers, moved, serving, trained

from gyre.__main__ import main
from gyre.api import gvks
from gyre.api.effects import Ref
from gyre.lineage import told
from gyre.lineage.events import events
from gyre.lineage.sending import lines, send, write

HERE = Path(__file__).parent / "openlineage"
SCHEMAS = [json.loads(path.read_text()) for path in sorted(HERE.rglob("*.json"))]
REGISTRY: Any = Registry().with_resources((schema["$id"], Resource.from_contents(schema)) for schema in SCHEMAS)


def said(cluster: Cluster, since: datetime | None = None) -> list[Any]:
    return [json.loads(line) for line in lines(events(asyncio.run(told(Answers(cluster), NS)), since)).splitlines()]


def problems(value: Any, schema: str) -> list[str]:
    validator = Draft202012Validator(
        {"$ref": schema}, registry=REGISTRY, format_checker=Draft202012Validator.FORMAT_CHECKER
    )
    return [error.message for error in validator.iter_errors(value)]


def facets_of(event: Any) -> Iterator[Any]:
    yield from event["run"]["facets"].values()
    yield from event["job"]["facets"].values()
    for data in (*event["inputs"], *event["outputs"]):
        for key in ("facets", "inputFacets", "outputFacets"):
            yield from (data.get(key) or {}).values()


def parked() -> Cluster:
    """Suspended, with a checkpoint, from a script in git."""
    git = {"script": {"git": {"url": "https://git.example.org/ml.git", "revision": "abc123", "path": "train.py"}}}
    bench = Bench(make.training_job(entrypoint=git), make.dataset(version=1), make.claim(), make.node()).started()
    bench.edit(suspend=True)
    bench.settle()
    bench.says("Parked", step=200, checkpoint=make.checkpoint(200, bench.now))
    bench.settle()
    bench.gone()
    bench.settle()
    cluster = Cluster()
    for obj in moved([obj for ref, obj in bench.objects.items() if ref.gvk in (gvks.TRAINING_JOB, gvks.CONFIG_MAP)]):
        gvk = gvks.TRAINING_JOB if obj["kind"] == "TrainingJob" else gvks.CONFIG_MAP
        cluster.objects[Ref(gvk, NS, obj["metadata"]["name"])] = obj
    return cluster


def prepared() -> Cluster:
    story = Scans(a_dataset(VOLUME, prepare=PREPARE, description="flights from New York"), claim=False)
    story.look()
    story.fails("Unreadable", "month 3 is no Parquet: fetch it again")
    story.look()
    return story.cluster


WORLDS: list[Callable[[], Cluster]] = [
    lambda: serving().cluster,
    lambda: promoted().cluster,
    lambda: failing().cluster,
    lambda: Story().serving().candidate().cluster,
    lambda: trained(attempts=2),
    parked,
    prepared,
]


@pytest.mark.parametrize("world", WORLDS)
def test_every_event_and_every_facet_fits_its_published_schema(world: Callable[[], Cluster]):
    found = said(world())
    assert found
    for event in found:
        assert problems(event, event["schemaURL"]) == []
        assert event["schemaURL"] == "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
        for facet in facets_of(event):
            assert problems(facet, facet["_schemaURL"]) == []


def test_a_facet_that_does_not_fit_would_be_noticed():
    (event, *_) = said(serving().cluster)
    assert problems({**event, "run": {"runId": 7}}, event["schemaURL"])
    facet = {"_producer": "https://x", "_schemaURL": "https://x", "datasetVersion": 3}
    assert problems(
        facet,
        "https://openlineage.io/spec/facets/1-0-1/DatasetVersionDatasetFacet.json#/$defs/DatasetVersionDatasetFacet",
    )


@pytest.mark.parametrize("world", WORLDS)
def test_told_again_it_is_the_same_to_the_byte(world: Callable[[], Cluster]):
    cluster = world()
    again = world()
    first = lines(events(asyncio.run(told(Answers(cluster), NS))))
    assert first == lines(events(asyncio.run(told(Answers(cluster), NS))))
    assert first == lines(events(asyncio.run(told(Answers(again), NS))))


@pytest.mark.parametrize("world", WORLDS)
def test_a_run_starts_once_and_ends_once_and_not_before_it_started(world: Callable[[], Cluster]):
    runs: dict[str, list[Any]] = {}
    for event in said(world()):
        UUID(event["run"]["runId"])
        runs.setdefault(event["run"]["runId"], []).append(event)
    for told_of in runs.values():
        states = [event["eventType"] for event in told_of]
        assert states in (["START"], ["START", "COMPLETE"], ["START", "FAIL"], ["START", "ABORT"])
        assert [event["eventTime"] for event in told_of] == sorted(event["eventTime"] for event in told_of)
        assert len({event["job"]["name"] for event in told_of}) == 1


def ends(cluster: Cluster, job: str) -> list[Any]:
    return [event for event in said(cluster) if event["job"]["name"] == job and event["eventType"] != "START"]


def test_a_training_leads_from_its_data_to_its_model_with_digests_parameters_and_metrics():
    (event,) = ends(serving().cluster, "TrainingJob/flights")
    (data,), (model,) = event["inputs"], event["outputs"]
    assert (data["namespace"], data["name"]) == ("pvc://ml/data", "flights")
    assert data["facets"]["version"]["datasetVersion"] == "sha256:" + "a" * 64
    assert (model["namespace"], model["name"]) == ("gyre://ml", "ModelVersion/flights-ffffffff")
    assert model["facets"]["version"]["datasetVersion"] == "sha256:" + "f" * 64
    (place,) = model["facets"]["symlinks"]["identifiers"]
    assert (place["namespace"], place["name"]) == ("pvc://ml/runs", "flights/uid-job/artifact")
    parameters = {p["key"]: p["value"] for p in event["run"]["facets"]["executionParameters"]["parameters"]}
    assert parameters == {"batch": "64", "learningRate": "0.01"}
    tags = {tag["key"]: tag["value"] for tag in event["run"]["facets"]["tags"]["tags"]}
    assert tags["metric.auc"] == "0.71"


def test_the_model_that_a_training_makes_is_the_one_that_an_endpoint_takes():
    cluster = serving().cluster
    (training,), (rollout,) = ends(cluster, "TrainingJob/flights"), ends(cluster, "InferenceService/late")
    made, taken = training["outputs"][0], rollout["inputs"][0]
    assert (made["namespace"], made["name"]) == (taken["namespace"], taken["name"])
    assert made["facets"]["version"] == taken["facets"]["version"]


def test_each_attempt_is_a_run_of_its_own_and_a_failed_one_says_why():
    first, second = ends(trained(attempts=2), "TrainingJob/flights")
    assert (first["eventType"], second["eventType"]) == ("FAIL", "COMPLETE")
    assert first["run"]["runId"] != second["run"]["runId"]
    assert first["outputs"] == []
    assert "NCCL timeout" in first["run"]["facets"]["errorMessage"]["message"]


def test_a_parked_attempt_is_aborted_and_its_code_is_named():
    (event,) = ends(parked(), "TrainingJob/flights")
    assert event["eventType"] == "ABORT"
    assert event["job"]["facets"]["sourceCodeLocation"]["version"] == "abc123"


def test_a_rollout_has_the_same_id_while_it_goes_on_and_after_its_end():
    story = Story().serving().candidate()
    (going,) = [e for e in said(story.cluster) if e["eventType"] == "START" and "-b" in e["inputs"][0]["name"]]
    story.takes(a=(180, 1), b=(40, 30))
    (ended,) = [e for e in ends(story.cluster, "InferenceService/late") if e["eventType"] == "FAIL"]
    assert going["run"]["runId"] == ended["run"]["runId"]
    assert "FailsFast" in ended["run"]["facets"]["errorMessage"]["message"]
    assert going in said(story.cluster), "what was told stays told"


def test_a_failed_preparation_says_why():
    (event,) = ends(prepared(), "Dataset/flights")
    assert event["eventType"] == "FAIL"
    assert "month 3 is no Parquet" in event["run"]["facets"]["errorMessage"]["message"]
    assert event["job"]["facets"]["jobType"]["jobType"] == "DATASET_PREPARATION"


def test_only_what_happened_since_is_told():
    cluster = serving().cluster
    since = datetime(2026, 11, 23, 8, 0, 5, tzinfo=UTC)
    everything, some = said(cluster), said(cluster, since)
    assert some == [event for event in everything if event["eventTime"] >= "2026-11-23T08:00:05"]
    assert 0 < len(some) < len(everything)


def test_ledgers_that_nobody_can_read_tell_nothing_and_keep_nobody_from_telling():
    cluster = serving().cluster
    count = len(said(cluster))
    for name, key in (
        ("flights-run", "attempts.json"),
        ("flights-versions", "ledger.json"),
        ("late-rollout", "rollout.json"),
    ):
        ref = Ref(gvks.CONFIG_MAP, NS, name)
        cluster.objects[ref] = {**cluster.objects[ref], "data": {**cluster.objects[ref]["data"], key: "{"}}
        assert len(said(cluster)) < count
        count = len(said(cluster))
    assert count == 0


# ── where to ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_file_has_one_event_a_line_and_is_written_whole(tmp_path: Path):
    found = events(asyncio.run(told(Answers(serving().cluster), NS)))
    out = tmp_path / "lineage.jsonl"
    out.write_text("an older export\n" * 1000)
    write(found, out)
    assert out.read_text() == lines(found)
    assert [path.name for path in tmp_path.iterdir()] == ["lineage.jsonl"]


class Endpoint:
    """Takes events at /api/v1/lineage until it has had enough."""

    def __init__(self, enough: int = 1000) -> None:
        taken: list[Any] = []
        keys: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                keys.append(self.headers.get("Authorization", ""))
                took = self.path == "/api/v1/lineage" and len(taken) < enough
                if took:
                    taken.append(json.loads(body))
                self.send_response(201 if took else 422)
                self.end_headers()

            def log_message(self, *words: Any) -> None: ...

        self.taken, self.keys = taken, keys
        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self) -> Endpoint:
        self.thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.server.shutdown()
        self.server.server_close()


def test_an_endpoint_gets_every_event_in_order_and_the_key(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENLINEAGE_API_KEY", "k3y")
    cluster = serving().cluster
    with Endpoint() as endpoint:
        send(events(asyncio.run(told(Answers(cluster), NS))), endpoint.url)
    assert endpoint.taken == said(cluster)
    assert set(endpoint.keys) == {"Bearer k3y"}


def test_an_event_that_is_not_taken_is_named_and_ends_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("OPENLINEAGE_API_KEY", raising=False)
    found = events(asyncio.run(told(Answers(serving().cluster), NS)))
    with Endpoint(enough=2) as endpoint, pytest.raises(ValueError, match=r"did not take event 3 of \d+ .*run it again"):
        send(found, endpoint.url)
    assert len(endpoint.taken) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["lineage", "export"], "say where to"),
        (["lineage", "export", "--file", "x.jsonl", "--since", "yesterday"], "is no time"),
        (["bom", "gis/late"], "mv/NAME"),
        (["bom", "mv/"], "mv/NAME"),
    ],
)
def test_what_makes_no_sense_is_refused_before_the_cluster_is_asked(words: list[str], message: str):
    answer = CliRunner().invoke(main, words)
    assert answer.exit_code != 0
    assert message in answer.output
    assert "Traceback" not in answer.output
