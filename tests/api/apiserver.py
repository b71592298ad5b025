"""A real etcd and kube-apiserver on free ports of this machine, for the tests and benchmarks that need the truth.

Promises   authorization is RBAC, tokens are real, an audit log says who asked for what; both processes end with us, by pid.
Never      runs controllers: no garbage collection, no Jobs, no pods. What those would write, the test writes.

The data folder outlives a restart, so that a test can take the API server away in mid-run and bring it back.
"""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import requests
import yaml

REPOSITORY: Final = Path(__file__).resolve().parents[2]
ADMIN_TOKEN: Final = "admin"
START_SECONDS: Final = 90.0

AUDIT_EVERYTHING: Final = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {
            "level": "Request",
            "userGroups": ["system:serviceaccounts"],
            "verbs": ["create", "update", "patch", "delete"],
        },
        {"level": "Metadata", "userGroups": ["system:serviceaccounts"]},
        {"level": "Metadata", "users": ["admin"], "verbs": ["patch"], "resources": [{"group": "gyre.dev"}]},
        {"level": "None"},
    ],
}


def until(what: str, ask: Callable[[], Any], *, seconds: float = 60.0, every: float = 0.03) -> Any:
    """Ask until the answer is truthy and return it. An assertion, with the last answer or error, when it never is."""
    deadline, last = time.monotonic() + seconds, None
    while time.monotonic() < deadline:
        try:
            last = ask()
        except (requests.ConnectionError, requests.Timeout, OSError) as problem:
            last = problem
        else:
            if last:
                return last
        time.sleep(every)
    raise AssertionError(f"not within {seconds:.0f} s: {what}; last seen: {last!r}")


def binaries() -> Path:
    """The folder with etcd and kube-apiserver, built on first use (minutes), and KubeRay's CRDs."""
    found = subprocess.run(
        [sys.executable, "hack/cluster", "binaries", "--only", "etcd,kube-apiserver"],
        cwd=REPOSITORY,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return Path(found.stdout.strip().splitlines()[-1])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Process:
    """One child with its log, ended by pid."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.log = name, folder / f"{name}.log"
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._popen is not None, f"{self.name} was never started"
        return self._popen.pid

    def start(self, argv: list[str], *, env: dict[str, str] | None = None, cwd: Path | None = None) -> None:
        with self.log.open("ab") as log:
            self._popen = subprocess.Popen(argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=env, cwd=cwd)

    @property
    def running(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    def end(self, sig: signal.Signals = signal.SIGTERM, grace: float = 20.0) -> int | None:
        """Send the signal, wait, insist. The exit status, or None when it did not run."""
        if self._popen is None:
            return None
        if self._popen.poll() is None:
            self._popen.send_signal(sig)
            try:
                self._popen.wait(grace)
            except subprocess.TimeoutExpired:
                self._popen.kill()
                self._popen.wait()
        return self._popen.returncode

    def tail(self, lines: int = 15) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""


class ApiServer:
    """`start`, `stop`, `kill`, and the address and credentials of whoever wants to talk to it."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder, self._programs = folder, programs
        folder.mkdir(parents=True, exist_ok=True)
        self._etcd, self._apiserver = Process("etcd", folder), Process("kube-apiserver", folder)
        self._client_port, self._peer_port, self.port = free_port(), free_port(), free_port()
        self.audit_log = folder / "audit.log"
        self._starts: list[tuple[datetime, datetime]] = []

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def authority(self) -> Path:
        return self.folder / "certificates" / "apiserver.crt"

    @property
    def pids(self) -> dict[str, int]:
        return {process.name: process.pid for process in (self._etcd, self._apiserver)}

    def start(self) -> None:
        self._credentials()
        if not self._etcd.running:
            self._etcd.start(self._etcd_argv())
        began = datetime.now(UTC)
        if not self._apiserver.running:
            self._apiserver.start(self._apiserver_argv())
        try:
            until("the API server is ready", self._ready, seconds=START_SECONDS)
            self._starts.append((began, datetime.now(UTC)))
        except AssertionError as slow:
            self.stop()
            raise AssertionError(f"{slow}\n{self._etcd.tail(5)}\n{self._apiserver.tail()}") from None

    def was_starting(self, moment: datetime) -> bool:
        """Whether the server answered already, and had not said yet that it was ready."""
        return any(began <= moment <= ready for began, ready in self._starts)

    def stop(self) -> None:
        self.stop_apiserver()
        self._etcd.end()

    def stop_apiserver(self, sig: signal.Signals = signal.SIGKILL) -> None:
        """Take the API server away; etcd keeps what it had. SIGKILL, because a graceful end waits a minute for watches."""
        self._apiserver.end(sig)

    def destroy(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def kubeconfig(self, name: str, token: str) -> Path:
        path = self.folder / f"{name}.kubeconfig"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": "test", "cluster": {"server": self.url, "certificate-authority": str(self.authority)}}
            ],
            "users": [{"name": name, "user": {"token": token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": name}}],
            "current-context": "test",
        }
        path.write_text(json.dumps(config))
        return path

    def audited(self, offset: int = 0) -> Iterator[dict[str, Any]]:
        """What service accounts asked for about objects, oldest first, from this byte of the log on."""
        with self.audit_log.open("rb") as log:
            log.seek(offset)
            for line in log:
                if line.endswith(b"\n") and "objectRef" in (entry := json.loads(line)):
                    yield entry

    def _ready(self) -> bool:
        for process in (self._etcd, self._apiserver):
            if not process.running:
                raise AssertionError(f"{process.name} ended at once:\n{process.tail()}")
        if not self.authority.exists():  # the server makes its certificate before it listens
            return False
        answer = requests.get(
            f"{self.url}/readyz",
            headers={"Authorization": f"Bearer {ADMIN_TOKEN}"},
            verify=str(self.authority),
            timeout=2,
        )
        return answer.status_code == 200

    def _credentials(self) -> None:
        key = self.folder / "tokens.key"
        if not key.exists():
            curve = ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(key)]
            subprocess.run(curve, check=True, capture_output=True)
            (self.folder / "tokens.csv").write_text(f'{ADMIN_TOKEN},admin,admin,"system:masters"\n')
            (self.folder / "audit.yaml").write_text(yaml.safe_dump(AUDIT_EVERYTHING))

    def _etcd_argv(self) -> list[str]:
        client, peer = f"http://127.0.0.1:{self._client_port}", f"http://127.0.0.1:{self._peer_port}"
        return [
            str(self._programs / "etcd"),
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",
            "--log-level=warn",
        ]

    def _apiserver_argv(self) -> list[str]:
        key = self.folder / "tokens.key"
        return [
            str(self._programs / "kube-apiserver"),
            f"--etcd-servers=http://127.0.0.1:{self._client_port}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self.port}",
            f"--cert-dir={self.folder / 'certificates'}",
            f"--token-auth-file={self.folder / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            "--service-cluster-ip-range=10.99.0.0/24",
            # Nobody here makes the default ServiceAccount that this plugin would wait for.
            "--disable-admission-plugins=ServiceAccount",
            f"--audit-policy-file={self.folder / 'audit.yaml'}",
            f"--audit-log-path={self.audit_log}",
            "--audit-log-mode=blocking",
            "--shutdown-delay-duration=0s",
        ]
