"""The few requests gyre makes, over `kubernetes.aio`: get, list, create, server-side apply, delete.

Promises   objects in and out are plain dicts; errors are `gyre.kube.errors`; one connection pool for all kinds; tokens are
           re-read as the official client does it.
Never      retries by itself (the queue does, with back-off), keeps objects, or uses the generated model classes: they cost
           ten times the time of the request itself.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Protocol
from urllib.parse import urlencode
from urllib.request import getproxies

import aiohttp
import orjson
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration

from gyre.api.effects import Gvk, Manifest, Ref
from gyre.api.kind import Object
from gyre.kube import errors
from gyre.kube.paths import collection, single

APPLY = "application/apply-patch+yaml"
METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
CONNECTIONS = 32
REQUEST_SECONDS = 30.0
PAGE = 100
"""Objects of a list at a time: a page of RayJobs as trees of dicts is ten times its text, and memory once taken stays taken."""


class Api(Protocol):
    """What the engine needs of a cluster. `KubeApi` is the real one; the sweep tests have one in memory."""

    async def get(self, ref: Ref) -> Object: ...
    async def create(self, ref: Ref, manifest: Manifest, *, manager: str) -> Object: ...
    async def apply(self, ref: Ref, manifest: Manifest, *, manager: str, subresource: str = "") -> Object: ...
    async def delete(self, ref: Ref, *, uid: str) -> Object: ...
    async def replace(self, ref: Ref, manifest: Manifest, *, manager: str) -> Object: ...
    def list(
        self, gvk: Gvk, *, namespace: str = "", selector: str = "", metadata_only: bool = False
    ) -> AsyncIterator[Object]: ...


class KubeApi:
    """`Api` over HTTPS."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client

    @classmethod
    async def connect(cls, *, kubeconfig: str | None = None, context: str | None = None) -> KubeApi:
        """In the cluster when there is a service account, else the kubeconfig (KUBECONFIG, ~/.kube/config)."""
        configuration = Configuration()
        configuration.connection_pool_maxsize = CONNECTIONS
        # aiohttp reads ~/.netrc in a thread for each request when it trusts the environment: a quarter of a request's CPU.
        configuration.client_session_kwargs = {"trust_env": bool(getproxies())}
        try:
            if kubeconfig or context:
                raise config.ConfigException("an explicit kubeconfig was asked for")
            config.load_incluster_config(client_configuration=configuration)
        except config.ConfigException:
            await config.load_kube_config(config_file=kubeconfig, context=context, client_configuration=configuration)
        client = ApiClient(configuration)
        client.user_agent = "gyre"
        return cls(client)

    async def close(self) -> None:
        await self._client.close()

    async def get(self, ref: Ref) -> Object:
        return await self._request("GET", single(ref))

    async def create(self, ref: Ref, manifest: Manifest, *, manager: str) -> Object:
        path = f"{collection(ref.gvk, ref.namespace)}?{urlencode({'fieldManager': manager})}"
        return await self._request("POST", path, manifest)

    async def apply(self, ref: Ref, manifest: Manifest, *, manager: str, subresource: str = "") -> Object:
        path = single(ref) + (f"/{subresource}" if subresource else "")
        query = urlencode({"fieldManager": manager, "force": "true"})
        return await self._request("PATCH", f"{path}?{query}", manifest, content_type=APPLY)

    async def replace(self, ref: Ref, manifest: Manifest, *, manager: str) -> Object:
        path = f"{single(ref)}?{urlencode({'fieldManager': manager})}"
        return await self._request("PUT", path, manifest)

    async def delete(self, ref: Ref, *, uid: str) -> Object:
        """The object as it is now, when something holds it up (a finalizer, a grace period); else a Status."""
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": {"uid": uid},
        }
        return await self._request("DELETE", single(ref), options)

    async def list(
        self, gvk: Gvk, *, namespace: str = "", selector: str = "", metadata_only: bool = False
    ) -> AsyncIterator[Object]:
        """Every object of a kind, in one namespace or in all, in pages. Raises `Gone` when the list outlived its token."""
        token = ""
        while True:
            query = {"limit": str(PAGE)}
            if selector:
                query["labelSelector"] = selector
            if token:
                query["continue"] = token
            accept = METADATA_ONLY if metadata_only else "application/json"
            page = await self._request("GET", f"{collection(gvk, namespace)}?{urlencode(query)}", accept=accept)
            for item in page.get("items") or ():
                item.setdefault("apiVersion", gvk.api_version)
                item.setdefault("kind", gvk.kind)
                yield item
            token = page.get("metadata", {}).get("continue", "")
            if not token:
                return

    async def _request(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> Object:
        headers = {**self._client.default_headers, "Accept": accept, "Content-Type": content_type}
        await self._client.update_params_for_auth(headers, [], ["BearerToken"], path, method, None)
        url = self._client.configuration.host + path
        try:
            answer = await self._client.rest_client.request(
                method, url, headers=headers, body=body, _request_timeout=REQUEST_SECONDS
            )
            raw = await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as problem:
            raise errors.Unavailable(0, type(problem).__name__, str(problem) or "no answer") from problem
        decoded = _decode(raw)
        if 200 <= answer.status < 300:
            return decoded if isinstance(decoded, dict) else {}
        raise errors.from_answer(answer.status, decoded, answer.getheader("Retry-After"))


def _decode(raw: bytes) -> Any:
    try:
        return orjson.loads(raw)
    except ValueError:
        return raw.decode(errors="replace")
