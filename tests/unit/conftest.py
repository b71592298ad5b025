"""Golden files: what a pure function wants of the cluster, as YAML that people read in review."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--golden", action="store_true", help="rewrite the golden files instead of comparing with them")


class _Dumper(yaml.SafeDumper):
    """Without anchors: what is written twice is meant twice."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, Any], None]:
    """`golden("scan_job.yaml", manifest)` compares with `golden/scan_job.yaml` next to the test."""
    folder = Path(request.path).parent / "golden"

    def compare(name: str, manifest: Any) -> None:
        text = yaml.dump(manifest, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)
        path = folder / name
        if request.config.getoption("--golden", default=False):
            folder.mkdir(exist_ok=True)
            path.write_text(text)
        assert path.exists(), f"{path.name} does not exist: write it with `pytest --golden`, and read it"
        assert text == path.read_text()

    return compare
