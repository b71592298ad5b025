"""The yardstick: a client that does nothing but send prepared requests and read the answers, over 16 connections.

It parses nothing, decides nothing, watches nothing. What it needs for the same writes is what the API server needs.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Iterable
from dataclasses import dataclass

import aiohttp
from tests.api.apiserver import ApiServer


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    body: bytes
    content_type: str


class Bare:
    def __init__(self, server: ApiServer, token: str) -> None:
        self._server, self._token = server, token

    async def send(self, chains: Iterable[list[Request]], *, connections: int) -> float:
        """Each chain in order, `connections` chains at a time. Seconds from the first request to the last answer."""
        context = ssl.create_default_context(cafile=str(self._server.authority))
        connector = aiohttp.TCPConnector(limit=connections, ssl=context)
        left = iter(chains)
        async with aiohttp.ClientSession(connector=connector, headers=self._headers()) as session:
            started = time.monotonic()
            await asyncio.gather(*(self._work(session, left) for _ in range(connections)))
            return time.monotonic() - started

    async def _work(self, session: aiohttp.ClientSession, left: Iterable[list[Request]]) -> None:
        for chain in left:
            for request in chain:
                headers = {"Content-Type": request.content_type}
                url = self._server.url + request.path
                async with session.request(request.method, url, data=request.body, headers=headers) as answer:
                    said = await answer.read()
                    if answer.status >= 300:
                        raise RuntimeError(f"{request.method} {request.path}: {answer.status} {said[:500]!r}")

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}", "User-Agent": "bare"}
