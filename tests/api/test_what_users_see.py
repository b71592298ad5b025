"""What `kubectl get`, `get -o wide` and `describe` show of kinds that are watched rather than run, in states as their own code
writes them: does the table answer the first question, and does the Event say what happened?
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from tests.api.apiserver import ADMIN_TOKEN, ApiServer, binaries
from tests.api.cluster import Cluster
from tests.unit.costbudget.test_thresholds import SIX, thresholds
from tests.unit.costbudget.worlds import BUDGET, Town
from tests.unit.driftmonitor.worlds import FLIGHTS, HOUR, SERVICE, a_service
from tests.unit.driftmonitor.worlds import Story as DriftStory
from tests.unit.model.doings import MODEL, ON_DRIFT
from tests.unit.model.doings import Story as ModelStory
from tests.unit.provider.test_provider import NOW, node, provider
from tests.unit.reading import Cluster as Room
from tests.unit.servicelevelobjective.levels import AVAILABLE, RIGHT, SLO
from tests.unit.servicelevelobjective.levels import Story as LevelStory

from gyre.api import gvks
from gyre.api.effects import Ref
from gyre.api.schema import crd
from gyre.kinds import KINDS
from gyre.kinds.provider import KIND as PROVIDER

pytestmark = [pytest.mark.api, pytest.mark.xdist_group("what-users-see")]

SHOWN = (gvks.DRIFT_MONITOR, gvks.SERVICE_LEVEL_OBJECTIVE, gvks.COST_BUDGET, gvks.PROVIDER, gvks.MODEL)
KUBECTL = Path(sys.executable).parent / "kubectl"
Kubectl = Callable[..., str]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    server = ApiServer(tmp_path_factory.mktemp("seen"), binaries())
    server.start()
    try:
        cluster = Cluster(server)
        for kind in KINDS:
            if kind.gvk in SHOWN:
                cluster.create(gvks.CUSTOM_RESOURCE_DEFINITION, crd(kind.model))
        cluster.established([f"{gvk.plural}.gyre.dev" for gvk in SHOWN])
        cluster.namespace("ml")
        yield cluster
    finally:
        server.destroy()


@pytest.fixture(scope="module")
def kubectl(cluster: Cluster) -> Kubectl:
    env = {
        **os.environ,
        "HOME": str(cluster.server.folder),
        "KUBECONFIG": str(cluster.server.kubeconfig("admin", ADMIN_TOKEN)),
    }

    def run(*words: str) -> str:
        ran = subprocess.run([str(KUBECTL), *words, "-n", "ml"], env=env, capture_output=True, text=True, timeout=60)
        assert ran.returncode == 0, ran.stderr
        print(f"$ kubectl {' '.join(words)}\n{ran.stdout}")
        return ran.stdout

    return run


class Shown:
    """Puts what a story has made of an object before the API server, under another name, with its Events."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def __call__(self, room: Room, ref: Ref, name: str) -> None:
        obj, gvk = room.objects[ref], ref.gvk
        metadata = {"name": name, **({"namespace": "ml"} if gvk.namespaced else {})}
        head = {"apiVersion": gvk.api_version, "kind": gvk.kind, "metadata": metadata}
        made = self.cluster.create(gvk, {**head, "spec": obj["spec"]})
        place = Ref(gvk, metadata.get("namespace", ""), name)
        self.cluster.apply(place, {**head, "status": obj["status"]}, manager="test", subresource="status")
        about = {"apiVersion": gvk.api_version, "kind": gvk.kind, "name": name, "uid": made["metadata"]["uid"]}
        about |= {"namespace": metadata["namespace"]} if gvk.namespaced else {}
        for number, note in enumerate(room.notes):
            where = metadata.get("namespace", "default")
            event = {"metadata": {"name": f"{name}.{number}", "namespace": where}, "involvedObject": about}
            told = {"type": note.type.value, "reason": note.reason, "message": note.message}
            stamps = {"firstTimestamp": "2026-11-23T08:10:00Z", "lastTimestamp": "2026-11-23T08:10:00Z", "count": 1}
            self.cluster.create(gvks.EVENT, {"apiVersion": "v1", "kind": "Event", **event, **told, **stamps})


@pytest.fixture(scope="module")
def shown(cluster: Cluster) -> Shown:
    return Shown(cluster)


