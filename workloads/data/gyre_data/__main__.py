"""`python -m gyre_data scan | flights`: one Job of a Dataset, as docs/run-contract.md says ("Data: a Job per scan").

Promises   exactly one JSON on the termination log, at most 4096 bytes, whatever happens; exit code 1 with an error class
           and a message that names the fix.
Never      talks to the Kubernetes API, writes where it was not told to, or prints a credential.
"""

from __future__ import annotations

import argparse
import sys

from gyre_data.scan import ScanError, folder_of, scan
from gyre_data.termination import tell, tell_error


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    try:
        if options.command == "flights":
            from gyre_data.flights import write_months

            write_months(*folder_of(options.out, None, options.endpoint, options.region), months(options.months))
            options.path, options.s3 = (None, options.out) if options.out.startswith("s3://") else (options.out, None)
        result = scan(*folder_of(options.path, options.s3, options.endpoint, options.region))
    except ScanError as error:
        return tell_error(error.kind, error.message)
    except Exception as error:
        return tell_error("Internal", f"{type(error).__name__}: {error}")
    return tell({"version": 1, **result}, 0)


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(
        prog="gyre_data", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = found.add_subparsers(dest="command", required=True)
    scan_command = commands.add_parser("scan", help="digest, rows, bytes and schema of a folder")
    place = scan_command.add_mutually_exclusive_group(required=True)
    place.add_argument("--path", help="a folder")
    place.add_argument("--s3", metavar="URI", help="s3://bucket/prefix; credentials from AWS_*")
    flights = commands.add_parser("flights", help="real flights of 2013 with weather, one Parquet partition a month")
    flights.add_argument("--months", default="1-12", help="like 1-5 or 1,2,12")
    flights.add_argument("--out", required=True, help="a folder or s3://bucket/prefix")
    for command in (scan_command, flights):
        command.add_argument("--endpoint", help="of an S3-compatible store")
        command.add_argument("--region")
    return found


def months(text: str) -> list[int]:
    """`1-3,12` is [1, 2, 3, 12]. Raises ScanError."""
    try:
        found: set[int] = set()
        for part in text.split(","):
            first, _, last = part.partition("-")
            found |= set(range(int(first), int(last or first) + 1))
    except ValueError:
        found = set()
    if not found or not found <= set(range(1, 13)):
        raise ScanError("Internal", f"--months {text!r}: give months from 1 to 12, like 1-5 or 1,2,12")
    return sorted(found)


if __name__ == "__main__":
    sys.exit(main())
