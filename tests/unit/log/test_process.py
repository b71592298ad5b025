"""`python -m gyre_log` as a process of its own: killed again and again while it is being sent to, and how it leaves."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.unit.log.collecting import BATCHED, environment, exchange, rows_under

WORKLOADS = Path(__file__).parents[3] / "workloads"
Process = subprocess.Popen[str]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., tuple[Process, str]]]:
    """Starts a collector over the test's folder; (process, its address)."""
    begun: list[Process] = []

    def start(**changes: str) -> tuple[Process, str]:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        path = os.pathsep.join(str(WORKLOADS / part) for part in ("data", "train", "log"))
        more = {"PYTHONPATH": path, "GYRE_PORT": str(port), "GYRE_TERMINATION_LOG": str(tmp_path / "last-word")}
        process = subprocess.Popen(
            [sys.executable, "-m", "gyre_log"],
            env={**os.environ, **environment(tmp_path, **changes), **more},
            stderr=subprocess.PIPE,
            text=True,
        )
        begun.append(process)
        return process, f"http://127.0.0.1:{port}"

    yield start
    for process in begun:
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


def until(process: Process, text: str) -> None:
    lines = []
    assert process.stderr is not None
    for line in process.stderr:
        lines.append(line)
        if text in line:
            return
    raise AssertionError("".join(lines))


def send(client: httpx.Client, url: str, events: list[Any]) -> httpx.Response:
    return client.post(f"{url}/events", content=json.dumps(events), headers=BATCHED)


def test_who_is_killed_again_and_again_loses_nothing_and_doubles_nothing(start: Any, tmp_path: Path):
    """Killed with a message half done, or while it stores; what was not acknowledged is sent again, as a predictor does it."""
    fast = {"GYRE_LOG_FLUSH_SECONDS": "1", "GYRE_LOG_SEGMENT_BYTES": "2048"}
    batches = [[event for at in range(5) for event in exchange(f"b{number:03}x{at}")] for number in range(60)]
    process, url = start(**fast)
    until(process, "Uvicorn running")
    with httpx.Client(timeout=5) as client:
        for number, batch in enumerate(batches):
            if number % 12 == 7:
                with socket.create_connection(("127.0.0.1", httpx.URL(url).port or 0)) as unanswered:
                    content = json.dumps(batch).encode()
                    head = f"POST /events HTTP/1.1\r\nhost: x\r\ncontent-type: {BATCHED['content-type']}\r\n"
                    unanswered.sendall(f"{head}content-length: {len(content)}\r\n\r\n".encode() + content)
                    process.send_signal(signal.SIGKILL)
                    process.wait()
                process, url = start(**fast)
                until(process, "Uvicorn running")
            assert send(client, url, batch).status_code == 202
    process.send_signal(signal.SIGTERM)
    process.communicate()
    assert process.returncode == 0
    ids = [row["id"] for row in rows_under(tmp_path / "log")]
    assert ids == sorted(f"b{number:03}x{at}-0" for number in range(60) for at in range(5))
    assert json.loads((tmp_path / "journal" / "counts.json").read_text())["requests"] == 300


def test_who_is_told_to_leave_stores_what_it_has(start: Any, tmp_path: Path):
    process, url = start()
    until(process, "Uvicorn running")
    with httpx.Client() as client:
        assert send(client, url, exchange("r1")).status_code == 202
        assert client.get(f"{url}/status").json()["logged"] == 0
    process.send_signal(signal.SIGTERM)
    process.communicate()
    assert process.returncode == 0
    assert [row["id"] for row in rows_under(tmp_path / "log")] == ["r1-0"]


def test_what_prevents_collecting_is_the_last_word(start: Any, tmp_path: Path):
    process, _ = start(GYRE_LOG_MASKING="Hash")
    process.communicate()
    assert process.returncode == 1
    assert "GYRE_LOG_MASKING_KEY" in json.loads((tmp_path / "last-word").read_text())["error"]["message"]


def test_a_second_collector_waits_for_the_first(start: Any):
    first, _ = start()
    until(first, "Uvicorn running")
    second, _ = start()
    until(second, "waiting for the collector before this one")
    first.send_signal(signal.SIGTERM)
    until(second, "Uvicorn running")
