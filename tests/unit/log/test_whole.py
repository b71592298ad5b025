"""A predictor and a collector as two processes: what was answered is in Parquet, and the sums match."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest
from tests.unit.log.collecting import environment, rows_under
from tests.unit.workloads import served

WORKLOADS = Path(__file__).parents[3] / "workloads"
Process = subprocess.Popen[str]


@pytest.fixture
def begun() -> Iterator[list[Process]]:
    """Processes that a test has begun; none outlives it."""
    found: list[Process] = []
    yield found
    for process in found:
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def start(begun: list[Process], module: str, port: int, settings: Mapping[str, str]) -> Process:
    path = os.pathsep.join(str(WORKLOADS / part) for part in ("data", "train", "serve", "log"))
    process = subprocess.Popen(
        [sys.executable, "-m", module],
        env={**os.environ, **settings, "PYTHONPATH": path, "GYRE_PORT": str(port), "GYRE_TERMINATION_LOG": os.devnull},
        stderr=subprocess.PIPE,
        text=True,
    )
    begun.append(process)
    assert process.stderr is not None
    assert any("Uvicorn running" in line for line in process.stderr), "it ended"
    return process


def leave(process: Process) -> None:
    process.send_signal(signal.SIGTERM)
    process.communicate()
    assert process.returncode == 0


def test_what_was_answered_is_in_the_log_and_the_sums_match(begun: list[Process], tmp_path: Path):
    """The collector is killed in between, and comes back; the predictor leaves before it."""
    digest = served.write_artifact(tmp_path / "artifact")
    ports = {"gyre_log": free_port(), "gyre_serve": free_port()}
    log = environment(tmp_path)
    told = {"GYRE_LOG_URL": f"http://127.0.0.1:{ports['gyre_log']}/events", "GYRE_QUIET_SECONDS": "1"}
    collector = start(begun, "gyre_log", ports["gyre_log"], log)
    predictor = start(
        begun, "gyre_serve", ports["gyre_serve"], served.environment(tmp_path / "artifact", digest, **told)
    )
    answers = {}
    with httpx.Client(base_url=f"http://127.0.0.1:{ports['gyre_serve']}") as client:
        for number in range(60):
            if number == 20:
                collector.kill()
                collector.wait()
            answer = client.post(served.PREDICT, json={"instances": [served.ROW]})
            answers[f"{answer.headers['x-request-id']}-0"] = answer.json()["predictions"][0]
            if number == 40:
                collector = start(begun, "gyre_log", ports["gyre_log"], log)
        bad = client.post(served.INFER, json={"inputs": []})
        page = client.get("/metrics").text
    counted = {
        name: int(float(count)) for name, count in re.findall(r'gyre_log_events_total{result="(.*)"} (.*)', page)
    }
    assert (counted["queued"], counted["dropped"]) == (61, 0)
    leave(predictor)
    leave(collector)
    rows = rows_under(tmp_path / "log")
    assert {row["id"]: row["prediction"] for row in rows if row["code"] == 200} == answers
    assert [row["id"] for row in rows if row["code"] == 400] == [f"{bad.headers['x-request-id']}-0"]
    assert len(rows) == 61
    good = next(row for row in rows if row["code"] == 200)
    assert (good["in.carrier"], good["in.hour"], good["in.temp"], good["in.weekday"]) == ("UA", 8.0, 30.5, "1")
