"""Counts the runs of the sweep and prints them at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

RUNS = "sweep_runs"


@pytest.fixture
def counted(record_property: Callable[[str, object], None]) -> Callable[[str, str, int], None]:
    """Call with (kind, mode, runs)."""

    def count(kind: str, mode: str, runs: int) -> None:
        record_property(RUNS, f"{kind}/{mode}/{runs}")

    return count


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    total: Counter[tuple[str, str]] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") != "call":
                continue
            for name, value in report.user_properties:
                if name == RUNS:
                    kind, mode, runs = str(value).split("/")
                    total[kind, mode] += int(runs)
    if not total:
        return
    modes = sorted({mode for _, mode in total})
    terminalreporter.section("sweep: runs by kind and mode")
    terminalreporter.write_line(f"{'':14}" + "".join(f"{mode:>10}" for mode in modes) + f"{'all':>10}")
    for kind in sorted({kind for kind, _ in total}):
        numbers = [total[kind, mode] for mode in modes]
        terminalreporter.write_line(f"{kind:14}" + "".join(f"{n:>10}" for n in numbers) + f"{sum(numbers):>10}")
    terminalreporter.write_line(f"{'all':14}" + " " * 10 * len(modes) + f"{sum(total.values()):>10}")
