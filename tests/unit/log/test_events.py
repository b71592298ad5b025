"""What of CloudEvents is taken, and what is read out of bodies."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.log.collecting import NOW, World, answered, asked, exchange

from gyre_log.bodies import features, predictions
from gyre_log.events import BATCH, REQUEST, RESPONSE, STRUCTURED, Event, events
from gyre_log.faults import Refused
from gyre_log.halves import half
from gyre_log.masking import masking
from gyre_log.sampling import chosen

KSERVE = {
    "ce-specversion": "1.0",
    "ce-id": "689b15e7-84a1-4e89-9805-20809efc216d",
    "ce-source": "http://localhost:9081/",
    "ce-inferenceservicename": "late-aaaaaaaa",
    "ce-namespace": "ml",
    "ce-component": "predictor",
    "ce-endpoint": "late-1",
    "ce-metadata": '{"X-Request-Id":["caller-7"]}',
    "ce-recordedtime": "2026-11-24T08:14:59.912Z",
}
"""Headers of KServe's logger agent (pkg/logger/worker.go)."""


def one(given: Any) -> Event:
    (found,) = events(STRUCTURED, {}, json.dumps(given).encode(), NOW)
    if isinstance(found, Refused):
        raise found
    return found


def test_the_agent_of_kserve_is_understood(tmp_path: Path):
    world = World(tmp_path)
    form = "application/x-www-form-urlencoded"  # curl's own, which the agent passes on for request and response

    async def story(world: World) -> None:
        first = {**KSERVE, "ce-type": REQUEST, "ce-time": "2026-11-24T08:14:59.501752983Z", "content-type": form}
        second = {**KSERVE, "ce-type": RESPONSE, "ce-time": "2026-11-24T08:14:59.505997782Z", "content-type": form}
        told = [
            await world.client.post("/", content=b'{"instances": [[6.8, 2.8], [6.0, 3.4]]}', headers=first),
            await world.client.post("/", content=b'{"predictions": [1, 0]}', headers=second),
        ]
        assert [one.status_code for one in told] == [202, 202]

    world.run(story)
    assert [(row["id"], row["in.0"], row["in.1"], row["prediction"], row["code"]) for row in world.rows] == [
        ("caller-7-0", 6.8, 2.8, 1.0, 200),
        ("caller-7-1", 6.0, 3.4, 0.0, 200),
    ]
    assert world.rows[0]["seconds"] == pytest.approx(0.004245)


@pytest.mark.parametrize(
    ("change", "why", "says"),
    [
        ({"specversion": "0.3"}, "event", "specversion"),
        ({"source": ""}, "event", "source"),
        ({"type": "org.kubeflow.serving.inference.outlier"}, "type", "type"),
        ({"id": None}, "id", "id"),
        ({"id": "a/b"}, "id", "id"),
        ({"id": "x" * 129}, "id", "id"),
        ({"endpoint": None}, "version", "endpoint"),
        ({"endpoint": "../../etc"}, "version", "endpoint"),
        ({"data": None, "data_base64": "%"}, "event", "data_base64"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], why: str, says: str):
    with pytest.raises(Refused, match=says) as refused:
        one(asked("r1", **change))
    assert refused.value.why == why


def test_an_answer_that_is_no_http_status_is_refused():
    with pytest.raises(Refused, match="gyrecode"):
        one(answered("r1", gyrecode=7))


def test_what_is_wrong_does_not_keep_what_is_right_from_being_taken(tmp_path: Path):
    world = World(tmp_path)

    async def story(world: World) -> None:
        told = await world.send(*exchange("good"), asked("bad id"), 7)
        assert (told.status_code, told.json()["accepted"], told.json()["refused"]) == (202, 2, 2)
        assert world.value("gyre_collector_refused_total", why="id") == 1
        nothing = await world.send(asked("bad id"))
        assert nothing.status_code == 400

    world.run(story)
    assert [row["id"] for row in world.rows] == ["good-0"]


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"{}", {"content-type": "text/plain"}, 415),
        (b"[", {"content-type": BATCH}, 400),
        (b"{}", {"content-type": BATCH}, 400),
        (b" " * 2000, {"content-type": BATCH}, 413),
    ],
)
def test_a_message_that_is_none_is_refused(tmp_path: Path, content: bytes, headers: dict[str, str], status: int):
    world = World(tmp_path, GYRE_LOG_MAX_BODY_BYTES="1024")

    async def story(world: World) -> None:
        told = await world.client.post("/events", content=content, headers=headers)
        assert told.status_code == status
        assert told.json()["error"]

    world.run(story)
    assert world.rows == []


@pytest.mark.parametrize(
    "time", [None, "yesterday", "2026-11-24T08:15:00", "2026-11-24T10:00:00Z", "1999-01-01T00:00:00Z", 7]
)
def test_a_time_that_no_clock_can_mean_is_that_of_arrival(time: Any):
    assert one(asked("r1", time=time)).time == NOW


