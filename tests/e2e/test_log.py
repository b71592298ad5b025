"""The prediction log: what it costs inference, and that every request which was answered is stored or counted as dropped."""

from __future__ import annotations

import numpy as np
import pytest
from tests.e2e import predictions
from tests.e2e.cluster import Object
from tests.e2e.figures import Figures
from tests.e2e.place import Place
from tests.e2e.predictions import ROOT, SERVICE, asking, collector, directly, through_gateway

from gyre.api import gvks

pytestmark = pytest.mark.e2e
RATE = 60.0
BLOCK_SECONDS = 5
PAIRS = 12
SLOWER = 1.25
"""What half of the requests may take longer with the log; far above what is seen, for two cores are busy with other things."""
RESAMPLED = 2000
LARGE = 400 << 10
"""Bytes of a request of which forty fill a predictor's queue (16 MiB)."""
STORE = "gyre-store"
ENDPOINT = "http://s3.gyre-store:9000"
KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


@pytest.fixture
def small(place: Place) -> Place:
    """A version of gyre's own server is registered."""
    predictions.make_version(place)
    return place


# ── what it costs ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_inference_with_the_log_takes_as_long_as_without(small: Place, figures: Figures) -> None:
    """Two services of one version, one with a log, asked in turns; the order turned round each time, so that drift hits both."""
    predictions.serve(small, predictions.service("on", {"uri": ROOT}), predictions.service("off"))
    ways = {name: {**directly(small, name), "name": name, "seconds": BLOCK_SECONDS} for name in ("on", "off")}
    warm = [{**way, "name": f"warm-{name}"} for name, way in ways.items()]
    order = [name for pair in range(PAIRS) for name in (("on", "off") if pair % 2 else ("off", "on"))]
    with asking(small, [*warm, *(ways[name] for name in order)], rate=RATE) as askers:
        blocks = askers.all()
    assert set(predictions.statuses(blocks)) == {"200"}
    taken = {name: [np.array(block["seconds"]) for block in blocks if block["name"] == name] for name in ways}
    for quantile, word in ((50, "p50"), (99, "p99")):
        for name in ways:
            milliseconds = 1000 * float(np.percentile(np.concatenate(taken[name]), quantile))
            figures.add(f"prediction log {name}: {word} at {RATE:.0f} requests/s", milliseconds, "ms")
        ratio, low, high = ratio_of(taken["on"], taken["off"], quantile)
        figures.add(f"prediction log on ÷ off: {word}", ratio, "", f"95 % of resampled: {low:.3f} to {high:.3f}")
        if word == "p50":
            assert ratio <= SLOWER, (ratio, low, high)
    answered = sum(len(block["seconds"]) for block in blocks if block["name"].endswith("on"))
    found = predictions.drained(small, answered, "on")
    assert (found["sent"], found["dropped"]) == (answered, 0)


def ratio_of(on: list[np.ndarray], off: list[np.ndarray], quantile: float) -> tuple[float, float, float]:
    """Of quantiles over all blocks; and within what 95 % of such ratios lie when pairs of blocks are drawn again."""
    random = np.random.default_rng(5)

    def ratio(pairs: np.ndarray) -> float:
        above, below = (np.concatenate([blocks[pair] for pair in pairs]) for blocks in (on, off))
        return float(np.percentile(above, quantile) / np.percentile(below, quantile))

    drawn = [ratio(random.integers(0, len(on), len(on))) for _ in range(RESAMPLED)]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return ratio(np.arange(len(on))), float(low), float(high)


# ── that nothing is lost ──────────────────────────────────────────────────────────────────────────────────────────────


def load(place: Place, blocks: int, seconds: int = BLOCK_SECONDS) -> list[Object]:
    return [{**through_gateway(place), "name": str(at), "seconds": seconds} for at in range(blocks)]


def balance(figures: Figures, what: str, found: Object, answered: int, dropped: int = 0) -> None:
    """Told, and exact: what was answered is stored or dropped, and what is stored is what was answered."""
    for name, number in (("answered", answered), ("stored", found["stored"]), ("dropped", dropped)):
        figures.add(f"{what}: requests {name}", number, "")
    figures.add(f"{what}: answered − stored − dropped", answered - found["stored"] - dropped, "", "0")
    assert (found["answered"], found["ids"]) == (answered, answered), "two answers under one id, or none"
    assert found["stored"] + dropped == answered, found
    assert found["missing"] == dropped, found
    assert (found["strangers"], found["wrong"]) == (0, 0), found


def test_under_a_sustained_load_every_answer_is_stored_and_every_label_joins(small: Place, figures: Figures) -> None:
    predictions.serve(small, predictions.service(log={"uri": ROOT}))
    with asking(small, load(small, 8), rate=RATE) as askers:
        blocks = askers.all()
    answered = predictions.statuses(blocks)
    assert set(answered) == {"200"}
    events = predictions.drained(small, answered["200"])
    assert (events["queued"], events["sent"], events["dropped"]) == (answered["200"], answered["200"], 0)
    labelled = predictions.label(small)
    assert labelled == {"labels": answered["200"], "accepted": answered["200"], "duplicates": 0, "refused": 0}
    told = predictions.stored(small)
    assert (told["logged"], told["rows"], told["labels"]) == (answered["200"], answered["200"], answered["200"])
    found = predictions.sums(small)
    balance(figures, "prediction log", found, answered["200"])
    assert found["rows"] == found["stored"], "a row is stored twice"
    figures.add("prediction log: labels that join a prediction", found["labelled"], "", f"{answered['200']}")
    assert (found["labels"], found["labelled"], found["mislabelled"]) == (answered["200"], answered["200"], 0)


