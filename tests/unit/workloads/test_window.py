"""A window over the data's own time: which rows are read, which files are not even opened, what is held out."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import fs
from tests.unit.workloads.shifting import PER_MONTH, run, write_months

from gyre_train.faults import UserError
from gyre_train.options import parse
from gyre_train.split import newest, tables
from gyre_train.table import read
from gyre_train.window import Window, Within, over, span_of, time_column

LOCAL = fs.LocalFileSystem()
UNTIL = "2013-06-27T14:24:00Z"  # of the newest row of June, by the 96 minutes between rows


@pytest.fixture
def months(tmp_path):
    """March to June."""
    write_months(tmp_path / "data", range(3, 7))
    return tmp_path / "data"


def split(folder, tmp_path, **parameters):
    spec = run(folder, tmp_path, **parameters)
    train, held, how = tables(spec, parse(spec))
    return train, held, how


def times(*parts):
    return sorted(time for part in parts for time in part["when"].to_pylist())


def at(text):
    return datetime.fromisoformat(text)


def test_without_a_window_all_rows_are_read(months, tmp_path):
    train, held, how = split(months, tmp_path)
    assert train.num_rows + held.num_rows == 4 * PER_MONTH
    assert "window" not in how


def test_from_is_in_the_window_and_to_is_not(months, tmp_path):
    train, held, how = split(months, tmp_path, windowFrom="2013-04-01T00:00:00Z", windowTo="2013-05-01T00:00:00Z")
    found = times(train, held)
    assert len(found) == PER_MONTH
    assert found[0] == at("2013-04-01T00:00:00Z")
    assert how.endswith("of the window from 2013-04-01T00:00:00Z to 2013-05-01T00:00:00Z")
    train, held, _ = split(months, tmp_path, windowFrom="2013-04-01T00:00:01Z", windowTo="2013-05-01T00:00:01Z")
    found = times(train, held)
    assert (found[0], found[-1]) == (at("2013-04-01T01:36:00Z"), at("2013-05-01T00:00:00Z"))


@pytest.mark.parametrize(
    "parameters", [{"windowFrom": "2013-05-01T02:00:00+02:00"}, {"windowTo": "2013-05-01T00:00:00Z"}]
)
def test_one_side_may_be_open(months, tmp_path, parameters):
    train, held, _ = split(months, tmp_path, **parameters)
    assert train.num_rows + held.num_rows == 2 * PER_MONTH


def test_the_last_days_are_counted_back_from_the_newest_row_whatever_the_clock_says(months, tmp_path):
    train, held, how = split(months, tmp_path, windowLast=str(26 * 86400))
    found = times(train, held)
    assert (found[0], found[-1]) == (at(UNTIL) - timedelta(days=26), at(UNTIL))
    assert how.endswith(f"of the window from 2013-06-01T14:24:00Z to {UNTIL}, its newest row")


def test_what_is_held_out_is_the_most_recent_part_of_the_window(months, tmp_path):
    train, held, how = split(months, tmp_path, windowLast=str(40 * 86400))
    assert max(times(train)) < min(times(held))
    assert held.num_rows == pytest.approx((train.num_rows + held.num_rows) / 4, abs=1)
    assert how.startswith("newest 0.25 of train, since 2013-06-1")


def test_the_last_partition_is_the_last_with_rows_in_the_window(months, tmp_path):
    spec = run(months, tmp_path, windowTo="2013-05-10T00:00:00Z")
    spec.tabular["holdout"] = {"lastPartition": True}
    train, held, how = tables(spec, parse(spec))
    assert set(held["month"].to_pylist()) == {"05"}
    assert set(train["month"].to_pylist()) == {"03", "04"}
    assert how == "last partition month=05 of train, of the window to 2013-05-10T00:00:00Z"
    spec = run(months, tmp_path, windowTo="2013-03-10T00:00:00Z")
    spec.tabular["holdout"] = {"lastPartition": True}
    with pytest.raises(UserError, match="has 1 partition with rows in the window to 2013-03-10"):
        tables(spec, parse(spec))


def test_partitions_outside_of_the_window_are_not_read(months, tmp_path):
    for month in ("03", "04", "06"):
        spoil(months / f"month={month}" / "part-0.parquet")
    train, held, _ = split(months, tmp_path, windowFrom="2013-05-01T00:00:00Z", windowTo="2013-06-01T00:00:00Z")
    assert train.num_rows + held.num_rows == PER_MONTH
    with pytest.raises(OSError, match=r"(?i)corrupt|page|snappy|thrift"):
        split(months, tmp_path)


def spoil(path):
    """Destroy the rows and leave the footer."""
    content = bytearray(path.read_bytes())
    footer = int.from_bytes(content[-8:-4], "little") + 8
    content[4:-footer] = b"\xff" * len(content[4:-footer])
    path.write_bytes(content)


def test_a_file_whose_footer_does_not_tell_is_read_and_not_taken_for_empty(tmp_path):
    write_months(tmp_path / "data", range(3, 5), statistics=False)
    path = str(tmp_path / "data" / "month=03" / "part-0.parquet")
    assert span_of(LOCAL, path, "when") is None
    train, held, _ = split(tmp_path / "data", tmp_path, windowLast=str(86400))
    assert train.num_rows + held.num_rows == 86400 // (96 * 60) + 1


def test_a_window_without_rows_is_said_with_the_way_out(months, tmp_path):
    with pytest.raises(
        UserError, match=r"no row of .* is in the window from 2026-01-01T00:00:00Z: give a wider one, or newer"
    ):
        split(months, tmp_path, windowFrom="2026-01-01T00:00:00Z")


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"windowLast": "90d"}, "'windowLast' is '90d': give whole seconds, such as 7776000"),
        ({"windowLast": "0"}, "give whole seconds"),
        ({"windowLast": "60", "windowTo": "2013-05-01T00:00:00Z"}, "give it alone"),
        ({"windowFrom": "2013-05-01T00:00:00"}, "give a time with its zone"),
        ({"windowTo": "May"}, "'windowTo' is 'May': give a time with its zone"),
        ({"windowFrom": "2013-05-02T00:00:00Z", "windowTo": "2013-05-01T00:00:00Z"}, "is not before 'windowTo'"),
        (
            {"windowfrom": "2013-05-01T00:00:00Z"},
            "'windowfrom' is not one of the tabular loop's: .*windowFrom, windowLast",
        ),
    ],
)
def test_a_wrong_parameter_is_named(months, tmp_path, parameters, says):
    with pytest.raises(UserError, match=says):
        split(months, tmp_path, **parameters)


@pytest.mark.parametrize(
    ("share", "says"), [(0.0, "between 0 and 1"), (1.0, "between 0 and 1"), ("half", "must be float")]
)
def test_a_share_that_is_none_is_refused(months, tmp_path, share, says):
    spec = run(months, tmp_path)
    spec.tabular["holdout"] = {"newest": share}
    with pytest.raises(UserError, match=says):
        parse(spec)


def test_which_column_says_when_is_found_or_asked_for():
    stamp, day = pa.timestamp("s"), pa.date32()
    assert time_column(pa.schema([("n", pa.int64()), ("when", stamp)]), None) == "when"
    assert time_column(pa.schema([("a", stamp), ("b", day)]), "b") == "b"
    for fields, named, says in (
        ([("a", stamp), ("b", day)], None, "several columns hold times \\(a, b\\): name the one"),
        ([("n", pa.int64())], None, "no column holds times: name the one"),
        ([("n", pa.int64())], "n", "'n' is int64, not a timestamp or date"),
        ([("n", pa.int64())], "when", "'when' is not in the data; it has n"),
    ):
        with pytest.raises(UserError, match=says):
            time_column(pa.schema(fields), named)


@pytest.mark.parametrize(
    "type", [pa.timestamp("ns"), pa.timestamp("ms", tz="America/New_York"), pa.timestamp("s"), pa.date32()]
)
def test_times_of_any_type_are_compared_as_instants(tmp_path, type):
    days = [date(2013, 5, day) for day in (1, 2, 3)]
    if not pa.types.is_date(type):
        values = [datetime(day.year, day.month, day.day, tzinfo=UTC) for day in days]
        days = values if type.tz else [value.replace(tzinfo=None) for value in values]
    pq.write_table(pa.table({"when": pa.array([*days, None], type), "n": [1, 2, 3, 4]}), tmp_path / "a.parquet")
    path = str(tmp_path / "a.parquet")
    window = Window.of({"windowFrom": "2013-05-02T00:00:00Z", "windowTo": "2013-05-03T00:00:00Z"})
    assert read(LOCAL, str(tmp_path), within=over(window, LOCAL, [path], None))["n"].to_pylist() == [2]
    last = over(Window(last=timedelta(days=1)), LOCAL, [path], None)
    assert read(LOCAL, str(tmp_path), within=last)["n"].to_pylist() == [2, 3]
    assert span_of(LOCAL, path, "when") == (datetime(2013, 5, 1, tzinfo=UTC), datetime(2013, 5, 3, tzinfo=UTC))


MINUTES = st.lists(st.none() | st.integers(0, 50), min_size=1, max_size=30)


@given(st.lists(MINUTES, min_size=1, max_size=4), st.integers(0, 60), st.integers(0, 60), st.booleans())
def test_skipping_files_by_their_footers_changes_no_row(tmp_path_factory, files, start, length, closed):
    folder = tmp_path_factory.mktemp("files")
    begin = datetime(2013, 5, 1, tzinfo=UTC)
    for number, minutes in enumerate(files):
        values = [None if minute is None else begin + timedelta(minutes=minute) for minute in minutes]
        table = pa.table({"when": pa.array(values, pa.timestamp("us", tz="UTC"))})
        pq.write_table(table, folder / f"{number}.parquet", row_group_size=7)
    low, high = begin + timedelta(minutes=start), begin + timedelta(minutes=start + length)
    found = read(LOCAL, str(folder), within=Within("when", low, high, closed))
    every = [begin + timedelta(minutes=minute) for minutes in files for minute in minutes if minute is not None]
    inside = [time for time in every if low <= time and (time <= high if closed else time < high)]
    assert found["when"].to_pylist() == inside


@given(st.lists(st.integers(0, 20), min_size=2, max_size=40), st.floats(0.05, 0.95))
def test_the_newest_share_is_later_than_all_the_others_and_not_smaller_than_asked(hours, share):
    begin = datetime(2013, 5, 1, tzinfo=UTC)
    values = [begin + timedelta(hours=hour) for hour in hours]
    rows = pa.table({"when": pa.array(values, pa.timestamp("s", tz="UTC"))})
    try:
        kept, held, since = newest(rows, "when", share)
    except UserError:
        early = sum(hour == min(hours) for hour in hours)
        assert early > int(len(hours) * (1 - share))
        return
    assert kept.num_rows + held.num_rows == len(hours)
    assert max(kept["when"].to_pylist()) < since == min(held["when"].to_pylist())
    assert held.num_rows >= int(np.floor(len(hours) * share))
