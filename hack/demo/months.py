"""The months of the loop: what the monitors make of them, and what gyre does about it. People only let the data grow."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from narrator import ROOT, Narrator, Trouble, condition

MODEL, SERVICE = "mdl/flights-late", "gis/flights"
NUMBERS = (6, 7, 8, 9, 10, 11, 12, 12, 12, 12, 12, 12)
NAMES = {6: "June", 7: "July", 8: "August", 9: "September", 10: "October", 11: "November", 12: "December"}
MONTH = 60
LATENESS = 40
"""spec.lateness of both monitors."""
MINUTES = 14.0
JULY, AUGUST, SEPTEMBER = 1, 2, 3


@dataclass(frozen=True, slots=True)
class Calendar:
    """`start`: the second since 1970 at which June begins."""

    start: int

    def time_of(self, index: int) -> str:
        return datetime.fromtimestamp(self.start + index * MONTH, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def name_of(self, moment: str) -> str:
        """Of the month that a window began at."""
        index = int(datetime.fromisoformat(moment).timestamp() - self.start) // MONTH
        return NAMES[NUMBERS[index]] if 0 <= index < len(NUMBERS) else "before June"

    def over(self, index: int, later: float = 0.0) -> bool:
        return time.time() >= self.start + (index + 1) * MONTH + later


def calendar(say: Narrator, callers: str) -> Calendar:
    """From the callers' first report, whose minute is that of the first request."""
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        lines = say.ask(f"{say.kubectl} logs {callers}").splitlines()
        if lines:
            told = json.loads(lines[0])
            return Calendar(MONTH * round((told["at"] - told["t"]) / MONTH))
        time.sleep(1)
    raise Trouble(f"the callers say nothing: look at `{say.kubectl} logs {callers}`")


@dataclass
class Year:
    """What has been seen and done so far."""

    first: str
    judged: dict[str, str] = field(default_factory=dict)
    suppressed: dict[str, str] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)
    season: bool = False
    grown: bool = False


def tell(say: Narrator, calendar: Calendar, first: str, labels_after: float) -> None:
    year, deadline = Year(first), time.monotonic() + 60 * MINUTES
    with say.step("Seven months, alone", "What each month looks like to the monitors, and what gyre does about it."):
        while not _over(say, year):
            if time.monotonic() > deadline:
                raise Trouble(f"no new version took over within {MINUTES:.0f} minutes; last seen: {year.said}")
            _judged(say, year, calendar)
            _acted(say, year, calendar, labels_after)
            _told(say, year)
            time.sleep(1)
        pictures(say)
    _proven(year)


def _over(say: Narrator, year: Year) -> bool:
    stable = (say.see(SERVICE).get("status", {}).get("stable") or {}).get("version") or ""
    return retrained(say.see(MODEL)) == (2, "Succeeded") and stable not in ("", year.first)


def _judged(say: Narrator, year: Year, calendar: Calendar) -> None:
    """A line for every window of every monitor, once."""
    for monitor in ("schedule", "season"):
        status = say.see(f"dm/{monitor}").get("status") or {}
        window = status.get("window") or {}
        if not window.get("from") or year.said.get(monitor) == window["from"]:
            continue
        year.said[monitor] = window["from"]
        month, bug = calendar.name_of(window["from"]), status.get("dataBug")
        verdict = "DataBug" if bug else (status.get("history") or [{}])[0].get("verdict", "")
        if month != "before June":
            year.judged[f"{monitor} {month}"] = verdict
            say.console.print(f"  [bold]{month:9}[/] {monitor:8} {verdict:12} {_finding(status)}")


def _finding(status: dict[str, Any]) -> str:
    parts, bug, impact = [], status.get("dataBug"), status.get("impact")
    if worst := (status.get("worst") or [None])[0]:
        parts.append(f"{worst['feature']}: {float(worst['statistic']):.1f} of {float(worst['threshold']):.1f}")
    if bug:
        parts.append(str(bug["message"]))
    if impact:
        parts.append(f"{impact['metric']} {float(impact['before'] or 0):.3f} → {float(impact['now'] or 0):.3f}")
    return f"{(status.get('window') or {}).get('rows')} rows; {'; '.join(parts)}"


