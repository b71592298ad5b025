"""What the workload image carries of the operator is all that gyre_drift needs of it (docs/decisions/0012)."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SOURCES = sorted((ROOT / "workloads" / "drift" / "gyre_drift").glob("*.py"))


def copied(recipe: str) -> list[tuple[str, str]]:
    """(source, place below /opt/gyre) of every COPY of code into the workload stage."""
    stage = recipe.split("AS workload\n")[1].split("\nFROM ")[0]
    return re.findall(r"^COPY (\S+) /opt/gyre/(\S+)$", stage, re.M)


def test_the_program_starts_with_what_the_image_carries_and_nothing_else(tmp_path: Path):
    for source, place in copied((ROOT / "workloads/image/Containerfile").read_text()):
        goal = tmp_path / place
        goal.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (ROOT / source).is_dir() else shutil.copy)(ROOT / source, goal)
    ask = (
        "import json, sys, gyre, gyre_drift.__main__, gyre_drift.pictures, gyre_drift.log;"
        "print(json.dumps([gyre.__file__, sorted(m for m in sys.modules if m.startswith('gyre.'))]))"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    said = subprocess.run([sys.executable, "-c", ask], env=environment, capture_output=True, text=True, check=True)
    where, modules = json.loads(said.stdout)
    assert Path(where).is_relative_to(tmp_path)
    assert {module.split(".")[1] for module in modules} == {"stats"}


def test_the_program_names_no_other_room_of_the_operator():
    rooms = {
        room for source in SOURCES for room in re.findall(r"^\s*(?:from|import) gyre\.(\w+)", source.read_text(), re.M)
    }
    assert rooms == {"stats"}


def test_a_change_of_the_statistics_builds_a_new_image():
    build = (ROOT / "workloads/image/build").read_text()
    for source, _ in copied((ROOT / "workloads/image/Containerfile").read_text()):
        assert f'"{source}"' in build, source
