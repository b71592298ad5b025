"""hack/cluster is run as a folder and is not installed, so its tests are told where it is."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "hack"))

from cluster.layout import Layout

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture
def layout() -> Layout:
    """The same on every machine, so that golden texts are."""
    return Layout(cache=Path("/cache"), state=Path("/state"))


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with the checked-in one; `--golden` writes it instead."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--golden", default=False):
            path.write_text(text)
        assert text == path.read_text()

    return compare