def test_a_body_that_does_not_come_keeps_no_room_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("gyre_log.application.BODY_SECONDS", 0.01)
    world = World(tmp_path)

    async def never() -> AsyncIterator[bytes]:
        yield b"["
        await asyncio.Event().wait()

    async def story(world: World) -> None:
        told = await world.client.post("/events", content=never(), headers={"content-type": BATCH})
        assert (told.status_code, told.headers["retry-after"]) == (503, "5")
        assert (await world.send(*exchange("r1"))).status_code == 202

    world.run(story)


def test_a_time_in_another_zone_is_kept_in_utc():
    assert one(asked("r1", time="2026-11-24T09:10:00+01:00")).time == NOW - timedelta(minutes=5)


# ── bodies ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def tensor(name: str, datatype: str, shape: list[int], data: list[Any]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape, "data": data}


def test_tensors_are_columns_by_name():
    inputs = [
        tensor("hour", "FP64", [2], [8, None]),
        tensor("carrier", "BYTES", [2, 1], [["UA"], ["AA"]]),
        tensor("weekday", "INT64", [2], [1, 2]),
        tensor("pixels", "FP32", [2, 2], [1, 2, 3, 4]),
    ]
    found = features(orjson.dumps({"inputs": inputs}), frozenset({"weekday"}))
    assert (found.rows, found.columns) == (
        2,
        {
            "hour": [8.0, None],
            "carrier": ["UA", "AA"],
            "weekday": ["1", "2"],
            "pixels.0": [1.0, 3.0],
            "pixels.1": [2.0, 4.0],
        },
    )


def test_a_category_is_spelled_as_the_model_spells_it():
    found = features(b'{"instances": [{"weekday": 1, "late": true}]}', frozenset({"weekday", "late"}))
    assert found.columns == {"weekday": ["1"], "late": ["true"]}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"predictions": [0.1, [0.2], None, [1, 2], "x"]}, [0.1, 0.2, None, None, None]),
        ({"outputs": [tensor("probability", "FP32", [2], [0.1, 0.2])]}, [0.1, 0.2]),
        ({"outputs": [tensor("classes", "FP32", [1, 2], [0.1, 0.9])]}, []),
        ({"outputs": []}, []),
        ([], []),
    ],
)
def test_predictions_are_numbers_or_nothing(body: Any, expected: list[Any]):
    assert predictions(orjson.dumps(body)) == expected


NUMBERS = st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)
BODIES = st.one_of(
    JSON,
    st.fixed_dictionaries({"instances": st.lists(JSON, max_size=4)}),
    st.fixed_dictionaries(
        {
            "inputs": st.lists(
                st.fixed_dictionaries(
                    {
                        "name": JSON,
                        "shape": JSON | st.lists(st.integers(-1, 3), max_size=2),
                        "datatype": st.sampled_from(["FP32", "BYTES", "INT8"]) | JSON,
                        "data": JSON | st.lists(JSON, max_size=4),
                    }
                ),
                max_size=3,
            )
        }
    ),
)


@given(BODIES, BODIES)
def test_no_body_is_an_error_and_every_column_is_as_long_as_the_request(request: Any, response: Any):
    found = features(json.dumps(request).encode(), frozenset({"a"}))
    assert all(len(values) == found.rows for values in found.columns.values())
    assert all(type(value) in (float, str, type(None)) for values in found.columns.values() for value in values)
    assert all(type(value) in (float, type(None)) for value in predictions(json.dumps(response).encode()))


@given(st.dictionaries(st.sampled_from(sorted(asked("r") | answered("r") | {"metadata": 1, "data_base64": 1})), JSON))
def test_an_event_is_sane_or_refused(changes: dict[str, Any]):
    for whole in (asked("r"), answered("r")):
        (found,) = events(STRUCTURED, {}, json.dumps({**whole, **changes}).encode(), NOW)
        if isinstance(found, Event):
            json.dumps(half(found, masking("None")))
            assert "/" not in found.version
            assert NOW - timedelta(days=401) < found.time <= NOW + timedelta(hours=1)


# ── sampling ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@given(st.text(), st.integers(0, 100), st.integers(0, 100))
def test_a_larger_share_has_all_of_a_smaller_one(id: str, one: int, other: int):
    assert chosen(id, min(one, other)) <= chosen(id, max(one, other))


def test_the_share_is_what_was_asked_for():
    taken = sum(chosen(f"request-{number}", 10) for number in range(20_000))
    assert 1_800 < taken < 2_200
    assert not any(chosen(f"request-{number}", 0) for number in range(100))


def test_of_an_agent_that_cannot_sample_only_the_chosen_are_kept(tmp_path: Path):
    world = World(tmp_path, GYRE_LOG_PERCENT="50")
    ids = [f"r{at}" for at in range(20)]

    async def story(world: World) -> None:
        await world.send(*(event for id in ids for event in exchange(id)))

    world.run(story)
    assert [row["id"] for row in world.rows] == sorted(f"{id}-0" for id in ids if chosen(id, 50))
