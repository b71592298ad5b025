"""From events to Parquet: what is acknowledged is stored, once, whatever happens in between."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.unit.log.collecting import NOW, World, answered, asked, exchange

from gyre_log.journal import Journal


def test_a_request_and_its_response_become_one_row(tmp_path: Path):
    world = World(tmp_path)

    async def story(world: World) -> None:
        told = await world.send(*exchange("r1"))
        assert (told.status_code, told.json()) == (202, {"accepted": 2, "duplicates": 0, "refused": 0})
        await world.stored()

    world.run(story)
    (file,) = world.files
    assert file.startswith("service=late/version=late-1/hour=20261124T08/part-")
    assert world.rows == [
        {
            "id": "r1-0",
            "time": NOW,
            "service": "late",
            "version": "late-1",
            "code": 200,
            "seconds": 0.0015,
            "in.carrier": "UA",
            "in.hour": 8.0,
            "in.weekday": "1",
            "prediction": 0.25,
            "masked": "None",
        }
    ]
    schema = pq.read_schema(tmp_path / "log" / file)
    assert [str(schema.field(name).type) for name in ("id", "time", "code", "seconds", "in.hour", "in.weekday")] == [
        "string",
        "timestamp[us, tz=UTC]",
        "int32",
        "double",
        "double",
        "string",
    ]


def test_nothing_is_in_parquet_before_it_is_time_and_all_is_when_the_collector_leaves(tmp_path: Path):
    world = World(tmp_path)

    async def story(world: World) -> None:
        await world.send(*exchange("r1"), *exchange("r2"))
        assert not world.collector.due()
        world.later(31)
        assert world.collector.due()
        assert world.files == []
        assert world.collector.lag() == 31

    world.run(story)
    assert [row["id"] for row in world.rows] == ["r1-0", "r2-0"]


def test_each_row_of_a_request_has_its_number(tmp_path: Path):
    world = World(tmp_path)

    async def story(world: World) -> None:
        rows = [{"hour": hour, "carrier": None} for hour in (7, 8, None)]
        await world.send(asked("r", rows), answered("r", [0.1, 0.2, 0.3]))

    world.run(story)
    assert [(row["id"], row["in.hour"], row["in.carrier"], row["prediction"]) for row in world.rows] == [
        ("r-0", 7.0, None, 0.1),
        ("r-1", 8.0, None, 0.2),
        ("r-2", None, None, 0.3),
    ]


def test_a_refused_request_is_a_row_with_its_code_and_no_prediction(tmp_path: Path):
    world = World(tmp_path)

    async def story(world: World) -> None:
        await world.send(
            asked("bad", data=None, data_base64="e3s="), answered("bad", gyrecode=400, data={"error": "x"})
        )

    world.run(story)
    assert [(row["id"], row["code"], row["prediction"]) for row in world.rows] == [("bad-0", 400, None)]


def test_a_second_delivery_is_acknowledged_and_not_kept(tmp_path: Path):
    world = World(tmp_path)

    async def first(world: World) -> None:
        await world.send(*exchange("r1"))
        again = await world.send(*exchange("r1"), *exchange("r2"))
        assert again.json() == {"accepted": 2, "duplicates": 2, "refused": 0}
        await world.stored()

    async def second(world: World) -> None:
        """Its first delivery is in Parquet and its segment gone: the next segment knows its key."""
        assert (await world.send(*exchange("r1"))).json()["duplicates"] == 2

    world.run(first, leave=False)
    world.run(second)
    assert [row["id"] for row in world.rows] == ["r1-0", "r2-0"]


def test_a_shadow_that_answers_the_same_request_has_a_row_of_its_own(tmp_path: Path):
    world = World(tmp_path)

    async def story(world: World) -> None:
        await world.send(*exchange("r1"), asked("r1", endpoint="late-2"), answered("r1", endpoint="late-2"))

    world.run(story)
    assert [(row["id"], row["version"]) for row in world.rows] == [("r1-0", "late-1"), ("r1-0", "late-2")]


# ── killed ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_who_is_killed_before_storing_has_lost_nothing(tmp_path: Path):
    world = World(tmp_path)

    async def killed(world: World) -> None:
        await world.send(*exchange("r1"))

    async def after(world: World) -> None:
        assert world.collector.lag() == 0
        world.later(7)
        assert world.collector.lag() == 7

    world.run(killed, leave=False)
    assert world.files == []
    world.run(after)
    assert [row["id"] for row in world.rows] == ["r1-0"]


def test_who_is_killed_between_parquet_and_journal_stores_the_same_file_again(tmp_path: Path, monkeypatch: Any):
    world = World(tmp_path)

    def killed_here(*_: Any) -> None:
        raise SystemError("killed")

    async def killed(world: World) -> None:
        await world.send(*exchange("r1"), asked("alone"))
        with monkeypatch.context() as patched:
            patched.setattr(world.collector.journal, "forget", killed_here)
            with pytest.raises(SystemError):
                await world.stored()

    async def after(world: World) -> None:
        await world.collector.store_sealed()
        assert world.collector.counts == {"requests": 1, "rows": 1, "labels": 0}
        await world.send(answered("alone"))
        await world.stored()

    world.run(killed, leave=False)
    before = world.files
    assert len(before) == 1
    world.run(after)
    assert [row["id"] for row in world.rows] == ["alone-0", "r1-0"]
    assert set(before) < set(world.files)


def test_who_is_killed_between_the_counts_and_the_segment_counts_once(tmp_path: Path, monkeypatch: Any):
    world = World(tmp_path)

    async def killed(world: World) -> None:
        await world.send(*exchange("r1"))
        with monkeypatch.context() as patched:
            patched.setattr(Path, "unlink", lambda *_, **__: (_ for _ in ()).throw(SystemError("killed")))
            with pytest.raises(SystemError):
                await world.stored()

    async def after(world: World) -> None:
        await world.collector.store_sealed()
        assert world.collector.counts == {"requests": 1, "rows": 1, "labels": 0}
        assert (await world.client.get("/status")).json()["logged"] == 1

    world.run(killed, leave=False)
    world.run(after)
    assert len(world.files) == 1


def test_a_torn_line_is_cut_off_and_what_comes_after_it_is_read(tmp_path: Path):
    world = World(tmp_path)

    async def first(world: World) -> None:
        await world.send(*exchange("r1"))

    async def second(world: World) -> None:
        await world.send(*exchange("r2"))

    world.run(first, leave=False)
    (segment,) = (tmp_path / "journal").glob("seg-*")
    with segment.open("ab") as file:
        file.write(b'12345678 {"k":"q","id":"torn')
    world.run(second, leave=False)
    world.run(second)
    assert [row["id"] for row in world.rows] == ["r1-0", "r2-0"]


def test_two_collectors_never_have_one_journal(tmp_path: Path):
    first = Journal(tmp_path)
    with pytest.raises(BlockingIOError):
        Journal(tmp_path)
    first.close()
    Journal(tmp_path).close()


# ── trouble ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_journal_that_cannot_be_written_is_503_and_the_event_is_new_when_it_comes_again(
    tmp_path: Path, monkeypatch: Any
):
    world = World(tmp_path)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    async def story(world: World) -> None:
        with monkeypatch.context() as patched:
            patched.setattr("os.fsync", full)
            told = await world.send(*exchange("r1"))
            assert told.status_code == 503
            assert told.headers["retry-after"] == "5"
            assert "No space left" in told.json()["error"]
        assert (await world.send(*exchange("r1"))).json() == {"accepted": 2, "duplicates": 0, "refused": 0}

    world.run(story)
    assert [row["id"] for row in world.rows] == ["r1-0"]


def test_who_sends_again_while_the_first_is_being_written_is_not_acknowledged_before_it(
    tmp_path: Path, monkeypatch: Any
):
    """The second finds the key known already; if the first then fails, so must the second."""
    world = World(tmp_path)

    def fails(*_: Any) -> int:
        raise OSError(5, "Input/output error")

    async def story(world: World) -> None:
        with monkeypatch.context() as patched:
            patched.setattr(world.collector.journal, "append", fails)
            told = await asyncio.gather(world.send(*exchange("r1")), world.send(*exchange("r1")))
        assert [one.status_code for one in told] == [503, 503]
        assert (await world.send(*exchange("r1"))).json()["accepted"] == 2

    world.run(story)
    assert [row["id"] for row in world.rows] == ["r1-0"]


def test_while_storage_is_away_what_comes_is_taken_until_the_journal_is_full(tmp_path: Path, monkeypatch: Any):
    world = World(tmp_path, GYRE_LOG_JOURNAL_BYTES="4096")

    def away(*_: Any) -> None:
        raise OSError("connection refused")

    async def story(world: World) -> None:
        taken = []
        with monkeypatch.context() as patched:
            patched.setattr(world.store, "put", away)
            for at in range(40):
                told = await world.send(*exchange(f"r{at:02}"))
                if told.status_code != 202:
                    break
                taken.append(f"r{at:02}-0")
            assert (told.status_code, told.headers["retry-after"]) == (429, "5")
            with pytest.raises(OSError, match="refused"):
                await world.stored()
        await world.collector.store_sealed()
        assert [row["id"] for row in world.rows] == taken
        assert (await world.send(*exchange("after"))).status_code == 202

    world.run(story)


def test_the_storing_task_says_what_the_trouble_is_and_goes_on_when_it_is_over(tmp_path: Path, monkeypatch: Any):
    monkeypatch.setattr("gyre_log.collector.RETRY_SECONDS", (0.01,))
    monkeypatch.setattr("gyre_log.collector.TICK_SECONDS", 0.01)
    world = World(tmp_path)
    put, failing = world.store.put, [True, True]

    def sometimes(path: str, content: pa.Buffer) -> None:
        if failing:
            failing.pop()
            raise OSError("bucket is away")
        put(path, content)

    monkeypatch.setattr(world.store, "put", sometimes)

    async def story(world: World) -> None:
        await world.send(*exchange("r1"))
        world.later(31)
        task = world.collector.tasks[1] = asyncio.create_task(world.collector.run_store())
        problems = set()
        async with asyncio.timeout(10):
            while not world.files or world.collector.problem:
                problems.add((await world.client.get("/status")).json()["problem"])
                await asyncio.sleep(0.001)
        assert "OSError: bucket is away" in problems
        assert not task.done()
        assert world.value("gyre_collector_store_failures_total") == 2

    world.run(story)


# ── apart ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_halves_that_come_apart_find_each_other_over_a_segments_end_and_a_restart(tmp_path: Path):
    world = World(tmp_path)

    async def first(world: World) -> None:
        await world.send(answered("late", gyreseconds=None), *exchange("whole"))
        await world.stored()
        assert [row["id"] for row in world.rows] == ["whole-0"]

    async def second(world: World) -> None:
        await world.send(asked("late", time="2026-11-24T08:14:59.5Z"))
        await world.stored()

    world.run(first, leave=False)
    world.run(second)
    late = world.rows[0]
    assert (late["id"], late["in.hour"], late["prediction"], late["seconds"]) == ("late-0", 8.0, 0.25, 0.5)


def test_a_request_whose_response_never_comes_is_a_row_with_code_0_after_a_while(tmp_path: Path):
    world = World(tmp_path)

    async def story(world: World) -> None:
        await world.send(asked("alone"))
        await world.stored()
        assert world.files == []
        assert world.collector.lag() == 0
        world.later(121)
        assert world.collector.lag() == 121
        assert world.collector.due(), "although nobody sends anything any more"
        await world.stored()
        assert [(row["id"], row["code"], row["prediction"]) for row in world.rows] == [("alone-0", 0, None)]
        assert world.collector.lag() == 0

    world.run(story)


# ── retention and labels ─────────────────────────────────────────────────────────────────────────────────────────────


def test_hours_that_are_over_go_and_nothing_else_does(tmp_path: Path):
    world = World(tmp_path, GYRE_LOG_RETENTION_DAYS="2")
    kept = (
        "service=late/version=a/hour=20261122T08/part-1.parquet",
        "service=late/version=a/notes/part-1.parquet",
        "service=late/hour=20200101T00/part-1.parquet",
        "service=other/version=a/hour=20200101T00/part-1.parquet",
    )
    over = (
        "service=late/version=a/hour=20261122T07/part-1.parquet",
        "service=late/labels/hour=20261101T00/part-1.parquet",
    )
    for file in (*kept, *over):
        (tmp_path / "log" / file).parent.mkdir(parents=True)
        (tmp_path / "log" / file).touch()

    async def story(world: World) -> None:
        world.collector.remove_hours()

    world.run(story)
    assert set(world.files) == set(kept)


def test_labels_lie_beside_the_predictions_by_their_own_hour(tmp_path: Path):
    world = World(tmp_path)

    async def story(world: World) -> None:
        told = await world.send(
            {"id": "r1-0", "label": True, "time": "2026-11-24T07:59:00+01:00"},
            {"id": "r2-0", "label": 0.5},
            {"id": "r3-0", "label": "late"},
            {"id": "r4-0", "label": 1, "time": "yesterday"},
            "r5",
            path="/labels",
        )
        assert (told.status_code, told.json()["accepted"], told.json()["refused"]) == (202, 2, 3)

    world.run(story)
    assert [file.rpartition("/")[0] for file in world.files] == [
        "service=late/labels/hour=20261124T06",
        "service=late/labels/hour=20261124T08",
    ]
    assert [(row["id"], row["label"]) for row in world.rows] == [("r1-0", 1.0), ("r2-0", 0.5)]
