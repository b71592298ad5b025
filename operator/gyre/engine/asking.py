"""HTTP GETs of things in the cluster that are no API objects: metrics of a pod, a route as its clients see it.

Promises   an answer within two seconds, whatever happens; never raises; never half an answer, since counters that are cut off
           look like counters that began anew; one that is young enough is given again, so that several looks ask once; each
           question is that of a new caller, on a connection of its own.
Never      follows a redirect, uses a proxy, sends a credential that it was not handed, or judges a certificate: whoever asks
           over TLS asks whether somebody is let in, not who answers.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import aiohttp

from gyre.api.kind import Answer
from gyre.engine.clock import Monotonic, Now

LIMIT_SECONDS = 2.0
LONGEST = 8 * 2**20
REMEMBERED = 1000

Question: TypeAlias = tuple[str, tuple[tuple[str, str], ...]]


class Asker:
    def __init__(self, *, now: Now, monotonic: Monotonic) -> None:
        self._now, self._monotonic = now, monotonic
        self._session: aiohttp.ClientSession | None = None
        self._kept: OrderedDict[Question, tuple[float, Answer]] = OrderedDict()

    async def ask(self, url: str, headers: Mapping[str, str] | None = None, *, max_age: float = 0.0) -> Answer:
        question = (url, tuple(sorted((headers or {}).items())))
        kept = self._kept.get(question)
        if kept is not None and self._monotonic() - kept[0] <= max_age:
            return kept[1]
        asked, answer = self._monotonic(), await self._get(url, headers or {})
        self._kept[question] = (asked, answer)
        self._kept.move_to_end(question)
        if len(self._kept) > REMEMBERED:
            self._kept.popitem(last=False)
        return answer

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _get(self, url: str, headers: Mapping[str, str]) -> Answer:
        at = self._now()
        try:
            async with self._open().get(url, headers=headers, **_tls(url, headers)) as answer:
                text = bytearray()
                while more := await answer.content.read(LONGEST):
                    text += more
                    if len(text) > LONGEST:
                        return Answer(0, "", f"an answer of more than {LONGEST} bytes", at)
                return Answer(answer.status, text.decode(errors="replace"), "", at)
        except TimeoutError:
            return Answer(0, "", f"no answer within {LIMIT_SECONDS:g} s", at)
        except (aiohttp.ClientError, OSError, ValueError) as problem:
            return Answer(0, "", f"{type(problem).__name__}: {problem}"[:300], at)

    def _open(self) -> aiohttp.ClientSession:
        """Made at the first question: a session belongs to the running loop."""
        if self._session is None:
            limit = aiohttp.ClientTimeout(total=LIMIT_SECONDS)
            # A connection for each question: one that is kept goes on as it was opened, at a listener that asks nobody for a
            # certificate or knows no route yet, and always at the same of a gateway's pods; a new caller is told otherwise.
            each = aiohttp.TCPConnector(force_close=True)
            self._session = aiohttp.ClientSession(
                connector=each, timeout=limit, trust_env=False, headers={"User-Agent": "gyre"}
            )
        return self._session


def _tls(url: str, headers: Mapping[str, str]) -> dict[str, Any]:
    """An address has no name of its own: the name that the gateway chooses a listener by is that of the Host header."""
    options: dict[str, Any] = {"allow_redirects": False}
    parts = urlsplit(url)
    if parts.scheme != "https":
        return options
    host = next((value for name, value in headers.items() if name.lower() == "host"), "")
    options["ssl"] = False
    if host and _is_address(parts.hostname or ""):
        options["server_hostname"] = host.partition(":")[0]
    return options


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
