"""The Job of a DriftMonitor, in-process, on files as the log writes them: real flights of January beside other months."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np
import pytest
from tests.unit.workloads import bucket
from tests.unit.workloads.flights_log import FEATURES, Log, dataset, month, plan, run

from gyre.stats import drift
from gyre.stats.bins import Bins
from gyre_drift import sketches, store

Job = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path / "log")


@pytest.fixture
def january(tmp_path: Path) -> dict[str, Any]:
    return dataset(tmp_path / "reference", month(1))


@pytest.fixture
def job(log: Log, january: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    """`job(at=3, **plan)`: judge the hour 3."""

    def judged(at: int = 0, reference: Any = None, **more: Any) -> tuple[int, dict[str, Any]]:
        return run(plan(log, reference or january, at, **more), tmp_path, monkeypatch)

    return judged


def windows_of(log: Log) -> list[dict[str, Any]]:
    return [json.loads(file.read_text()) for file in sorted((log.kept / "windows").iterdir())]


def test_january_is_like_january(log: Log, job: Job):
    log.hour(0, month(1)[:2_000])
    code, told = job()
    assert (code, told["state"], told["drifted"]) == (0, "Judged", False)
    assert told["window"]["rows"] == 2_000
    assert 0 < told["window"]["judged"] <= 27_004 // 20


@pytest.mark.parametrize("number", [6, 9])
def test_another_season_has_drifted_in_what_is_flown(log: Log, job: Job, number: int):
    """In June and September airlines fly other shares of the flights than in January."""
    log.hour(0, month(number)[:6_000])
    _, told = job(minEffect="0.01")
    assert told["drifted"] is True
    assert told["worst"][0]["statistic"] > told["worst"][0]["threshold"]
    assert "dataBug" not in told


def test_distances_in_kilometres_are_a_data_bug(log: Log, job: Job):
    rows = month(9)[:3_000]
    log.hour(0, rows, distance=rows["distance"] * 1.609)
    _, told = job()
    assert told["dataBug"]["reason"] == "UnitChange"
    assert told["dataBug"]["feature"] == "distance"
    assert told["drifted"] is True


def test_every_number_of_a_verdict_is_recomputed_from_the_evidence(log: Log, job: Job):
    log.hour(0, month(6)[:3_000])
    _, told = job()
    (evidence,) = windows_of(log)
    reference = json.loads((log.kept / f"reference-{told['reference']['key']}.json").read_text())
    bins = [Bins.from_json(one) for one in reference["features"]]
    counts = [np.array(evidence["counts"][one.name]) for one in bins]
    threshold = drift.Threshold.from_json(evidence["threshold"])
    found = drift.judge(bins, [np.array(shares) for shares in reference["shares"]], counts, threshold)
    assert [(one.feature, one.statistic, one.threshold, one.effect) for one in found] == [
        (one["feature"], one["statistic"], one["threshold"], one["effect"]) for one in evidence["findings"]
    ]
    assert drift.drifted(found, evidence["minEffect"]) is evidence["drifted"] is told["drifted"]


def test_the_threshold_is_calibrated_once_and_the_same_again(log: Log, job: Job):
    for at in (0, 1):
        log.hour(at, month(1)[2_000 * at : 2_000 * (at + 1)])
        job(at)
    (kept,) = (log.kept / "thresholds").iterdir()
    before = kept.read_bytes()
    shutil.rmtree(log.kept)
    job(0)
    (kept,) = (log.kept / "thresholds").iterdir()
    assert kept.read_bytes() == before


def test_a_run_that_is_repeated_writes_nothing(log: Log, job: Job):
    log.hour(0, month(6)[:2_000])
    first = job()
    before = {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in log.kept.rglob("*") if file.is_file()}
    assert job() == first
    assert {
        file: (file.read_bytes(), file.stat().st_mtime_ns) for file in log.kept.rglob("*") if file.is_file()
    } == before


def test_a_repeated_run_does_not_need_the_reference(log: Log, job: Job, tmp_path: Path):
    log.hour(0, month(6)[:2_000])
    first = job()
    shutil.rmtree(tmp_path / "reference")
    assert job() == first


def test_parts_that_come_late_are_judged_too(log: Log, job: Job):
    log.hour(0, month(1)[:2_000])
    assert job()[1]["window"]["rows"] == 2_000
    log.hour(0, month(1)[2_000:2_500], seed=1)
    assert job()[1]["window"]["rows"] == 2_500


def test_a_prediction_that_was_delivered_twice_counts_once(log: Log, job: Job):
    log.hour(0, month(1)[:2_000])
    (part,) = (log.root / "version=v1").rglob("*.parquet")
    shutil.copy(part, part.with_name("part-0000000000000000.parquet"))
    assert job()[1]["window"]["rows"] == 2_000


def test_only_the_rows_of_the_window_are_judged(log: Log, job: Job):
    for at in (0, 1, 2):
        log.hour(at, month(1)[1_000 * at : 1_000 * at + 600 + at])
    assert [job(at)[1]["window"]["rows"] for at in (0, 1, 2)] == [600, 601, 602]


def test_an_hour_without_traffic_is_neither_quiet_nor_drifted(log: Log, job: Job):
    log.hour(0, month(1)[:2_000])
    _, told = job(5)
    assert told["state"] == "NoTraffic"
    assert "drifted" not in told


def test_a_log_that_was_never_written_is_no_traffic(job: Job):
    assert job()[1]["state"] == "NoTraffic"


def test_a_handful_of_rows_tells_nothing(log: Log, job: Job):
    log.hour(0, month(6)[:60])
    _, told = job()
    assert (told["state"], told["needed"]) == ("TooFewRows", 100)
    assert "drifted" not in told


def test_a_reference_that_is_too_small_says_what_is_missing(log: Log, job: Job, tmp_path: Path):
    log.hour(0, month(1)[:500])
    code, told = job(reference=dataset(tmp_path / "small", month(1)[:1_500]))
    assert (code, told["error"]["class"]) == (1, "ReferenceTooSmall")
    assert "500 rows are missing" in told["error"]["message"]


def test_files_that_are_not_those_of_the_version_are_not_used(
    log: Log, job: Job, january: dict[str, Any], tmp_path: Path
):
    log.hour(0, month(1)[:500])
    (tmp_path / "reference" / "part-1.parquet").write_bytes((tmp_path / "reference" / "part-0.parquet").read_bytes())
    _, told = job()
    assert told["error"]["class"] == "ReferenceChanged"


def test_a_feature_that_the_reference_does_not_have_is_named(log: Log, job: Job):
    log.hour(0, month(1)[:500])
    _, told = job(features=[*FEATURES, {"name": "humidity", "type": "Numeric"}])
    assert told["error"]["class"] == "UnknownFeature"
    assert "'humidity'" in told["error"]["message"]


def test_a_feature_that_is_not_logged_any_more_breaks_the_schema(log: Log, job: Job):
    log.hour(0, month(1)[:2_000], distance=None)
    _, told = job(features=FEATURES)
    assert (told["dataBug"]["reason"], told["dataBug"]["feature"]) == ("SchemaBreak", "distance")
    assert told["drifted"] is False  # what is still there is as before


def test_a_number_that_has_become_text_breaks_the_schema(log: Log, job: Job):
    rows = month(1)[:2_000]
    log.hour(0, rows, distance=[f"{miles} mi" for miles in rows["distance"]], text=("distance",))
    assert job(features=FEATURES)[1]["dataBug"]["reason"] == "SchemaBreak"


def test_a_category_that_was_sent_as_a_number_is_a_category(log: Log, job: Job, tmp_path: Path):
    rows = month(1).assign(origin=month(1)["hour"].astype(str))
    log.hour(0, rows[:1_000])
    log.hour(0, rows[1_000:2_000], origin=rows["hour"][1_000:2_000].astype(str), seed=1)
    _, told = job(reference=dataset(tmp_path / "hours", rows), features=FEATURES)
    assert told["state"] == "Judged"
    assert told["drifted"] is False


def test_masked_features_are_left_out_and_told(log: Log, job: Job):
    log.hour(0, month(1)[:2_000], masked="Masked", distance=None)
    _, told = job(features=FEATURES)
    assert told["drifted"] is False
    assert "dataBug" not in told
    assert windows_of(log)[0]["hidden"] == ["distance"]


def test_a_log_of_which_masking_leaves_nothing_says_so(log: Log, job: Job):
    log.hour(0, month(1)[:500], masked="Full", distance=None, hour=None, carrier=None, origin=None)
    _, told = job(features=FEATURES)
    assert told["error"]["class"] == "Masked"


def probabilities(seed: int, rows: int) -> np.ndarray:
    return np.random.default_rng(seed).beta(2, 5, rows)


def answered(log: Log, at: int, rows: int = 2_000, *, lie: float = 0.0) -> list[str]:
    """Predictions that come true as often as they say, or by `lie` less often."""
    p = probabilities(at, rows)
    ids = log.hour(at, month(1)[:rows], probability=p)
    true = np.random.default_rng(100 + at).random(rows) < np.clip(p - lie, 0, 1)
    log.labels |= dict(zip(ids, true.astype(float).tolist(), strict=True))
    return ids


def test_without_labels_the_impact_is_unknown_and_says_what_would_help(log: Log, job: Job):
    answered(log, 0)
    _, told = job(metric="auc", baseline={"auc": 0.8})
    assert told["impact"]["reason"] == "NoLabels"
    assert "send labels" in told["impact"]["message"]
    assert "estimate" not in told["impact"]


def test_with_labels_the_impact_is_measured(log: Log, job: Job):
    log.label(1, answered(log, 0))
    _, told = job(1, metric="auc", baseline={"auc": 0.9}, features=FEATURES)
    assert told["impact"]["basis"] == "Labels"
    assert told["impact"]["estimate"] == pytest.approx(0.9 - told["impact"]["now"], abs=1e-5)
    assert told["labels"]["rows"] == 2_000


def test_probabilities_that_labels_have_proven_estimate_the_impact_before_labels_come(log: Log, job: Job):
    log.label(0, answered(log, 0))
    job(0, metric="auc", baseline={"auc": 0.9})
    answered(log, 1)
    _, told = job(1, metric="auc", baseline={"auc": 0.9})
    assert told["impact"]["basis"] == "Calibrated"


def test_probabilities_that_are_off_estimate_nothing(log: Log, job: Job):
    log.label(0, answered(log, 0, lie=0.2))
    job(0, metric="auc", baseline={"auc": 0.9})
    answered(log, 1)
    assert job(1, metric="auc", baseline={"auc": 0.9})[1]["impact"]["reason"] == "NotCalibrated"


def test_a_version_without_metrics_has_no_baseline(log: Log, job: Job):
    answered(log, 0)
    assert job()[1]["impact"]["reason"] == "NoBaseline"


def test_lost_quality_is_found_by_the_labels(log: Log, job: Job):
    """The first labels say how often the model errs; after that it errs far more often."""
    log.label(0, answered(log, 0))
    assert job(0)[1]["quality"]["lost"] is False
    ids = answered(log, 1)
    log.labels |= dict.fromkeys(ids, 1.0)
    log.label(1, ids)
    _, told = job(1)
    assert told["quality"]["lost"] is True
    assert told["labels"]["errors"] > 1_000


def test_the_report_is_a_page_with_its_pictures_inside_and_a_digest(log: Log, job: Job):
    for at, number in enumerate((1, 1, 6)):
        log.hour(at, month(number)[2_000 * at : 2_000 * at + 2_000])
        _, told = job(at)
    (page,) = (log.kept / "reports").glob("20261123T100000Z-*.html")
    assert told["report"]["uri"] == f"pvc://logs/p/service=flights/drift/watch/reports/{page.name}"
    assert told["report"]["digest"] == f"sha256:{hashlib.sha256(page.read_bytes()).hexdigest()}"
    text = page.read_text()
    assert text.count("data:image/png;base64,") == 2
    assert "http" not in text
    for picture in ("features", "time"):
        assert page.with_name(f"{page.stem}-{picture}.png").read_bytes().startswith(b"\x89PNG")


def test_a_report_goes_where_it_is_wanted(log: Log, job: Job, tmp_path: Path):
    log.hour(0, month(1)[:1_000])
    _, told = job(report={"path": str(tmp_path / "elsewhere"), "uri": "pvc://reports/x"})
    assert told["report"]["uri"].startswith("pvc://reports/x/20261123T080000Z-")
    assert list((tmp_path / "elsewhere").glob("*.html"))


def test_a_sketch_of_a_window_is_kept_and_adds_up(log: Log, job: Job):
    for at in (0, 1):
        log.hour(at, month(1)[2_000 * at : 2_000 * (at + 1)])
        job(at)
    kept = [sketches.from_text(window["sketches"]["distance"]) for window in windows_of(log)]
    whole = sketches.merged(kept)
    assert (whole.n, kept[0].n) == (4_000, 2_000)
    exact = np.quantile(month(1)["distance"][:4_000], 0.5)
    assert sketches.quantiles(whole, [0.5])[0] == pytest.approx(exact, rel=0.1)


def chunks(stream: Any) -> Iterator[bytes]:
    """A body in chunks, as HTTP has them and, inside of it, the AWS SDK once more."""
    while size := int(stream.readline().split(b";")[0], 16):
        yield stream.read(size)
        stream.readline()
    while stream.readline().strip():  # checksums, and the empty line that ends it
        pass


class Writable(bucket.Store):
    """A store that takes what is put into it."""

    def do_GET(self) -> None:
        self.path = self.path if "?" in self.path else unquote(self.path)
        super().do_GET()

    do_HEAD = do_GET

    def do_PUT(self) -> None:
        file = self.folder / unquote(urlsplit(self.path).path).split("/", 2)[2]
        file.parent.mkdir(parents=True, exist_ok=True)
        given = self.headers["content-length"]
        content = self.rfile.read(int(given)) if given else b"".join(chunks(self.rfile))
        encoded = "aws-chunked" in (self.headers["content-encoding"] or "")
        file.write_bytes(b"".join(chunks(io.BytesIO(content))) if encoded else content)
        self.send_response(200)
        self.send_header("etag", '"x"')
        self.send_header("content-length", "0")
        self.end_headers()


def test_log_and_reference_may_lie_in_buckets(
    log: Log, january: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    log.hour(0, month(6)[:2_000], distance=month(6)[:2_000]["distance"] * 1.609)
    monkeypatch.setattr(bucket, "Store", Writable)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", *store.REFERENCE_KEYS):
        monkeypatch.setenv(name, "x")
    with bucket.serving(tmp_path) as endpoint:
        january["dataset"]["place"] = {"path": "s3://lake/reference", "endpoint": endpoint, "region": "x"}
        asked = plan(log, january, 0) | {"log": {"path": "s3://lake/log", "endpoint": endpoint, "region": "x"}}
        first = run(asked, tmp_path, monkeypatch)
        assert run(asked, tmp_path, monkeypatch) == first
    assert first[1]["drifted"] is True
    assert first[1]["report"]["uri"].startswith("s3://lake/log/service=flights/drift/watch/reports/")
    assert windows_of(log)[0]["rows"] == 2_000


def test_nothing_is_written_half(log: Log, job: Job):
    log.hour(0, month(1)[:1_000])
    job()
    assert not [file for file in log.kept.rglob(".*") if file.is_file()]


def test_a_place_that_cannot_be_written_to_is_told(log: Log, job: Job):
    log.hour(0, month(1)[:1_000])
    assert job(report={"path": "/proc/nowhere"})[1]["error"]["class"] == "NotWritable"


@pytest.mark.parametrize("text", ["", "[]", '{"monitor": "x"}', '{"monitor": 1, "window": {"from": "never"}}'])
def test_a_plan_that_cannot_be_read_is_told(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from gyre_drift.__main__ import main

    monkeypatch.setenv("GYRE_TERMINATION_LOG", str(tmp_path / "log"))
    monkeypatch.setenv("GYRE_DRIFT_PLAN", text)
    assert main() == 1
    assert json.loads((tmp_path / "log").read_text())["error"]["class"] == "Internal"


def test_a_part_that_is_not_whole_is_named(log: Log, job: Job):
    log.hour(0, month(1)[:1_000])
    (log.root / "version=v1" / "hour=20261123T08" / "part-ffffffffffffffff.parquet").write_text("half")
    _, told = job()
    assert told["error"]["class"] == "Unreadable"
    assert "part-ffffffffffffffff" in told["error"]["message"]
