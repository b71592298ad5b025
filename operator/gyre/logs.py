"""Structured logs: one JSON object a line, one line a decision. On a terminal, the same facts for a person's eye."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

_BUILT_IN = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "k8s_skip", "k8s_ref", "settings"}


def _facts(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in _BUILT_IN}


class JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_facts(record),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class Plain(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        stamp = datetime.fromtimestamp(record.created).strftime("%H:%M:%S")
        facts = _facts(record)
        if record.name == "gyre.decisions" and "reason" in facts:
            effects = "; ".join(facts["effects"])
            text = f"{record.getMessage()}  {facts['outcome']}/{facts['reason']}  {facts['decision']}"
            return f"{stamp} {text}" + (f"  [{effects}]" if effects else "")
        error = f"\n{self.formatException(record.exc_info)}" if record.exc_info else ""
        return f"{stamp} {record.levelname.lower():7} {record.name}: {record.getMessage()}{error}"


def configure(*, plain: bool | None = None, verbose: bool = False) -> None:
    """Log to standard error. `plain` None: plain when standard error is a terminal."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Plain() if (sys.stderr.isatty() if plain is None else plain) else JsonLines())
    logging.basicConfig(level=logging.DEBUG if verbose else logging.INFO, handlers=[handler], force=True)
    for noisy in ("kopf", "aiohttp", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
