"""What the tests measured: printed at the end of a session, and kept in build/e2e.json by name with commit and time."""

from __future__ import annotations

import json
import subprocess
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.e2e.cluster import REPOSITORY

FILE = REPOSITORY / "build" / "e2e.json"


@dataclass(frozen=True)
class Figure:
    name: str
    value: float
    unit: str
    goal: str = ""


@dataclass
class Figures:
    measured: list[Figure] = field(default_factory=list)
    outcomes: dict[str, tuple[str, float]] = field(default_factory=dict)

    def add(self, name: str, value: float, unit: str, goal: str = "") -> None:
        self.measured.append(Figure(name, round(value, 3), unit, goal))
        print(f"{name}: {value:.3f} {unit}" + (f" (goal {goal})" if goal else ""))

    def outcome(self, test: str, word: str, seconds: float) -> None:
        self.outcomes[test] = (word, round(seconds, 1))

    def lines(self) -> list[str]:
        widest = max((len(one.name) for one in self.measured), default=0)
        return [
            f"{one.name:{widest}}  {one.value:>10g} {one.unit:4} {f'goal {one.goal}' if one.goal else ''}".rstrip()
            for one in self.measured
        ]

    def write(self, file: Path = FILE) -> None:
        """What was not measured this time stays as it was: single scenarios can be run again."""
        if not self.measured and not self.outcomes:
            return
        known: dict[str, dict[str, Any]] = json.loads(file.read_text()) if file.exists() else {}
        stamp = {"commit": commit(), "time": datetime.now(UTC).isoformat(timespec="seconds")}
        figures = known.get("figures", {}) | {one.name: asdict(one) | stamp for one in self.measured}
        tests = known.get("tests", {}) | {
            test: {"outcome": word, "seconds": seconds} | stamp for test, (word, seconds) in self.outcomes.items()
        }
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps({"figures": figures, "tests": tests}, indent=1, sort_keys=True) + "\n")


def commit() -> str:
    command = ["git", "rev-parse", "--short", "HEAD"]
    return (
        subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False).stdout.strip() or "unknown"
    )
