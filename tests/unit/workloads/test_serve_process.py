"""`python -m gyre_serve` as a process of its own: what it says when it cannot serve, and how it leaves."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from tests.unit.workloads.served import PREDICT, ROW, environment, write_artifact

WORKLOADS = Path(__file__).parents[3] / "workloads"


@pytest.fixture
def start(tmp_path):
    """Starts a predictor of a fresh artifact; (process, its port, its termination log)."""
    begun = []

    def start(**changes):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        log = tmp_path / "termination-log"
        digest = write_artifact(tmp_path / "artifact")
        given = environment(tmp_path / "artifact", digest, **{"GYRE_PORT": str(port), **changes})
        path = os.pathsep.join(str(WORKLOADS / part) for part in ("data", "train", "serve", "log"))
        process = subprocess.Popen(
            [sys.executable, "-m", "gyre_serve"],
            env={**os.environ, **given, "PYTHONPATH": path, "GYRE_TERMINATION_LOG": str(log)},
            stderr=subprocess.PIPE,
            text=True,
        )
        begun.append(process)
        return process, port, log

    yield start
    for process in begun:
        process.kill()
        process.wait()
        process.stderr.close()


def until(process, text):
    """Its log up to the line that has `text`."""
    lines = []
    for line in process.stderr:
        lines.append(line)
        if text in line:
            return lines
    raise AssertionError("".join(lines))


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"GYRE_ARTIFACT_DIGEST": "sha256:" + "0" * 64}, "DigestMismatch"),
        ({"GYRE_ARTIFACT_DIR": "/nowhere"}, "NotFound"),
        ({"GYRE_MODEL_VERSION": ""}, "Internal"),
    ],
)
def test_what_prevents_serving_is_the_last_word(start, change, kind):
    process, _, log = start(**change)
    process.communicate()
    told = json.loads(log.read_text())
    assert (process.returncode, told["version"], told["error"]["class"]) == (1, 1, kind)
    assert told["error"]["message"]


def test_a_port_that_is_taken_is_the_last_word(start):
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        process, _, log = start(GYRE_PORT=str(port))
        process.communicate()
    assert process.returncode == 1
    assert json.loads(log.read_text())["error"]["message"] == f"port {port} cannot be listened on: is it taken?"


def test_who_is_told_to_leave_answers_what_is_under_way_and_what_still_comes(start):
    process, port, _ = start(GYRE_QUIET_SECONDS="1")
    until(process, "Uvicorn running")
    body = json.dumps({"instances": [ROW]}).encode()
    head = f"POST {PREDICT} HTTP/1.1\r\nhost: late\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", port)) as half:
        half.sendall(head + body[:5])
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            assert client.get("/v2/models/late/ready").status_code == 200
            process.send_signal(signal.SIGTERM)
            until(process, "leaving")
            assert client.get("/v2/models/late/ready").status_code == 503
            late = client.post(PREDICT, json={"instances": [ROW]})
            assert (late.status_code, late.headers["connection"]) == (200, "close")
        half.sendall(body[5:])
        answer = b"".join(iter(lambda: half.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"predictions" in answer
    process.communicate()
    assert process.returncode == 0


def test_who_is_told_to_leave_before_it_serves_goes_at_once(start):
    process, _, _ = start()
    until(process, "to serve")
    process.send_signal(signal.SIGTERM)
    process.communicate()
    assert process.returncode == 0
