"""Brings progress to the operator and its commands back, beside the training and never in its way.

Promises   the newest progress is pushed at once when something happened, every few seconds while there is anything new, and
           else half as often, as a sign of life; what could not be pushed is replaced by the newer and tried again; commands
           are in the answer to a push, and asked for between two.
Never      raises into the run, blocks it, logs the token, keeps more than one progress waiting, or writes to ask.

With a cluster the sink is one ConfigMap, reached with the pod's ServiceAccount token; without one it is a folder, so that
a run can be watched and tested anywhere.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from gyre_train.contract import Command, encoded

log = logging.getLogger("gyre.progress")

ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
REQUEST_SECONDS: Final = (3.05, 10.0)  # connect, read
RETRY_SECONDS: Final = (1.0, 2.0, 4.0, 8.0, 15.0)
ASKS: Final = 2
"""Times in a period that the driver asks what the operator wants. To ask costs a read; to push a write, one more of the status,
and news to everybody who watches ConfigMaps."""
QUIET: Final = 2
"""Periods without anything new that pass between two pushes."""
CLOCKWORK: Final = ("heartbeat", "ledger", "stepsPerSecond")
"""Parts of a progress that differ each time that it is read."""


class Sink(Protocol):
    def push(self, progress: str) -> Command:
        """Deliver progress.json; what command.json says now. Raises OSError when it did not arrive."""
        ...

    def ask(self) -> Command:
        """What command.json says now. Raises OSError when nobody answers."""
        ...


class Folder:
    """progress.json and command.json as files, for a run without a cluster."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def push(self, progress: str) -> Command:
        partial = self._folder / ".progress.json"
        partial.write_text(progress, encoding="utf-8")
        partial.replace(self._folder / "progress.json")
        return self.ask()

    def ask(self) -> Command:
        command = self._folder / "command.json"
        return Command.parse(command.read_text(encoding="utf-8")) if command.exists() else Command()


class ConfigMap:
    """One key of one ConfigMap, by merge PATCH.

    The token is read for every request: the kubelet rotates it. `server` like https://10.96.0.1:443.
    """

    def __init__(self, server: str, namespace: str, name: str, account: Path = ACCOUNT) -> None:
        import requests

        self._url = f"{server}/api/v1/namespaces/{namespace}/configmaps/{name}"
        self._account = account
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy or CA bundle of the environment is not meant for the API server
        certificate = account / "ca.crt"
        self._session.verify = str(certificate) if certificate.exists() else True

    def push(self, progress: str) -> Command:
        body = json.dumps({"data": {"progress.json": progress}}).encode()
        how = {"fieldManager": "gyre-driver"}
        return self._command(self._session.patch(self._url, params=how, data=body, **self._how("merge-patch+json")))

    def ask(self) -> Command:
        # Without resourceVersion=0, which may be answered with what was before the last answer: a command would come back.
        return self._command(self._session.get(self._url, **self._how("json")))

    def _how(self, kind: str) -> dict[str, Any]:
        token = (self._account / "token").read_text(encoding="utf-8").strip()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": f"application/{kind}"}
        return {"headers": headers, "timeout": REQUEST_SECONDS, "allow_redirects": False}

    def _command(self, answer: Any) -> Command:
        if answer.status_code != 200:
            method = answer.request.method
            raise OSError(f"{method} of the run's ConfigMap: HTTP {answer.status_code} {answer.reason}")
        return Command.parse((answer.json().get("data") or {}).get("command.json"))


def sink_from(environment: Mapping[str, str], fallback: Path) -> Sink:
    """The ConfigMap that the operator named, or `fallback`."""
    name, host = environment.get("GYRE_CONFIGMAP"), environment.get("KUBERNETES_SERVICE_HOST")
    if name and host:
        port = environment.get("KUBERNETES_SERVICE_PORT_HTTPS") or environment.get("KUBERNETES_SERVICE_PORT") or "443"
        server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
        return ConfigMap(server, environment.get("GYRE_NAMESPACE", "default"), name)
    return Folder(Path(environment.get("GYRE_PROGRESS_DIR") or fallback))


class Pusher:
    """A thread that pushes `snapshot()` and hands every new command to `obey`. `every`: seconds of a period."""

    def __init__(
        self,
        sink: Sink,
        snapshot: Callable[[], dict[str, Any]],
        obey: Callable[[Command], None],
        *,
        every: float,
        retry: tuple[float, ...] = RETRY_SECONDS,
    ) -> None:
        self._sink, self._snapshot, self._obey = sink, snapshot, obey
        self._every, self._retry = every, retry
        self._news = threading.Event()
        self._news.set()
        self._closing = threading.Event()
        self._command = Command()
        self._failures = 0
        self._told: dict[str, Any] = {}
        self._asked = 0  # times since the last push
        self._thread = threading.Thread(target=self._run, name="gyre-progress", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def soon(self) -> None:
        """Something happened that must not wait for the heartbeat."""
        self._news.set()

    def close(self, within: float = 20.0) -> bool:
        """Push the last word, trying for `within` seconds; whether it arrived."""
        self._closing.set()
        self._news.set()
        self._thread.join(timeout=REQUEST_SECONDS[1] + 1)
        deadline = time.monotonic() + within
        while not self._heard(self._push):
            if time.monotonic() >= deadline:
                return False
            time.sleep(min(1.0, self._retry[0]))
        return True

    def _run(self) -> None:
        while not self._closing.is_set():
            if self._heard(self._turn):
                self._news.wait(self._every / ASKS)
            else:  # while nobody answers, news do not make us ask more often
                self._closing.wait(self._retry[min(self._failures, len(self._retry)) - 1])

    def _turn(self) -> Command:
        if self._news.is_set() or self._failures or self._due():
            self._news.clear()  # before the snapshot: what comes after it is news again
            return self._push()
        self._asked += 1
        return self._sink.ask()

    def _due(self) -> bool:
        """Is it time for what is new, or for a sign of life?"""
        passed = self._asked + 1
        return passed >= ASKS * QUIET or (passed >= ASKS and substance(self._snapshot()) != self._told)

    def _push(self) -> Command:
        progress = self._snapshot()
        command = self._sink.push(encoded(progress))
        self._told, self._asked = substance(progress), 0
        return command

    def _heard(self, turn: Callable[[], Command]) -> bool:
        try:
            command = turn()
        except Exception as error:  # whatever it is, the run goes on
            self._failures += 1
            if self._failures in (1, 10) or self._failures % 100 == 0:
                log.warning("progress was not delivered (%d times in a row): %s", self._failures, error)
            return False
        self._failures = 0
        if command != self._command:
            self._command = command
            self._hand_over(command)
        return True

    def _hand_over(self, command: Command) -> None:
        try:
            self._obey(command)
        except Exception:
            log.exception("a command could not be carried out")


def substance(progress: Mapping[str, Any]) -> dict[str, Any]:
    """A progress without what differs each time that it is read."""
    return {name: value for name, value in progress.items() if name not in CLOCKWORK}


def head_from(environment: Mapping[str, str]) -> dict[str, str]:
    return {"pod": environment.get("GYRE_POD_NAME") or os.uname().nodename, "uid": environment.get("GYRE_POD_UID", "")}