def _acted(say: Narrator, year: Year, calendar: Calendar, labels_after: float) -> None:
    """What the people around a model do: say what usual is, and let the data grow once their labels are in."""
    # Not before August itself is the newest month that can be judged: July, in kilometres, is none to compare with it.
    if not year.season and calendar.over(AUGUST, later=LATENESS + 5):
        year.season = True
        manifest = (ROOT / "examples" / "loop" / "season.yaml").read_text()
        for placeholder, index in (("2026-08-01T00:00:00Z", AUGUST), ("2026-08-01T00:01:00Z", SEPTEMBER)):
            manifest = manifest.replace(placeholder, calendar.time_of(index))
        say.console.print("  August was as usual: from now on it is what the season is compared with.")
        say.run(f"{say.kubectl} apply -f - <<'END'\n{manifest}END", show=False)
    if not year.grown and calendar.over(SEPTEMBER, labels_after + 5):
        year.grown = True
        change = json.dumps({"spec": {"prepare": {"args": ["flights", "--months", "1-9"]}}})
        say.console.print("  The labels of September are in: June to September are added to the data.")
        say.run(f"{say.kubectl} patch dset flights-recent --type=merge -p '{change}'")


def _told(say: Narrator, year: Year) -> None:
    """What the Model and the service do, when it changes."""
    model, gis = say.see(MODEL), say.see(SERVICE)
    for one in (model.get("status", {}).get("retrain") or {}).get("suppressed") or ():
        key = f"{one['trigger']} {one['reason']}"
        if key not in year.suppressed:
            year.suppressed[key] = one["message"]
            say.console.print(f"  [yellow]not retrained[/] ({one['reason']}): {one['message']}")
    for key, line in (("model", of_model(model)), ("service", of_service(gis))):
        if year.said.get(key) != line:
            year.said[key] = line
            say.console.print(f"  [dim]{time.strftime('%H:%M:%S')}[/] {line}")


def _proven(year: Year) -> None:
    if year.judged.get("schedule July") != "DataBug":
        raise Trouble(f"July in kilometres was not told as a data bug: {year.judged}")
    if not any(key.endswith("DataBug") for key in year.suppressed):
        raise Trouble(f"nobody said why July does not retrain: {year.suppressed}")
    if year.judged.get("season September") != "Drifted":
        raise Trouble(f"September was not told as drift: {year.judged}")


def pictures(say: Narrator) -> None:
    """The newest report's pictures, out of the log's folder."""
    uri = (say.see("dm/season").get("status", {}).get("report") or {}).get("uri", "")
    if not uri.startswith("pvc://gyre-runs/"):
        raise Trouble(f"the monitor of the season tells no report: {uri!r}")
    base = uri.removeprefix("pvc://gyre-runs/").removesuffix(".html")
    for name in ("features", "time"):
        say.run(f"{say.kubectl} exec callers -- cat /runs/{base}-{name}.png > build/loop-{name}.png")


# ── what is read ──────────────────────────────────────────────────────────────────────────────────────────────────────


def retrained(model: dict[str, Any]) -> tuple[int, str]:
    told = model.get("status", {}).get("retrain") or {}
    return int(told.get("count") or 0), str(told.get("lastOutcome") or "")


def champion(model: dict[str, Any]) -> str:
    return str((model.get("status", {}).get("champion") or {}).get("name") or "")


def of_model(model: dict[str, Any]) -> str:
    told = model.get("status", {}).get("retrain") or {}
    parts = [f"champion {champion(model) or 'none'}"]
    if told.get("lastJob"):
        parts.append(
            f"{told['lastJob']} {told.get('lastOutcome', '')}: {told.get('lastTrigger', '')}, {told.get('lastWhy', '')}"
        )
    if worth := told.get("worth"):
        parts.append(f"recovers {worth.get('recovered')} and costs {worth.get('cost')} {worth.get('currency')}")
    return "; ".join(parts)


def of_service(gis: dict[str, Any]) -> str:
    status = gis.get("status", {})
    canary, stable = status.get("canary") or {}, (status.get("stable") or {}).get("version")
    if canary:
        return f"canary {canary['version']} at {canary['weight']}, {(status.get('evidence') or {}).get('summary', '')}"
    return f"{stable} has all traffic: {condition(gis, 'Ready').get('reason', '')}"
