"""What is masked is on no disk: neither in the journal nor in Parquet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.unit.log.collecting import World, answered, asked, environment

from gyre_log.faults import StartError
from gyre_log.masking import masking
from gyre_log.settings import Settings

SECRET, KEY = "4111-1111-1111-1111", "0123456789abcdef0123456789abcdef"
ROWS = [{"card": SECRET, "hour": 8}, {"card": None, "hour": 9}]


def logged(folder: Path, mode: str, features: str = "") -> tuple[list[dict[str, Any]], bytes]:
    """(rows, all bytes that were on the disk while they waited and after)."""
    more = {"GYRE_LOG_MASKING_KEY": KEY} if mode == "Hash" else {}
    world = World(folder, GYRE_LOG_MASKING=mode, GYRE_LOG_MASKING_FEATURES=features, **more)
    disk = bytearray()

    async def story(world: World) -> None:
        await world.send(asked("r", ROWS, gyrecategorical='["card"]'), answered("r", [0.25, 0.75]))
        for file in (folder / "journal").iterdir():
            disk.extend(file.read_bytes())

    world.run(story)
    for file in folder.rglob("*.parquet"):
        disk.extend(file.read_bytes())
    return world.rows, bytes(disk)


def test_without_masking_values_are_as_given(tmp_path: Path):
    rows, disk = logged(tmp_path, "None")
    assert [(row["in.card"], row["in.hour"], row["masked"]) for row in rows] == [(SECRET, 8, "None"), (None, 9, "None")]
    assert SECRET.encode() in disk, "so that the tests below would find it"


def test_masked_features_are_left_out_and_the_others_stay(tmp_path: Path):
    rows, disk = logged(tmp_path, "Masked", "card")
    assert "in.card" not in rows[0]
    assert [(row["in.hour"], row["prediction"], row["masked"]) for row in rows] == [
        (8, 0.25, "Masked"),
        (9, 0.75, "Masked"),
    ]
    assert SECRET.encode() not in disk


def test_masking_without_names_leaves_all_features_out(tmp_path: Path):
    rows, disk = logged(tmp_path, "Masked")
    assert not [name for name in rows[0] if name.startswith("in.")]
    assert [row["prediction"] for row in rows] == [0.25, 0.75]
    assert SECRET.encode() not in disk


def test_hashed_features_are_text_that_needs_the_key(tmp_path: Path):
    rows, disk = logged(tmp_path, "Hash", "card")
    assert len(rows[0]["in.card"]) == 32
    assert (rows[1]["in.card"], rows[0]["in.hour"]) == (None, 8), "missing stays missing, and what is not named stays"
    assert SECRET.encode() not in disk
    assert KEY.encode() not in disk


def test_a_hash_is_of_key_feature_and_value():
    one, other = masking("Hash", key=KEY), masking("Hash", key=KEY[::-1])
    assert one.hashed("card", SECRET) == one.hashed("card", SECRET)
    assert len({one.hashed("card", SECRET), one.hashed("hour", SECRET), other.hashed("card", SECRET)}) == 3
    assert one.columns({"hour": [8.0]}) == one.columns({"hour": [8]}), "an integer and its float are one value"


def test_with_full_nothing_of_a_body_is_kept(tmp_path: Path):
    (row,), disk = logged(tmp_path, "Full")
    assert (row["id"], row["code"], row["seconds"], row["prediction"]) == ("r-0", 200, 0.0015, None)
    assert not [name for name in row if name.startswith("in.")]
    assert SECRET.encode() not in disk
    assert b"0.25" not in disk


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"GYRE_LOG_MASKING": "Some"}, "GYRE_LOG_MASKING "),
        ({"GYRE_LOG_MASKING": "Hash"}, "GYRE_LOG_MASKING_KEY"),
        ({"GYRE_LOG_MASKING": "Hash", "GYRE_LOG_MASKING_KEY": "short"}, "GYRE_LOG_MASKING_KEY"),
        ({"GYRE_LOG_SERVICE": "../x"}, "GYRE_LOG_SERVICE"),
        ({"GYRE_LOG_URI": "file:///tmp"}, "GYRE_LOG_URI"),
        ({"GYRE_LOG_URI": "s3://b/p", "GYRE_LOG_JOURNAL": ""}, "GYRE_LOG_JOURNAL"),
        ({"GYRE_LOG_PERCENT": "101"}, "GYRE_LOG_PERCENT"),
    ],
)
def test_a_setting_that_is_wrong_is_named(tmp_path: Path, changes: dict[str, str], names: str):
    with pytest.raises(StartError, match=names):
        Settings.of(environment(tmp_path, **changes))


def test_the_key_is_in_no_text_about_the_settings(tmp_path: Path):
    given = environment(tmp_path, GYRE_LOG_MASKING="Hash", GYRE_LOG_MASKING_KEY=KEY)
    assert KEY not in repr(Settings.of(given))
