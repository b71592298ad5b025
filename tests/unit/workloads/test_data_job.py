"""The Job of a Dataset: a scan says what there is, flights are real and the same every time."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gyre_data.__main__ import main, months
from gyre_data.flights import flights
from gyre_data.scan import ScanError


@pytest.fixture
def told(tmp_path, monkeypatch):
    place = tmp_path / "termination-log"
    monkeypatch.setenv("GYRE_TERMINATION_LOG", str(place))
    return lambda: json.loads(place.read_text())


def test_a_folder_is_counted_and_described(tmp_path, told):
    data = tmp_path / "data"
    data.mkdir()
    pq.write_table(pa.table({"n": [1, 2, 3]}), data / "a.parquet")
    (data / "b.csv").write_text("n,c\n1,x\n2,y")
    assert main(["scan", "--path", str(data)]) == 0
    found = told()
    assert (found["files"], found["rows"], found["schema"]) == (2, 5, {"n": "int64"})
    assert found["bytes"] == sum(file.stat().st_size for file in data.iterdir())
    assert found["digest"].startswith("sha256:")


def test_rows_are_not_guessed(tmp_path, told):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.bin").write_bytes(b"\0")
    assert main(["scan", "--path", str(tmp_path / "data")]) == 0
    assert told()["rows"] is None


@pytest.mark.parametrize(("folder", "kind"), [("none", "NotFound"), ("empty", "Empty"), ("broken", "Unreadable")])
def test_what_is_wrong_has_a_class_and_a_message(tmp_path, told, folder, kind):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "_SUCCESS").write_text("")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.parquet").write_text("not parquet")
    assert main(["scan", "--path", str(tmp_path / folder)]) == 1
    assert told()["error"]["class"] == kind
    assert len(told()["error"]["message"]) <= 500


def test_flights_are_the_same_bytes_every_time(tmp_path, told):
    assert main(["flights", "--months", "2", "--out", str(tmp_path / "one")]) == 0
    first = told()
    assert main(["flights", "--months", "2", "--out", str(tmp_path / "two")]) == 0
    assert told() == first
    assert (first["rows"], first["files"]) == (24_951, 1)


def test_the_flights_are_those_of_2013_with_weather():
    table = flights()
    assert table.num_rows == 336_776
    late = pa.compute.greater(table["arr_delay"], 15)
    share = {
        month: pa.compute.mean(late.filter(pa.compute.equal(table["month"], month))).as_py() for month in (1, 7, 9, 12)
    }
    assert {month: round(100 * value) for month, value in share.items()} == {1: 23, 7: 31, 9: 13, 12: 33}
    assert table["temp"].null_count / table.num_rows < 0.01


@pytest.mark.parametrize(("text", "found"), [("1-3,12", [1, 2, 3, 12]), ("5", [5])])
def test_months_are_spelled_briefly(text, found):
    assert months(text) == found


@pytest.mark.parametrize("text", ["", "0", "13", "a", "3-1"])
def test_months_that_are_none_are_refused(text):
    with pytest.raises(ScanError, match="months from 1 to 12"):
        months(text)
