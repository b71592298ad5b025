"""Rows as traffic: what is sent, what is counted, and what stops it before it begins."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import aiohttp
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from aiohttp import web

from gyre_data.__main__ import main
from gyre_data.replay import Replay, Tally, Target, quantile, replay
from gyre_data.rows import Asked, Leg, ReplayError, Scale, Truth, asked, legs_of, table_of
from gyre_data.truth import Labels

ROWS = pa.table({"hour": [5, 6, None], "carrier": ["UA", "B6", "AA"], "late": [0, 1, 0]})
INPUTS = [{"name": "hour", "datatype": "FP64"}, {"name": "carrier", "datatype": "BYTES"}]
LATE = pa.table({"hour": [1, 2, 3, 4], "carrier": ["UA", "B6", "AA", "DL"], "arr_delay": [16.0, None, -3.0, 15.0]})


def requests_of(table: pa.Table, rows: int = 1, **more: Any) -> Iterator[Asked]:
    return asked([Leg("", table)], INPUTS, rows, **more)


def test_a_body_has_one_tensor_a_feature_and_nothing_that_the_model_did_not_ask_for() -> None:
    first, second = (json.loads(one.body) for one in islice(requests_of(ROWS), 2))
    assert first == {
        "inputs": [
            {"name": "hour", "shape": [1], "datatype": "FP64", "data": [5]},
            {"name": "carrier", "shape": [1], "datatype": "BYTES", "data": ["UA"]},
        ]
    }
    assert second["inputs"][1]["data"] == ["B6"]


def test_rows_that_lack_a_value_are_left_out_and_the_table_begins_again_at_its_end() -> None:
    carriers = [json.loads(one.body)["inputs"][1]["data"] for one in islice(requests_of(ROWS, 2), 3)]
    assert carriers == [["UA", "B6"]] * 3


def test_a_column_that_the_model_wants_and_the_rows_lack_is_named() -> None:
    with pytest.raises(ReplayError, match="distance, which the rows do not have"):
        next(asked([Leg("", ROWS)], [{"name": "distance", "datatype": "FP64"}], 1))


@pytest.mark.parametrize(("q", "value"), [(0.5, 2.0), (0.99, 3.0), (0.0, 1.0)])
def test_a_quantile_is_one_of_the_values(q: float, value: float) -> None:
    assert quantile([1.0, 2.0, 3.0], q) == value


def test_nothing_has_no_quantile() -> None:
    assert quantile([], 0.5) is None


def test_the_last_partition_is_the_last_by_name(tmp_path: Path) -> None:
    for month, hour in (("05", 5), ("01", 1)):
        (tmp_path / f"month={month}").mkdir()
        pq.write_table(pa.table({"hour": [hour]}), tmp_path / f"month={month}" / "part-0.parquet")
    assert table_of(str(tmp_path), "last").to_pydict()["hour"] == [5]
    assert table_of(str(tmp_path), "month=01").to_pydict()["hour"] == [1]
    assert table_of(str(tmp_path)).num_rows == 2
    with pytest.raises(ReplayError, match=r"no partition 'month=07'; there are \['month=01', 'month=05'\]"):
        table_of(str(tmp_path), "month=07")


def test_of_several_partitions_each_is_asked_about_from_its_first_row_to_its_last() -> None:
    legs = [Leg("a", LATE, 2), Leg("b", LATE, 5)]
    hours = [(one.rows, json.loads(one.body)["inputs"][0]["data"][0]) for one in asked(legs, INPUTS, 1)]
    assert hours == [("a", 1), ("a", 4), ("b", 1), ("b", 2), ("b", 3), ("b", 4), ("b", 1)]


def test_a_truth_is_whether_a_value_is_above_a_limit_and_a_row_without_one_has_none() -> None:
    first, second = islice(requests_of(LATE, rows=2, truth=Truth("arr_delay", 15.0)), 2)
    assert (first.truth, second.truth) == ((1.0, None), (0.0, 0.0))
    assert next(requests_of(LATE, truth=Truth("arr_delay"))).truth == (16.0,)
    with pytest.raises(ReplayError, match="no column 'delay' to take labels from"):
        next(requests_of(LATE, truth=Truth("delay")))


def test_one_partition_may_come_in_another_unit(tmp_path: Path) -> None:
    for month in ("06", "07"):
        (tmp_path / f"month={month}").mkdir()
        pq.write_table(pa.table({"hour": [10], "carrier": ["UA"]}), tmp_path / f"month={month}" / "part-0.parquet")
    names = ["month=06", "month=07"]
    legs = legs_of(str(tmp_path), names, 1, [Scale.parse("month=07:hour=60")])
    assert [json.loads(one.body)["inputs"][0]["data"] for one in asked(legs, INPUTS, 1)] == [[10], [600.0]]
    with pytest.raises(ReplayError, match="month=08: that partition is not among --partition month=06 month=07"):
        legs_of(str(tmp_path), names, 1, [Scale.parse("month=08:hour=60")])
    with pytest.raises(ReplayError, match="write it like month=11:distance"):
        Scale.parse("distance=2")


# ── against a server ──────────────────────────────────────────────────────────────────────────────────────────────────

Answer = Callable[[int], web.Response]


def everything(inputs: Any) -> Iterator[Asked]:
    return asked([Leg("", ROWS)], inputs, 1)


def served(answer: Answer, go: Callable[[str], Awaitable[Any]]) -> tuple[Any, list[web.Request]]:
    """Run `go` with the address of a server that answers the n-th request so."""
    seen: list[web.Request] = []

    async def infer(request: web.Request) -> web.Response:
        await request.read()
        seen.append(request)
        return answer(len(seen))

    async def metadata(request: web.Request) -> web.Response:
        return web.json_response({"name": "m", "inputs": INPUTS})

    async def run() -> Any:
        application = web.Application()
        application.router.add_post("/v2/models/m/infer", infer)
        application.router.add_get("/v2/models/m", metadata)
        runner = web.AppRunner(application)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            port = runner.addresses[0][1]
            return await go(f"http://127.0.0.1:{port}")
        finally:
            await runner.cleanup()

    return asyncio.run(run()), seen


def test_every_request_is_counted_once_by_status_and_version() -> None:
    out = io.StringIO()

    def answer(number: int) -> web.Response:
        return web.Response(status=503 if number % 10 == 0 else 200, headers={"x-model-version": f"v{number % 2}"})

    async def go(url: str) -> Tally:
        target = Target(url, "m", "flights.example", {"x-api-key": "k"})
        return await replay(everything, Replay(target, rate=500, seconds=0.2, out=out))

    tally, seen = served(answer, go)
    assert tally.statuses == {200: 90, 503: 10}
    assert {name: sum(found.values()) for name, found in tally.versions.items()} == {"v0": 50, "v1": 50}
    assert {request.headers["Host"] for request in seen} == {"flights.example"}
    assert {request.headers["x-api-key"] for request in seen} == {"k"}
    last = json.loads(out.getvalue().splitlines()[-1])
    assert (last["total"], last["sent"], last["statuses"]) == (True, 100, {"200": 90, "503": 10})


def test_it_ends_when_it_is_told_to_with_all_that_was_sent_answered() -> None:
    out = io.StringIO()

    async def go(url: str) -> Tally:
        run = Replay(Target(url, "m"), rate=200, seconds=3600, out=out)
        asyncio.get_running_loop().call_later(0.1, os.kill, os.getpid(), signal.SIGTERM)
        return await replay(everything, run)

    tally, seen = served(lambda _: web.Response(), go)
    assert tally.statuses == {200: len(seen)}
    assert json.loads(out.getvalue().splitlines()[-1])["sent"] == len(seen)


def test_no_answer_is_counted_as_status_0_and_ends_nothing() -> None:
    async def go(url: str) -> Tally:
        run = Replay(Target("http://127.0.0.1:9", "m"), rate=100, seconds=0.05, out=io.StringIO())
        async with aiohttp.ClientSession() as session:
            return await run.run(requests_of(ROWS), session)

    tally, _ = served(lambda _: web.Response(), go)
    assert tally.statuses == {0: 5}


def test_an_endpoint_that_is_not_there_stops_it_with_one_sentence(tmp_path: Path, capsys: Any) -> None:
    pq.write_table(ROWS, tmp_path / "part-0.parquet")
    assert main(["replay", "--path", str(tmp_path), "--url", "http://127.0.0.1:9", "--model", "m"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("gyre_data replay: GET http://127.0.0.1:9/v2/models/m: ")
    assert "Traceback" not in said


def test_what_turned_out_is_told_under_the_id_of_the_answer_and_only_for_what_was_answered() -> None:
    posted: list[dict[str, Any]] = []

    async def take(request: web.Request) -> web.Response:
        posted.extend(await request.json())
        return web.Response(status=202)

    def answer(number: int) -> web.Response:
        return web.Response(status=200 if number == 1 else 503, headers={"x-request-id": f"r{number}"})

    async def go(url: str) -> Tally:
        application = web.Application()
        application.router.add_post("/labels", take)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        labels = Labels(f"http://127.0.0.1:{runner.addresses[0][1]}/labels", after=0.0)
        run = Replay(Target(url, "m"), rate=20, seconds=0.1, labels=labels, out=out)
        try:
            return await replay(lambda inputs: asked([Leg("", LATE)], inputs, 4, Truth("arr_delay", 15.0)), run)
        finally:
            await runner.cleanup()

    out = io.StringIO()
    served(answer, go)
    assert posted == [{"id": f"r1-{row}", "label": label} for row, label in ((0, 1.0), (2, 0.0), (3, 0.0))]
    assert json.loads(out.getvalue().splitlines()[-1])["labels"] == 3


# ── what turned out ───────────────────────────────────────────────────────────────────────────────────────────────────


def told(labels: Labels, statuses: list[int], url: str = "") -> list[list[dict[str, Any]]]:
    """What a log is posted that answers so, one after the other, and then takes everything."""
    posted: list[list[dict[str, Any]]] = []

    async def take(request: web.Request) -> web.Response:
        posted.append(await request.json())
        return web.Response(status=statuses.pop(0) if statuses else 202)

    async def run() -> None:
        application = web.Application()
        application.router.add_post("/labels", take)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        labels.url = url or f"http://127.0.0.1:{runner.addresses[0][1]}/labels"
        try:
            async with aiohttp.ClientSession() as session:
                await labels.run(session)
        finally:
            await runner.cleanup()

    asyncio.run(run())
    return posted


def test_labels_are_named_by_request_and_row_and_those_that_never_come_are_not_sent() -> None:
    labels = Labels("", after=0.0)
    labels.later("r1", (1.0, None, 0.0))
    labels.later("", (1.0,))
    labels.close(now=False)
    assert told(labels, []) == [[{"id": "r1-0", "label": 1.0}, {"id": "r1-2", "label": 0.0}]]
    assert labels.told == 2


def test_labels_that_a_log_does_not_take_are_sent_again_and_counted_once() -> None:
    labels = Labels("", after=0.0)
    labels.later("r1", (1.0,))
    labels.close(now=False)
    assert told(labels, [503]) == [[{"id": "r1-0", "label": 1.0}]] * 2
    assert (labels.told, labels.trouble) == (1, "503 ")


def test_whoever_is_in_a_hurry_tells_labels_at_once_and_does_not_wait_for_a_log_that_is_away() -> None:
    soon = Labels("", after=3600.0)
    soon.later("r1", (1.0,))
    soon.close(now=True)
    assert len(told(soon, [])) == 1
    lost = Labels("", after=3600.0)
    lost.later("r1", (1.0,))
    lost.close(now=True)
    assert told(lost, [], url="http://127.0.0.1:9/labels") == []
    assert (lost.told, bool(lost.trouble)) == (0, True)
