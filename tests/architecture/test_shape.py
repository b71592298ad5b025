"""The shape of the tree, so that a reader who knows one kind knows them all."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GYRE = ROOT / "operator" / "gyre"
KINDS = sorted(path.parent for path in (GYRE / "kinds").glob("*/__init__.py"))
FIVE = {"model.py", "observe.py", "decide.py", "desired.py", "status.py"}
FORBIDDEN_NAMES = re.compile(r"^(utils?|helpers?|managers?|misc|common|base.*)$")
LONGEST_FILE = 420


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


PAGES = tracked("*.md")
SOURCES = [path for path in tracked("*.py") if path.stat().st_size]


def test_there_are_kinds_and_sources_to_check():
    assert len(KINDS) >= 4
    assert len(SOURCES) > 50


@pytest.mark.parametrize("kind", KINDS, ids=lambda path: path.name)
def test_every_kind_has_the_five_files(kind: Path):
    assert {path.name for path in kind.glob("*.py")} >= FIVE


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_says_first_what_it_is_for(source: Path):
    if source.name == "__init__.py" and len(source.read_text().split()) < 3:
        pytest.fail(
            "an empty __init__.py should not be checked in with spaces; leave it empty or say what the room is for"
        )
    docstring = ast.get_docstring(ast.parse(source.read_text()))
    assert docstring, "no module docstring"
    assert len(docstring.splitlines()[0]) >= 15


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_is_a_drawer(source: Path):
    assert not FORBIDDEN_NAMES.match(source.stem)


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_holds_two_ideas(source: Path):
    assert len(source.read_text().splitlines()) <= LONGEST_FILE


def test_only_the_shell_imports_kopf():
    importers = {
        path.relative_to(GYRE).as_posix()
        for path in GYRE.rglob("*.py")
        if re.search(r"^\s*(import|from) kopf", path.read_text(), re.M)
    }
    assert importers == {"shell.py"}


def test_the_operator_never_imports_the_workloads():
    for path in GYRE.rglob("*.py"):
        assert not re.search(r"^\s*(import|from) gyre_(train|data|drift)", path.read_text(), re.M), path


def test_every_makefile_target_named_in_the_readme_exists():
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.M))
    named = set(re.findall(r"make ([a-z][a-z0-9-]+)", (ROOT / "README.md").read_text()))
    assert named <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_path_that_a_page_links_to_exists(page: Path):
    for path in re.findall(r"\]\(([a-zA-Z.][^)#:]*)\)", page.read_text()):
        assert (page.parent / path).exists(), path


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_page_waits_for_something_to_be_filled_in(page: Path):
    """A line of capitals alone is a place that was kept for a table."""
    assert not re.findall(r"^[A-Z][A-Z_]{4,}$|\bTODO\b|\bTBD\b", page.read_text(), re.M)
