"""What tests of the prediction log do in pods: make a small model, ask it at a steady rate, post labels, count what is stored.

    logged.py model FOLDER                    an ONNX artifact; its digest is printed
    logged.py ask PLAN                        {"blocks": [{"name", "url", "host", "model", "seconds"}], "rate", "bytes", "out"}
    logged.py label URL ASKED                 a label for each answer in the file of `ask`; token: LOG_TOKEN
    logged.py sums ROOT SERVICE ASKED         Parquet against that file; ROOT as in spec.log.uri, or a folder

`ask` is an open loop: request n of a block leaves when it is due, whether earlier ones were answered or not; each is sent once,
and what was answered is known by the id in the answer. Results are JSON, a line each.
"""

import asyncio
import json
import os
import sys
import time
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any, TextIO

PAUSE_SECONDS = 0.5
"""Between two blocks, so that what one has set going does not run in the next."""
LABELS_AT_ONCE = 1000


def say(**said: Any) -> None:
    print(json.dumps(said), flush=True)


# ── the model ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def model(folder: str) -> None:
    import numpy as np
    from pyarrow import fs

    from gyre_data.digest import of_folder, root
    from gyre_train.checkpoint import write_manifest
    from gyre_train.encoder import Encoder, Feature
    from gyre_train.graph import graph

    encoder = Encoder((Feature("x", "Numeric"),), {"x": 0.0}, {"x": 1.0}, (), {})
    weights = {"head.0.weight": np.array([[1.0]], np.float32), "head.0.bias": np.array([0.0], np.float32)}
    place = Path(folder)
    place.mkdir(parents=True)
    (place / "model.onnx").write_bytes(graph(weights, encoder))
    described = {"version": 1, "flavour": "onnx", "encoder": encoder.as_json(), "network": {"hidden": []}}
    (place / "model.json").write_text(json.dumps(described))
    write_manifest(place, 1)
    print(root(of_folder(fs.LocalFileSystem(), folder, fs.FileSelector(folder, recursive=True))))


# ── asking ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def x_of(number: int) -> float:
    """Each request asks for a value of its own, which has an exact text and an exact float64."""
    return number / 1024 - 1.0


def body_of(number: int, size: int) -> bytes:
    """One row; white space up to so many bytes, which JSON allows and the log keeps."""
    tensor = {"name": "x", "datatype": "FP64", "shape": [1], "data": [x_of(number)]}
    return json.dumps({"inputs": [tensor]}).encode().ljust(size)


async def ask(plan: dict[str, Any], out: TextIO) -> None:
    import aiohttp

    number = 0
    connector, patience = aiohttp.TCPConnector(limit=0), aiohttp.ClientTimeout(total=30)
    async with aiohttp.ClientSession(timeout=patience, connector=connector) as session:
        for at, block in enumerate(plan["blocks"]):
            count = round(plan["rate"] * block["seconds"])
            answers = await asked(session, block, range(number, number + count), plan)
            number += count
            out.writelines(json.dumps(one) + "\n" for one in answers)
            out.flush()
            statuses = Counter(str(one["status"]) for one in answers)
            say(block=at, name=block["name"], statuses=statuses, seconds=[round(one["seconds"], 6) for one in answers])
            await asyncio.sleep(PAUSE_SECONDS)
    say(total=number)


async def asked(session: Any, block: dict[str, Any], numbers: range, plan: dict[str, Any]) -> list[dict[str, Any]]:
    began, sent = time.monotonic(), []
    async with asyncio.TaskGroup() as group:
        for place, number in enumerate(numbers):
            due = began + place / plan["rate"]
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            sent.append(group.create_task(answer(session, block, number, due, plan["bytes"])))
    return [task.result() for task in sent]


