"""The tests' own hands on the API server: a small synchronous client, as administrator or under any token.

Promises   every answer is a plain dict; a refusal is `Refused` with the server's Status; nothing is retried or cached.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import requests
import yaml
from tests.api.apiserver import ADMIN_TOKEN, ApiServer, until

from gyre.api.effects import Gvk, Ref
from gyre.kube.paths import collection, single

NAMESPACE = Gvk("", "v1", "Namespace", "namespaces", namespaced=False)
CRD = Gvk("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False)


class Refused(Exception):
    """Any answer but success; `status` is the decoded `metav1.Status`."""

    def __init__(self, code: int, status: dict[str, Any]) -> None:
        super().__init__(f"{code} {status.get('reason')}: {status.get('message')}")
        self.code, self.status, self.reason = code, status, status.get("reason", "")
        self.message = str(status.get("message", ""))

    @property
    def causes(self) -> list[tuple[str, str]]:
        """(field, message) of each cause."""
        causes = (self.status.get("details") or {}).get("causes") or ()
        return [(cause.get("field", ""), cause.get("message", "")) for cause in causes]


class Cluster:
    """Requests under one token."""

    def __init__(self, server: ApiServer, token: str = ADMIN_TOKEN) -> None:
        self.server = server
        self.warned = ""
        """What the last answer warned of."""
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {token}"
        self._session.trust_env = False  # no proxy stands between us and 127.0.0.1

    def request(self, method: str, path: str, body: Any = None, content_type: str = "application/json") -> Any:
        """An API server that has just started says 429 ("storage is (re)initializing"): it is asked again, as clients do."""
        answer = self._ask(method, path, body, content_type)
        for _ in range(60):
            if answer.status_code != 429:
                break
            time.sleep(0.5)
            answer = self._ask(method, path, body, content_type)
        self.warned = answer.headers.get("Warning", "")
        try:
            decoded = answer.json()
        except ValueError:
            decoded = {"message": answer.text}
        if not answer.ok:
            raise Refused(answer.status_code, decoded)
        return decoded

    def _ask(self, method: str, path: str, body: Any, content_type: str) -> requests.Response:
        return self._session.request(
            method,
            self.server.url + path,
            data=None if body is None else json.dumps(body),
            headers={"Content-Type": content_type},
            verify=str(self.server.authority),
            timeout=60,
        )

    # ── objects ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def get(self, ref: Ref) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self.request("GET", single(ref))
        except Refused as refused:
            if refused.code == 404:
                return None
            raise
        return found

    def list(self, gvk: Gvk, namespace: str = "", *, selector: str = "") -> list[dict[str, Any]]:
        query = f"?labelSelector={selector}" if selector else ""
        items = self.request("GET", collection(gvk, namespace) + query)["items"]
        return [{"apiVersion": gvk.api_version, "kind": gvk.kind, **item} for item in items]

    def watch(self, gvk: Gvk, namespace: str, *, since: str) -> Iterator[dict[str, Any]]:
        """Events after this resourceVersion, until the server ends the watch or goes; a connection of its own."""
        answer = requests.get(
            f"{self.server.url}{collection(gvk, namespace)}?watch=true&resourceVersion={since}",
            headers={"Authorization": self._session.headers["Authorization"]},
            verify=str(self.server.authority),
            stream=True,
            timeout=(10, 600),
        )
        try:
            yield from (json.loads(line) for line in answer.iter_lines() if line)
        except requests.RequestException:  # the server was taken away
            return

    def create(self, gvk: Gvk, manifest: dict[str, Any], *, validation: str = "Strict") -> dict[str, Any]:
        path = collection(gvk, manifest["metadata"].get("namespace", ""))
        return dict(self.request("POST", f"{path}?fieldValidation={validation}", manifest))

    def apply(
        self, ref: Ref, manifest: dict[str, Any], *, manager: str = "user", subresource: str = ""
    ) -> dict[str, Any]:
        path = single(ref) + (f"/{subresource}" if subresource else "")
        query = f"?fieldManager={manager}&force=true"
        return dict(self.request("PATCH", path + query, manifest, "application/apply-patch+yaml"))

    def patch(self, ref: Ref, patch: dict[str, Any], *, subresource: str = "") -> dict[str, Any]:
        """A merge patch."""
        path = single(ref) + (f"/{subresource}" if subresource else "")
        return dict(self.request("PATCH", path, patch, "application/merge-patch+json"))

    def delete(self, ref: Ref, **options: Any) -> None:
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background", **options}
        self.request("DELETE", single(ref), body)

    # ── conditions ───────────────────────────────────────────────────────────────────────────────────────────────────

    def wait(
        self, ref: Ref, what: str, holds: Callable[[dict[str, Any]], Any], *, seconds: float = 60.0
    ) -> dict[str, Any]:
        """The object, once it exists and the condition holds for it."""
        seen: list[Any] = [None]

        def ask() -> Any:
            seen[0] = self.get(ref)
            return seen[0] if seen[0] is not None and holds(seen[0]) else None

        try:
            return dict(until(f"{ref} {what}", ask, seconds=seconds))
        except AssertionError as late:
            brief = {key: value for key, value in (seen[0] or {}).items() if key in ("spec", "status", "data")}
            raise AssertionError(f"{late}\n{yaml.safe_dump(brief, sort_keys=False)[:4000]}") from None

    def wait_gone(self, ref: Ref, *, seconds: float = 60.0) -> None:
        until(f"{ref} is gone", lambda: self.get(ref) is None, seconds=seconds)

    # ── what every test needs ────────────────────────────────────────────────────────────────────────────────────────

    def namespace(self, name: str) -> str:
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        try:
            self.create(NAMESPACE, body)
        except Refused as refused:
            if refused.reason != "AlreadyExists":
                raise
        return name

    def token(self, namespace: str, name: str, *, seconds: int = 86400) -> str:
        """A real token of a ServiceAccount, as its pod would have it."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": seconds},
        }
        return str(self.request("POST", path, request)["status"]["token"])

    def established(self, names: list[str]) -> None:
        for name in names:
            self.wait(Ref(CRD, "", name), "is established", is_established)


def is_established(crd: dict[str, Any]) -> bool:
    return condition(crd, "Established").get("status") == "True"


def condition(obj: dict[str, Any], type_: str) -> dict[str, Any]:
    """The condition of this type, or an empty dict."""
    found = [c for c in (obj.get("status") or {}).get("conditions") or () if c["type"] == type_]
    return dict(found[0]) if found else {}


def holds(type_: str, status: str = "True") -> Callable[[dict[str, Any]], bool]:
    """For `wait`: the condition has this status, and is about the newest generation."""

    def ask(obj: dict[str, Any]) -> bool:
        found = condition(obj, type_)
        return found.get("status") == status and found.get("observedGeneration") == obj["metadata"].get("generation")

    return ask