def table(text: str) -> dict[str, dict[str, str]]:
    """Rows by name, cells by header: columns begin where their headers do."""
    head, *lines = text.splitlines()
    starts = [at for at, letter in enumerate(head) if letter != " " and (at == 0 or head[at - 2 : at] == "  ")]
    edges = [*starts, 10_000]
    cells = [[line[a:b].strip() for a, b in pairwise(edges)] for line in (head, *lines)]
    return {row[0]: dict(zip(cells[0], row, strict=True)) for row in cells[1:]}


def drifted() -> DriftStory:
    story = DriftStory()
    story.look()
    counted = {"rows": 900, "errors": 210, "book": "b", "seen": 4200, "wrong": 800}
    impact = {"metric": "auc", "estimate": 0.031, "before": 0.7231, "now": 0.6921, "basis": "Labels"}
    quality = {"evidence": 1.2, "threshold": 6.58, "lost": False}
    return story.judged(True, labels=counted, impact=impact, quality=quality)


def test_drift_monitors(shown: Shown, kubectl: Kubectl):
    story = drifted()
    shown(story.cluster, FLIGHTS, "drifted")
    bug = {"reason": "UnitChange", "feature": "distance", "message": "distance is ×1.609 (miles → kilometres)"}
    story = DriftStory()
    story.look()
    shown(story.judged(True, dataBug=bug).cluster, FLIGHTS, "bug")
    story = DriftStory()
    story.look()
    shown(story.judged(None).cluster, FLIGHTS, "silent")
    story = DriftStory()
    story.change(SERVICE, a_service(None))
    story.look()
    shown(story.cluster, FLIGHTS, "unlogged")
    story = DriftStory()
    story.look()
    story.failed("ReferenceTooSmall", "the reference has 1500 rows: 500 rows are missing: take a longer reference")
    story.look(HOUR / 60)
    shown(story.cluster, FLIGHTS, "small")
    row = table(kubectl("get", "dm"))
    assert [(row[name]["DRIFTED"], row[name]["BUG"], row[name]["WORST"]) for name in ("drifted", "bug", "silent")] == [
        ("True", "", "carrier"),
        ("True", "UnitChange", "carrier"),
        ("Unknown", "", ""),
    ]
    assert row["unlogged"]["REASON"] == "NoLog"
    wide = table(kubectl("get", "dm", "-o", "wide"))
    assert (wide["drifted"]["IMPACT"], wide["drifted"]["LABELS"], wide["drifted"]["WRONG"]) == ("0.031", "4200", "800")
    assert wide["bug"]["MESSAGE"].startswith("UnitChange of distance: distance is ×1.609")
    assert "set its spec.log.uri" in wide["unlogged"]["MESSAGE"]
    assert "see whether the service is called" in wide["silent"]["MESSAGE"]
    assert "the try before it failed: the reference has 1500 rows" in wide["small"]["MESSAGE"]
    told = kubectl("describe", "dm", "drifted")
    assert "DriftFound" in told
    assert "auc is worse by 0.0310 (0.7231 → 0.6921)" in told


def test_levels(shown: Shown, kubectl: Kubectl):
    story = LevelStory(AVAILABLE, onExhausted="Freeze")
    story.came(5000, 50)
    story.look()
    story.came(1000, 3)
    story.look()
    shown(story.cluster, SLO, "well")
    story.came(1000, 300)
    story.look()
    shown(story.cluster, SLO, "spent")
    story = LevelStory(RIGHT)
    story.look()
    shown(story.cluster, SLO, "unlabelled")
    row = table(kubectl("get", "slo"))
    assert (row["well"]["REASON"], row["well"]["REMAINING"], row["well"]["EXHAUSTED"]) == ("WithinBudget", "0.70", "")
    assert row["spent"]["REASON"] == "BudgetExhausted"
    assert row["spent"]["EXHAUSTED"], "how long it has been so"
    assert (row["unlabelled"]["REASON"], row["unlabelled"]["REMAINING"]) == ("LabelsMissing", "")
    wide = table(kubectl("get", "slo", "-o", "wide"))
    assert "spent under delays-a: 303 of 2000 events were bad; no new version begins" in wide["spent"]["MESSAGE"]
    assert "see kubectl get dm" in wide["unlabelled"]["MESSAGE"]
    told = kubectl("describe", "slo", "spent")
    assert "1 gateway pod has answered" in told
    assert "BurnRateHigh" in told