def test_a_collector_that_is_killed_twice_loses_and_doubles_nothing(small: Place, figures: Figures) -> None:
    predictions.serve(small, predictions.service(log={"uri": ROOT}))
    killed = []
    with asking(small, load(small, 12), rate=RATE) as askers:
        for blocks_before in (2, 6):
            askers.asked(blocks_before)
            pod = collector(small)
            small.kill(pod)
            killed.append(pod["metadata"]["uid"])
        blocks = askers.all()
    assert len(set(killed)) == 2
    answered = predictions.statuses(blocks)
    assert set(answered) == {"200"}, "inference has nothing to do with the collector"
    slowest = 1000 * float(np.percentile([one for block in blocks for one in block["seconds"]], 99))
    figures.add("collector killed twice: p99 through the gateway", slowest, "ms")
    events = predictions.drained(small, answered["200"])
    assert events["dropped"] == 0, "the queue has room for a minute"
    told = predictions.stored(small)
    assert told["logged"] == answered["200"], "the collector's own sum"
    found = predictions.sums(small)
    balance(figures, "collector killed twice", found, answered["200"])
    assert found["rows"] == found["stored"], "a row is stored twice"


def test_what_finds_no_room_while_the_collector_is_away_is_counted_to_the_last_request(
    small: Place, figures: Figures
) -> None:
    predictions.serve(small, predictions.service(log={"uri": ROOT}))
    plan = [*load(small, 1, seconds=3), *load(small, 1, seconds=30), *load(small, 1, seconds=15)]
    with asking(small, plan, rate=10, size=LARGE) as askers:
        askers.asked(1)
        with predictions.collector_away(small):
            small.until(gvks.INFERENCE_SERVICE, SERVICE, "LogHealthy", "Unknown", "LogNotReadable", seconds=120)
            askers.asked(2)
        blocks = askers.all()
    answered = predictions.statuses(blocks)
    assert set(answered) == {"200"}, "inference has nothing to do with the collector"
    events = predictions.drained(small, answered["200"])
    assert events["dropped"] > 0, "the queue was not overrun"
    assert events["queued"] + events["dropped"] == answered["200"], "nothing that was queued is lost"
    told = predictions.stored(small)
    assert told["logged"] == events["sent"]
    balance(figures, "queue overrun", predictions.sums(small), answered["200"], events["dropped"])

    def in_status() -> bool:
        log = small.cluster.get(gvks.INFERENCE_SERVICE, small.name, SERVICE)["status"].get("log") or {}
        return (log.get("logged"), log.get("dropped")) == (events["sent"], events["dropped"])

    small.cluster.until("status.log says the same", in_status, seconds=180)
    small.until(gvks.INFERENCE_SERVICE, SERVICE, "LogHealthy", seconds=120)


def test_a_log_in_a_bucket_has_every_answer_though_its_collector_was_replaced(small: Place, figures: Figures) -> None:
    """By an ordinary deletion: its journal goes with the pod, so it stores all that it has before it ends."""
    if small.cluster.find(gvks.SERVICE, STORE, "s3") is None:
        pytest.skip("the cluster has no store: bring it up with `hack/cluster up --with-store`")
    credentials(small)
    root = f"s3://gyre/{small.name}/predictions"
    s3 = {"endpoint": ENDPOINT, "credentialsSecret": {"name": "s3"}}
    predictions.serve(small, predictions.service(log={"uri": root, "s3": s3}))
    with asking(small, load(small, 8), rate=RATE) as askers:
        askers.asked(3)
        small.kubectl("delete", "pod", collector(small)["metadata"]["name"], "--wait=false")
        blocks = askers.all()
    answered = predictions.statuses(blocks)
    assert set(answered) == {"200"}
    events = predictions.drained(small, answered["200"])
    predictions.stored(small)
    keys = [{"name": key, "valueFrom": {"secretKeyRef": {"name": "s3", "key": key}}} for key in KEYS]
    plain = {"ENDPOINT": ENDPOINT, "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true"}
    env = [*keys, *({"name": name, "value": value} for name, value in plain.items())]
    found = predictions.sums(small, root, env=env)
    balance(figures, "log in a bucket", found, answered["200"], events["dropped"])
    figures.add("log in a bucket: rows stored twice", found["rows"] - found["stored"], "", "told apart by id")
    assert events["dropped"] == 0


def credentials(place: Place) -> None:
    """Those of the store, where the collector's pod can reach them."""
    held = place.cluster.get(gvks.SECRET, STORE, "s3")["data"]
    data = {key: held[key] for key in KEYS}
    place.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s3"}, "data": data})
