"""How soon gyre answers: from a change that reaches the API server to gyre's first write about that object.

Both moments are the API server's own, from its audit log. A change is a merge patch of `spec.timeLimit`, 50 a second, each of
another job; the answer is the status that says which generation was seen.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from bisect import bisect_left
from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import Any

import aiohttp
from tests.perf.bench import Bench, quiet
from tests.perf.burst import moment

from gyre.api.effects import Ref
from gyre.api.gvks import TRAINING_JOB
from gyre.kube.paths import single


@dataclass(frozen=True, slots=True)
class Latency:
    changes: int
    per_second: float
    p50: float
    p99: float
    worst: float
    unanswered: int

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def measure(bench: Bench, namespace: str, *, rate: float, seconds: float) -> Latency:
    """Needs a replica that leads and settled jobs in the namespace."""
    names = sorted(job["metadata"]["name"] for job in bench.cluster.list(TRAINING_JOB, namespace))
    offset = bench.audit_offset()
    asyncio.run(_change(bench, namespace, names, rate, round(rate * seconds)))
    quiet(bench.operators[-1])
    changed: dict[str, list[float]] = defaultdict(list)
    answered: dict[str, list[float]] = defaultdict(list)
    for entry in bench.server.audited(offset):
        about = entry["objectRef"]
        if about["resource"] != "trainingjobs" or about.get("namespace") != namespace or entry["verb"] != "patch":
            continue
        by_user = entry["user"]["username"] == "admin"
        (changed if by_user else answered)[about["name"]].append(moment(entry["requestReceivedTimestamp"]).timestamp())
    found, missing = [], 0
    for name, times in changed.items():
        answers = sorted(answered[name])
        for time in times:
            at = bisect_left(answers, time)
            if at == len(answers):
                missing += 1
            else:
                found.append(answers[at] - time)
    found.sort()
    return Latency(
        changes=sum(map(len, changed.values())),
        per_second=rate,
        p50=found[len(found) // 2],
        p99=found[min(len(found) - 1, len(found) * 99 // 100)],
        worst=found[-1],
        unanswered=missing,
    )


async def _change(bench: Bench, namespace: str, names: list[str], rate: float, count: int) -> None:
    loop = asyncio.get_running_loop()
    context = ssl.create_default_context(cafile=str(bench.server.authority))
    headers = {"Authorization": "Bearer admin", "Content-Type": "application/merge-patch+json"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64, ssl=context), headers=headers) as session:

        async def change(number: int) -> None:
            path = single(Ref(TRAINING_JOB, namespace, names[number % len(names)]))
            body = json.dumps({"spec": {"timeLimit": f"{1000 + number}m"}})
            async with session.patch(bench.server.url + path, data=body) as answer:
                if answer.status >= 300:
                    raise RuntimeError(await answer.text())

        started, tasks = loop.time(), []
        for number in range(count):
            await asyncio.sleep(max(0.0, started + number / rate - loop.time()))
            tasks.append(asyncio.create_task(change(number)))
        await asyncio.gather(*tasks)
