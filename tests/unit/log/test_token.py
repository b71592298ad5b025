"""Who may send events and labels: whoever shows the token."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.unit.log.collecting import BATCHED, World, environment, exchange

from gyre_log.faults import StartError
from gyre_log.settings import Settings

TOKEN = "a-token-of-22-letters-"
SHOWN = {"authorization": f"Bearer {TOKEN}"}
LABELS = [{"id": "r1-0", "label": 1}]


def guarded(folder: Path) -> World:
    return World(folder, GYRE_LOG_AUTH="Token", GYRE_LOG_TOKEN=TOKEN)


@pytest.mark.parametrize("path", ["/events", "/", "/labels"])
def test_who_shows_the_token_is_taken_from(tmp_path: Path, path: str):
    async def story(world: World) -> None:
        content = json.dumps(LABELS if path == "/labels" else exchange("r1"))
        told = await world.client.post(path, content=content, headers={**BATCHED, **SHOWN})
        assert told.status_code == 202

    guarded(tmp_path).run(story)


@pytest.mark.parametrize("path", ["/events", "/", "/labels"])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": TOKEN},
        {"authorization": f"Basic {TOKEN}"},
        {"authorization": f"Bearer {TOKEN[:-1]}"},
        {"authorization": f"Bearer {TOKEN}x"},
        {"authorization": "Bearer "},
        {"authorization": "Bearer \xff"},
    ],
)
def test_nobody_else_is_and_learns_what_to_do(tmp_path: Path, path: str, headers: Mapping[str, str]):
    async def story(world: World) -> None:
        sent = {name: value.encode("latin-1") for name, value in {**BATCHED, **headers}.items()}
        before = world.collector.waiting_bytes
        told = await world.client.post(path, content=json.dumps(LABELS), headers=sent)
        assert told.status_code == 401
        assert told.headers["www-authenticate"] == "Bearer"
        assert "Authorization: Bearer <token>" in told.json()["error"]
        assert TOKEN not in told.text
        assert world.value("gyre_collector_refused_total", why="token") == 1.0
        assert world.collector.waiting_bytes == before, "nothing of it is kept"

    guarded(tmp_path).run(story)


def test_a_body_of_somebody_else_is_not_even_read(tmp_path: Path):
    async def story(world: World) -> None:
        async def endless():
            while True:
                yield b"[" * 65536

        told = await world.client.post("/events", content=endless(), headers=BATCHED)
        assert told.status_code == 401

    guarded(tmp_path).run(story)


def test_how_it_is_doing_is_told_to_everybody(tmp_path: Path):
    async def story(world: World) -> None:
        for path in ("/status", "/metrics", "/ready"):
            told = await world.client.get(path)
            assert told.status_code == 200
            assert TOKEN not in told.text

    guarded(tmp_path).run(story)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, "GYRE_LOG_TOKEN is not"),
        ({"GYRE_LOG_TOKEN": "short"}, "16 printable ASCII characters"),
        ({"GYRE_LOG_TOKEN": "sixteen characters\n and a line"}, "GYRE_LOG_TOKEN is not"),
        ({"GYRE_LOG_TOKEN": TOKEN, "GYRE_LOG_AUTH": "Maybe"}, "not Token or None"),
    ],
)
def test_a_collector_without_a_token_does_not_start_open(tmp_path: Path, changes: Mapping[str, str], says: str):
    given = {key: value for key, value in environment(tmp_path).items() if key != "GYRE_LOG_AUTH"}
    with pytest.raises(StartError, match=says) as error:
        Settings.of({**given, **changes})
    assert TOKEN not in str(error.value)


def test_a_collector_is_open_where_that_is_asked_for(tmp_path: Path):
    assert Settings.of(environment(tmp_path)).token == ""