def test_budgets(shown: Shown, kubectl: Kubectl):
    town = Town(SIX, amount="20", **thresholds((100, "Park")))
    town.at("2026-11-02 12:00")
    shown(town, BUDGET, "fine")
    town = Town(SIX, amount="6", **thresholds((50, "Warn"), (100, "Deny")))
    town.at("2026-11-02 13:30")
    shown(town, BUDGET, "gone")
    town = Town(SIX, providers=())
    town.at("2026-11-02 13:30")
    shown(town, BUDGET, "unpriced")
    row = table(kubectl("get", "cb"))
    assert [(row[name]["SPENT"], row[name]["LEFT"], row[name]["ACTION"]) for name in ("fine", "gone", "unpriced")] == [
        ("4.00", "16.00", "None"),
        ("6.00", "0.00", "Deny"),
        ("", "", "None"),
    ]
    wide = table(kubectl("get", "cb", "-o", "wide"))
    assert "new TrainingJobs are refused; raise spec.amount" in wide["gone"]["MESSAGE"]
    assert "create a Provider in EUR that chooses that node" in wide["unpriced"]["MESSAGE"]
    assert "100 % of 6 EUR passed" in kubectl("describe", "cb", "gone")


def test_providers(shown: Shown, kubectl: Kubectl):
    ref = Ref(gvks.PROVIDER, "", "onprem")
    for name, nodes in (("whole", (node(),)), ("gaps", (node(), node("gpu-1", gpus="4")))):
        room = Room()
        room.put(gvks.PROVIDER, provider())
        for one in nodes:
            room.put(gvks.NODE, one)
        room.look(PROVIDER, ref, NOW)
        shown(room, ref, name)
    row = table(kubectl("get", "prov"))
    assert [(row[name]["NODES"], row[name]["UNPRICED"]) for name in ("whole", "gaps")] == [("1", ""), ("2", "gpu-1")]
    wide = table(kubectl("get", "prov", "-o", "wide"))
    why = "Accelerator has no price now: add it to spec.prices of Provider onprem"
    assert wide["gaps"]["MESSAGE"] == f"2 nodes priced in EUR, 1 of them not wholly: gpu-1: {why}"
    assert wide["whole"]["MESSAGE"] == "1 node priced in EUR"
    assert why in kubectl("describe", "prov", "gaps")


def test_models(shown: Shown, kubectl: Kubectl):
    story = ModelStory(ON_DRIFT)
    story.look()
    story.drift()
    story.look()
    shown(story.cluster, MODEL, "trains")
    story.ends(1, well=False)
    story.drift(since="2026-11-24T00:00:00Z")
    story.look()
    shown(story.cluster, MODEL, "waits")
    story = ModelStory(ON_DRIFT)
    story.look()
    story.drift(bug="x1.609")
    story.look()
    shown(story.cluster, MODEL, "bugged")
    story = ModelStory(rollback={"causes": ["ObjectiveExhausted"]})
    story.look()
    story.version(2, "0.75")
    story.service("delay-2", ("Promoted", "delay-2"), ("Deployed", "delay-1"), spent="delay-2")
    story.look()
    shown(story.cluster, MODEL, "back")
    row = table(kubectl("get", "mdl"))
    assert (row["back"]["CHAMPION"], row["back"]["LATEST"]) == ("delay-1", "delay-2")
    wide = table(kubectl("get", "mdl", "-o", "wide"))
    assert wide["back"]["MESSAGE"].endswith("; delay-2 was taken back, so the champion is delay-1")
    assert wide["trains"]["MESSAGE"].endswith("; TrainingJob delay-retrain-1 trains it anew (Drift/shift)")
    assert (wide["waits"]["OUTCOME"], wide["waits"]["SUPPRESSED"]) == ("Failed", "Cooldown")
    assert wide["bugged"]["SUPPRESSED"] == "DataBug"
    told = kubectl("describe", "mdl", "waits")
    assert "the last one began less than 1d ago: not before 2026-11-24 08:00 UTC" in told
    assert "TrainingJob delay-retrain-1 (Drift/shift): Failed" in told
