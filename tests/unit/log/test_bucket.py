"""A log in a bucket: each part is one PUT, which is there whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.log.collecting import World, exchange
from tests.unit.workloads.bucket import serving


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "k"),
        ("AWS_SECRET_ACCESS_KEY", "s"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ):
        monkeypatch.setenv(name, value)
    (tmp_path / "log").mkdir()
    with serving(tmp_path / "log") as endpoint:
        more = {"GYRE_LOG_URI": "s3://bucket/logs", "GYRE_S3_ENDPOINT": endpoint, "GYRE_S3_REGION": "eu-1"}
        yield World(tmp_path, GYRE_LOG_RETENTION_DAYS="1", **more)


def test_parts_are_objects_under_the_prefix_and_hours_that_are_over_go(world: World):
    async def story(world: World) -> None:
        world.store.check("late")
        await world.send(*exchange("r1"))
        await world.stored()
        (file,) = world.files
        assert file.startswith("logs/service=late/version=late-1/hour=20261124T08/part-")
        assert [row["id"] for row in world.rows] == ["r1-0"]
        world.later(23 * 3600)
        world.collector.remove_hours()
        assert world.files == [file]
        world.later(3 * 3600)
        world.collector.remove_hours()
        assert world.files == []

    world.run(story, leave=False)


def test_what_a_bucket_refuses_stays_in_the_journal(world: World):
    away = world.folder / "log" / "away"

    async def story(world: World) -> None:
        away.touch()
        with pytest.raises(OSError, match=r"ACCESS_DENIED|403"):
            world.store.check("late")
        await world.send(*exchange("r1"))
        with pytest.raises(OSError, match=r"ACCESS_DENIED|403"):
            await world.stored()
        assert world.files == []
        away.unlink()
        await world.collector.store_sealed()
        assert [row["id"] for row in world.rows] == ["r1-0"]

    world.run(story)
