"""What the operator tells a collector: its environment, checked before anything else is done."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gyre_log.faults import StartError
from gyre_log.masking import MODES, Masking, masking
from gyre_train.contract import S3

NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
"""Of a service or a version: both become folders."""


@dataclass(frozen=True, slots=True)
class Settings:
    service: str
    root: str  # a folder or s3://bucket/prefix, for this process
    uri: str  # the same place as people write it
    s3: S3 | None
    journal: Path  # where what is acknowledged lies until it is stored
    percent: int
    masking: Masking
    token: str  # what senders show; empty: nobody is asked
    retention_days: int  # 0: for ever
    flush_seconds: float
    segment_bytes: int  # a segment of the journal is stored when it is this large, however young
    journal_bytes: int  # bound of all that waits
    max_body_bytes: int
    pair_seconds: float  # how long a request waits for its response, which a foreign agent sends apart
    port: int

    @staticmethod
    def of(environment: Mapping[str, str]) -> Settings:
        """Raises StartError naming the variable."""
        service, uri = needed(environment, "GYRE_LOG_SERVICE"), needed(environment, "GYRE_LOG_URI")
        if not NAME.fullmatch(service):
            raise StartError(f"GYRE_LOG_SERVICE is {service!r}, not the name of an InferenceService")
        if not uri.startswith(("pvc://", "s3://")):
            raise StartError(f"GYRE_LOG_URI is {uri!r}: give pvc://claim/path or s3://bucket/prefix")
        root = uri if uri.startswith("s3://") else needed(environment, "GYRE_LOG_DIR")
        default = "" if root.startswith("s3://") else f"{root.rstrip('/')}/service={service}/.journal"
        return Settings(
            service=service,
            root=root.rstrip("/"),
            uri=uri.rstrip("/"),
            s3=S3(environment.get("GYRE_S3_ENDPOINT") or None, environment.get("GYRE_S3_REGION") or None),
            journal=Path(environment.get("GYRE_LOG_JOURNAL") or default or needed(environment, "GYRE_LOG_JOURNAL")),
            percent=whole(environment, "GYRE_LOG_PERCENT", 100, most=100),
            masking=masked(environment),
            token=shown(environment),
            retention_days=whole(environment, "GYRE_LOG_RETENTION_DAYS", 0),
            flush_seconds=whole(environment, "GYRE_LOG_FLUSH_SECONDS", 30, least=1),
            segment_bytes=whole(environment, "GYRE_LOG_SEGMENT_BYTES", 8 << 20, least=1024),
            journal_bytes=whole(environment, "GYRE_LOG_JOURNAL_BYTES", 256 << 20, least=4096),
            max_body_bytes=whole(environment, "GYRE_LOG_MAX_BODY_BYTES", 8 << 20, least=1024),
            pair_seconds=whole(environment, "GYRE_LOG_PAIR_SECONDS", 120, least=1),
            port=whole(environment, "GYRE_PORT", 8080, least=1),
        )


def masked(environment: Mapping[str, str]) -> Masking:
    mode = environment.get("GYRE_LOG_MASKING") or "None"
    if mode not in MODES:
        raise StartError(f"GYRE_LOG_MASKING is {mode!r}, not one of {', '.join(MODES)}")
    key = environment.get("GYRE_LOG_MASKING_KEY", "")
    if mode == "Hash" and len(key) < 16:
        raise StartError(
            "GYRE_LOG_MASKING_KEY has fewer than 16 characters: put a long random text into the Secret's key"
        )
    names = [line for line in environment.get("GYRE_LOG_MASKING_FEATURES", "").split("\n") if line]
    return masking(mode, names, key)


def shown(environment: Mapping[str, str]) -> str:
    """Open only for who says so: a token that is missing is no reason to take from everybody."""
    auth, token = environment.get("GYRE_LOG_AUTH") or "Token", environment.get("GYRE_LOG_TOKEN", "").strip()
    if auth not in ("Token", "None"):
        raise StartError(f"GYRE_LOG_AUTH is {auth!r}, not Token or None")
    if auth == "Token" and (len(token) < 16 or not token.isascii() or not token.isprintable()):
        raise StartError(
            "GYRE_LOG_TOKEN is not 16 printable ASCII characters or more: put a long random text into the Secret's key"
        )
    return token if auth == "Token" else ""


def needed(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name, "").strip()
    if not value:
        raise StartError(f"{name} is not set; docs/prediction-log.md lists what a collector needs")
    return value


def whole(environment: Mapping[str, str], name: str, default: int, *, least: int = 0, most: int = 1 << 50) -> int:
    text = environment.get(name) or str(default)
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
        raise StartError(f"{name} is {text!r}, not a whole number from {least} on")
    return int(text)


def here() -> Settings:
    return Settings.of(os.environ)
