"""An endpoint that behaves as its artifact says: `/mnt/models/behaviour.json` {"failing": share, "milliseconds": m, "sigma": s}.

For tests of rollouts: a version that fails now and then or answers late, on purpose. Failures come in a fixed order, so that
their share is exact; times are lognormal around `milliseconds`.
"""

import asyncio
import itertools
import json
import random
import signal
from pathlib import Path

from aiohttp import web

BEHAVIOUR = json.loads(Path("/mnt/models/behaviour.json").read_text())
NUMBERS = itertools.count(1)
CHANCE = random.Random(7)


async def infer(request: web.Request) -> web.Response:
    await request.read()
    number, failing = next(NUMBERS), float(BEHAVIOUR["failing"])
    await asyncio.sleep(BEHAVIOUR["milliseconds"] / 1000 * CHANCE.lognormvariate(0.0, BEHAVIOUR["sigma"]))
    if int(number * failing) > int((number - 1) * failing):
        return web.json_response({"error": "broken on purpose"}, status=500)
    return web.json_response({"outputs": [{"name": "probability", "shape": [1], "datatype": "FP32", "data": [0.5]}]})


async def metadata(request: web.Request) -> web.Response:
    return web.json_response({"inputs": [{"name": "x", "datatype": "FP64", "shape": [-1]}]})


async def ready(request: web.Request) -> web.Response:
    return web.Response()


async def main() -> None:
    application = web.Application()
    application.router.add_post("/v2/models/{model}/infer", infer)
    application.router.add_get("/v2/models/{model}", metadata)
    application.router.add_get("/", ready)
    runner = web.AppRunner(application, shutdown_timeout=10)
    await runner.setup()
    await web.TCPSite(runner, "0.0.0.0", 8080).start()  # noqa: S104 - in its own pod
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()
    await runner.cleanup()


asyncio.run(main())
