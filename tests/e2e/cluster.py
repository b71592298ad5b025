"""The cluster as the tests see it: reads by HTTP, because they are polled; everything else by kubectl, as users do it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

from kubernetes import config
from kubernetes.client import ApiClient
from kubernetes.client.exceptions import ApiException

from gyre.api.effects import Gvk, Ref
from gyre.kube.paths import collection, single

REPOSITORY = Path(__file__).resolve().parents[2]
KUBECTL = Path(sys.executable).parent / "kubectl"
POLL_SECONDS = 0.5

Object = dict[str, Any]
T = TypeVar("T")


class TooLate(AssertionError):
    """What was waited for did not come; the text says what was there instead."""


class Cluster:
    def __init__(self, kubeconfig: Path) -> None:
        self.kubeconfig = kubeconfig
        self._client: ApiClient = config.new_client_from_config(str(kubeconfig))

    # ── reads ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def find(self, gvk: Gvk, namespace: str, name: str) -> Object | None:
        return self._get(single(Ref(gvk, namespace, name)))

    def get(self, gvk: Gvk, namespace: str, name: str) -> Object:
        found = self.find(gvk, namespace, name)
        assert found is not None, f"{gvk.kind} {namespace}/{name} does not exist"
        return found

    def every(self, gvk: Gvk, namespace: str = "", selector: str = "") -> list[Object]:
        path = collection(gvk, namespace) + (f"?{urlencode({'labelSelector': selector})}" if selector else "")
        return list((self._get(path) or {}).get("items") or [])

    def _get(self, path: str) -> Object | None:
        headers: dict[str, str] = {"Accept": "application/json"}
        try:
            request = self._client.param_serialize("GET", path, header_params=headers, auth_settings=["BearerToken"])
            response = self._client.call_api(*request, _request_timeout=30)
        except ApiException as problem:
            if problem.status == 404:
                return None
            raise
        data = response.read()
        if response.status == 404:
            return None
        assert response.status == 200, f"GET {path}: {response.status} {data!r}"
        found: Object = json.loads(data)
        return found

    # ── commands, as users give them ─────────────────────────────────────────────────────────────────────────────────

    def kubectl(self, *arguments: str, given: str | None = None, seconds: float = 180) -> str:
        """What it printed; AssertionError with its complaint when it failed."""
        done = self.tried(*arguments, given=given, seconds=seconds)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr.strip()}"
        return done.stdout

    def tried(
        self, *arguments: str, given: str | None = None, seconds: float = 180
    ) -> subprocess.CompletedProcess[str]:
        command = [str(KUBECTL), f"--kubeconfig={self.kubeconfig}", *arguments]
        return subprocess.run(command, input=given, capture_output=True, text=True, timeout=seconds, check=False)

    def apply(self, *manifests: Mapping[str, Any], namespace: str | None = None) -> None:
        where = [f"--namespace={namespace}"] if namespace else []
        document = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(manifests)})
        self.kubectl("apply", "--server-side", "--field-manager=e2e", *where, "-f", "-", given=document)

    # ── waiting ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def until(
        self,
        what: str,
        probe: Callable[[], T | None],
        *,
        seconds: float,
        seen: Callable[[], object] = lambda: "",
        hopeless: Callable[[], str | None] = lambda: None,
    ) -> T:
        """The first true answer of `probe`. `seen` describes the present state for the message of a timeout;
        `hopeless` ends the wait early with its text, when what is waited for cannot come any more."""
        deadline = time.monotonic() + seconds
        while True:
            if answer := probe():
                return answer
            if why := hopeless():
                raise TooLate(f"{what}: will not come: {why}")
            if time.monotonic() > deadline:
                raise TooLate(f"{what}: not within {seconds:.0f} s; now: {seen()}")
            time.sleep(POLL_SECONDS)


def condition(obj: Mapping[str, Any] | None, type_: str) -> Object:
    """That condition, or an empty one of status Unknown."""
    for one in ((obj or {}).get("status") or {}).get("conditions") or ():
        if one["type"] == type_:
            return dict(one)
    return {"type": type_, "status": "Unknown", "reason": "", "message": ""}


def is_true(obj: Mapping[str, Any] | None, type_: str) -> bool:
    return str(condition(obj, type_)["status"]) == "True"


def brief(obj: Mapping[str, Any] | None) -> str:
    """Conditions in a line, for the message of a timeout."""
    if obj is None:
        return "it does not exist"
    conditions = (obj.get("status") or {}).get("conditions") or ()
    said = "; ".join(f"{c['type']}={c['status']} {c['reason']}: {c.get('message', '')}" for c in conditions)
    return said or "no conditions yet"
