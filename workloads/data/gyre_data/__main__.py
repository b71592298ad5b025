"""`python -m gyre_data scan | flights`: one Job of a Dataset, as docs/run-contract.md says ("Data: a Job per scan");
`replay` sends rows to an endpoint as traffic (replay.py) and writes reports instead of a termination message.

Promises   exactly one JSON on the termination log, at most 4096 bytes, whatever happens; exit code 1 with an error class
           and a message that names the fix.
Never      talks to the Kubernetes API, writes where it was not told to, or prints a credential.
"""

from __future__ import annotations

import argparse
import asyncio
import sys

from gyre_data.scan import ScanError, folder_of, scan
from gyre_data.termination import tell, tell_error


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    if options.command == "replay":
        return send(options)
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


def send(options: argparse.Namespace) -> int:
    from gyre_data.replay import Replay, Target, replay
    from gyre_data.rows import ReplayError, Scale, Truth, asked, legs_of
    from gyre_data.truth import Labels

    target = Target(options.url.rstrip("/"), options.model, options.host, pairs(options.header))
    labels = Labels(options.labels, options.labels_after, pairs(options.labels_header)) if options.labels else None
    seconds = options.seconds * max(1, len(options.partition))
    run = Replay(target, rate=options.rate, seconds=seconds, every=options.every, labels=labels)
    try:
        if labels and not options.truth:
            raise ReplayError("--labels: say with --truth which column tells what turned out")
        scales = [Scale.parse(text) for text in options.scale]
        legs = legs_of(options.path, options.partition, round(options.rate * options.seconds), scales)
        truth = Truth(options.truth, options.above) if options.truth else None
        asyncio.run(replay(lambda inputs: asked(legs, inputs, options.rows, truth), run, options.align))
    except ReplayError as error:
        sys.stderr.write(f"gyre_data replay: {error}\n")
        return 1
    return 0


def pairs(given: list[str]) -> dict[str, str]:
    return dict(header.split("=", 1) for header in given)


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
    traffic = commands.add_parser("replay", help="the rows of a folder as requests to an endpoint")
    traffic.add_argument("--path", required=True, help="a folder of Parquet")
    traffic.add_argument(
        "--partition",
        action="append",
        default=[],
        help="such as month=05; `last` is the last by name; of several, each is asked about for --seconds",
    )
    traffic.add_argument(
        "--scale", action="append", default=[], help="such as month=11:distance=1.609344: in other units"
    )
    traffic.add_argument("--align", type=float, default=0.0, help="begin at a multiple of so many seconds since 1970")
    traffic.add_argument("--labels", metavar="URL", help="of a prediction log's /labels: what turned out is told there")
    traffic.add_argument("--labels-after", type=float, default=0.0, help="seconds from an answer to its label")
    traffic.add_argument(
        "--labels-header", action="append", default=[], metavar="NAME=VALUE", help="may be given again"
    )
    traffic.add_argument("--truth", metavar="COLUMN", help="which column tells what turned out")
    traffic.add_argument("--above", type=float, help="the label is whether it is above this; else its value")
    traffic.add_argument("--url", required=True, help="the gateway or predictor, such as http://10.96.0.1")
    traffic.add_argument("--model", required=True, help="the name in the URL: that of the InferenceService")
    traffic.add_argument("--host", default="", help="Host header, by which a gateway routes")
    traffic.add_argument("--header", action="append", default=[], metavar="NAME=VALUE", help="may be given again")
    traffic.add_argument("--rate", type=positive, default=20.0, help="requests a second")
    traffic.add_argument("--seconds", type=positive, default=60.0)
    traffic.add_argument("--rows", type=int, default=1, help="rows a request")
    traffic.add_argument("--every", type=positive, default=5.0, help="seconds between two reports")
    for command in (scan_command, flights):
        command.add_argument("--endpoint", help="of an S3-compatible store")
        command.add_argument("--region")
    return found


def positive(text: str) -> float:
    if not 0 < float(text) < 1e6:
        raise argparse.ArgumentTypeError(f"{text} is not a number between 0 and a million")
    return float(text)


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
