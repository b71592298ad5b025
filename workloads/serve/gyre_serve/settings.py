"""What the operator tells a predictor: its environment, checked before anything else is done."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gyre_serve.faults import StartError
from gyre_train.contract import S3

DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Settings:
    model: str  # the name in the URL
    version: str  # the ModelVersion's name, for header and metrics
    artifact: str  # a folder or s3://bucket/prefix
    digest: str
    s3: S3 | None
    max_body_bytes: int
    max_rows: int
    port: int
    quiet_seconds: float  # after SIGTERM: leave when nobody has asked for this long
    log_url: str  # of the prediction log's collector; empty: nothing is logged
    log_token: str  # the file with the token that it wants; empty: it wants none
    log_percent: int  # of the requests
    log_queue: int  # requests that may wait to be sent …
    log_queue_bytes: int  # … and their bytes

    @staticmethod
    def of(environment: Mapping[str, str]) -> Settings:
        """Raises StartError naming the variable."""
        uri, digest = needed(environment, "GYRE_ARTIFACT_URI"), needed(environment, "GYRE_ARTIFACT_DIGEST")
        if not DIGEST.fullmatch(digest):
            raise StartError("Internal", f"GYRE_ARTIFACT_DIGEST is {digest!r}, not sha256:<64 hexadecimal digits>")
        if not uri.startswith(("pvc://", "s3://")):
            raise StartError("NotFound", f"GYRE_ARTIFACT_URI is {uri!r}: give pvc://claim/path or s3://bucket/path")
        log_url = environment.get("GYRE_LOG_URL", "").strip()
        if log_url and not log_url.startswith("http://"):
            raise StartError("Internal", f"GYRE_LOG_URL is {log_url!r}: give http://host[:port]/path")
        folder = environment.get("GYRE_ARTIFACT_DIR") or "/mnt/models"
        return Settings(
            model=needed(environment, "GYRE_MODEL"),
            version=needed(environment, "GYRE_MODEL_VERSION"),
            artifact=(uri if uri.startswith("s3://") else folder).rstrip("/"),
            digest=digest,
            s3=S3(environment.get("GYRE_S3_ENDPOINT") or None, environment.get("GYRE_S3_REGION") or None),
            max_body_bytes=whole(environment, "GYRE_MAX_BODY_BYTES", 1 << 20),
            max_rows=whole(environment, "GYRE_MAX_ROWS", 10_000),
            port=whole(environment, "GYRE_PORT", 8080),
            quiet_seconds=whole(environment, "GYRE_QUIET_SECONDS", 2),
            log_url=log_url,
            log_token=environment.get("GYRE_LOG_TOKEN_FILE", "").strip(),
            log_percent=whole(environment, "GYRE_LOG_PERCENT", 100, least=0),
            log_queue=whole(environment, "GYRE_LOG_QUEUE", 10_000),
            log_queue_bytes=whole(environment, "GYRE_LOG_QUEUE_BYTES", 16 << 20),
        )


def needed(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "").strip()
    if not value:
        raise StartError("Internal", f"{name} is not set; docs/serve-contract.md lists what a predictor needs")
    return value


def whole(environment: Mapping[str, str], name: str, default: int, *, least: int = 1) -> int:
    text = environment.get(name) or str(default)
    if not text.isascii() or not text.isdigit() or int(text) < least:
        raise StartError("Internal", f"{name} is {text!r}, not a whole number above {least - 1}")
    return int(text)
