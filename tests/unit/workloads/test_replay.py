"""Rows as traffic: what is sent, what is counted, and what stops it before it begins."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
from collections.abc import Awaitable, Callable
from itertools import islice
from pathlib import Path
from typing import Any

import aiohttp
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from aiohttp import web

from gyre_data.__main__ import main
from gyre_data.replay import Replay, ReplayError, Tally, Target, bodies, quantile, replay, table_of

ROWS = pa.table({"hour": [5, 6, None], "carrier": ["UA", "B6", "AA"], "late": [0, 1, 0]})
INPUTS = [{"name": "hour", "datatype": "FP64"}, {"name": "carrier", "datatype": "BYTES"}]


def test_a_body_has_one_tensor_a_feature_and_nothing_that_the_model_did_not_ask_for() -> None:
    first, second = (json.loads(body) for body in islice(bodies(ROWS, INPUTS, rows=1), 2))
    assert first == {
        "inputs": [
            {"name": "hour", "shape": [1], "datatype": "FP64", "data": [5]},
            {"name": "carrier", "shape": [1], "datatype": "BYTES", "data": ["UA"]},
        ]
    }
    assert second["inputs"][1]["data"] == ["B6"]


def test_rows_that_lack_a_value_are_left_out_and_the_table_begins_again_at_its_end() -> None:
    carriers = [json.loads(body)["inputs"][1]["data"] for body in islice(bodies(ROWS, INPUTS, rows=2), 3)]
    assert carriers == [["UA", "B6"]] * 3


def test_a_column_that_the_model_wants_and_the_rows_lack_is_named() -> None:
    with pytest.raises(ReplayError, match="distance, which the rows do not have"):
        next(bodies(ROWS, [{"name": "distance", "datatype": "FP64"}], rows=1))


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


# ── against a server ──────────────────────────────────────────────────────────────────────────────────────────────────

Answer = Callable[[int], web.Response]


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
        return await replay(ROWS, Replay(target, rate=500, seconds=0.2, out=out))

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
        return await replay(ROWS, run)

    tally, seen = served(lambda _: web.Response(), go)
    assert tally.statuses == {200: len(seen)}
    assert json.loads(out.getvalue().splitlines()[-1])["sent"] == len(seen)


def test_no_answer_is_counted_as_status_0_and_ends_nothing() -> None:
    async def go(url: str) -> Tally:
        run = Replay(Target("http://127.0.0.1:9", "m"), rate=100, seconds=0.05, out=io.StringIO())
        async with aiohttp.ClientSession() as session:
            return await run.run(bodies(ROWS, INPUTS, rows=1), session)

    tally, _ = served(lambda _: web.Response(), go)
    assert tally.statuses == {0: 5}


def test_an_endpoint_that_is_not_there_stops_it_with_one_sentence(tmp_path: Path, capsys: Any) -> None:
    pq.write_table(ROWS, tmp_path / "part-0.parquet")
    assert main(["replay", "--path", str(tmp_path), "--url", "http://127.0.0.1:9", "--model", "m"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("gyre_data replay: GET http://127.0.0.1:9/v2/models/m: ")
    assert "Traceback" not in said