async def answer(session: Any, block: dict[str, Any], number: int, due: float, size: int) -> dict[str, Any]:
    import aiohttp

    found: dict[str, Any] = {"number": number, "status": 0, "id": "", "version": "", "prediction": None}
    headers = {"Content-Type": "application/json", **({"Host": block["host"]} if block["host"] else {})}
    url = f"{block['url']}/v2/models/{block['model']}/infer"
    try:
        async with session.post(url, data=body_of(number, size), headers=headers) as answered:
            content = await answered.read()
            found |= {"status": answered.status, "id": answered.headers.get("x-request-id", "")}
            found["version"] = answered.headers.get("x-model-version", "")
            if answered.status == 200:
                found["prediction"] = json.loads(content)["outputs"][0]["data"][0]
    except (aiohttp.ClientError, TimeoutError) as problem:
        found["problem"] = repr(problem)
    return {**found, "seconds": time.monotonic() - due}


def answers_in(asked: str) -> list[dict[str, Any]]:
    """Those of a predictor: what the gateway says in its place has no version."""
    answers = [json.loads(line) for line in Path(asked).read_text().splitlines()]
    return [one for one in answers if one["version"]]


# ── labels ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def label(url: str, asked: str) -> None:
    labels = [{"id": f"{one['id']}-0", "label": one["number"] % 2} for one in answers_in(asked)]
    accepted: Counter[str] = Counter()
    for first in range(0, len(labels), LABELS_AT_ONCE):
        content = json.dumps(labels[first : first + LABELS_AT_ONCE]).encode()
        headers = {"content-type": "application/json", "authorization": f"Bearer {os.environ['LOG_TOKEN']}"}
        request = urllib.request.Request(url, content, headers)  # noqa: S310 - http
        with urllib.request.urlopen(request, timeout=30) as answered:  # noqa: S310
            accepted.update(json.loads(answered.read()))
    say(labels=len(labels), **accepted)


# ── what is stored ────────────────────────────────────────────────────────────────────────────────────────────────────


def sums(root: str, service: str, asked: str) -> None:
    """Read by pyarrow alone, as anybody might."""
    answers = {one["id"]: one for one in answers_in(asked)}
    rows = rows_of(root, f"service={service}", "version=", ["id", "version", "code", "in.x", "prediction"])
    labels = rows_of(root, f"service={service}", "labels", ["id", "label"])
    stored = {row["id"].removesuffix("-0"): row for row in rows}
    told = {row["id"].removesuffix("-0"): row["label"] for row in labels}
    say(
        answered=len(answers_in(asked)),
        ids=len(answers),
        rows=len(rows),
        stored=len(stored),
        missing=len(answers.keys() - stored.keys()),
        strangers=len(stored.keys() - answers.keys()),
        wrong=sum(not alike(answers[name], row) for name, row in stored.items() if name in answers),
        labels=len(labels),
        labelled=len(told.keys() & stored.keys()),
        mislabelled=sum(value != answers[name]["number"] % 2 for name, value in told.items()),
    )


def alike(answered: dict[str, Any], row: dict[str, Any]) -> bool:
    """The row is that very request and answer."""
    asked = row["in.x"] == x_of(answered["number"]) and row["version"] == answered["version"]
    return asked and row["code"] == answered["status"] and row["prediction"] == answered["prediction"]


def rows_of(root: str, service: str, below: str, columns: list[str]) -> list[dict[str, Any]]:
    import pyarrow.dataset as ds
    from pyarrow import fs

    files, place = fs.LocalFileSystem(), root
    if root.startswith("s3://"):
        endpoint = os.environ["ENDPOINT"].removeprefix("http://")
        files, place = fs.S3FileSystem(endpoint_override=endpoint, scheme="http"), root.removeprefix("s3://")
    found = files.get_file_info(fs.FileSelector(f"{place}/{service}", recursive=True, allow_not_found=True))
    wanted = f"{place}/{service}/{below}"
    paths = [one.path for one in found if one.path.startswith(wanted) and one.path.endswith(".parquet")]
    if not paths:
        return []
    rows: list[dict[str, Any]] = ds.dataset(sorted(paths), filesystem=files).to_table(columns=columns).to_pylist()
    return rows


def main() -> None:
    command, *given = sys.argv[1:]
    if command == "ask":
        plan = json.loads(given[0])
        with Path(plan["out"]).open("w") as out:
            asyncio.run(ask(plan, out))
    else:
        {"model": model, "label": label, "sums": sums}[command](*given)


main()
