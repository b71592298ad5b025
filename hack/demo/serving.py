"""The second half of the demo: the trained version behind an endpoint, real flights as traffic, and four more versions.

Promises   traffic is real flights of May through the real gateway, at a steady rate, from the first minute to the last; the
           demo fails if a good version is not promoted, a bad one is not rolled back, or a caller was failed by anybody but
           the broken version.
"""

from __future__ import annotations

import json
import time
from typing import Any

from narrator import ROOT, Narrator, Trouble, condition, told, true
from pods import apply, phase, pod_of

NAMESPACE = "gyre-demo"
KUBECTL = f"kubectl -n {NAMESPACE}"
SERVICE = "gis/flights"
RATE = 40
CALLERS = "callers"


def tell(say: Narrator, trained: dict[str, Any]) -> None:
    first = trained["metadata"]["name"]
    endpoint(say, first)
    better = second_version(say)
    promoted(say, better)
    versions = bad_versions(say, trained)
    rolled_back(say, "broken", versions["broken"], better, "It fails for one carrier's flights: 8 % of the requests.")
    applied_again(say, versions["broken"], better)
    rolled_back(say, "slow", versions["slow"], better, "It answers, and much too late.")
    account(say, versions["broken"])


def endpoint(say: Narrator, version: str) -> None:
    with say.step("An endpoint", "KServe runs the predictor, Envoy the gateway; gyre owns the route between them."):
        say.run(f"{KUBECTL} delete gis flights --ignore-not-found --wait=true")
        say.run(f"{KUBECTL} delete mv flights-late-broken flights-late-slow --ignore-not-found --wait=true")
        say.run(f"{KUBECTL} delete pod {CALLERS} --ignore-not-found --grace-period=0 --force 2> /dev/null")
        chosen = f"s/track: Champion/track: Version\\n    version: {version}/"
        say.run(f"sed '{chosen}' examples/inferenceservice-flights.yaml | {KUBECTL} apply -f -")
        say.watch(SERVICE, lambda gis: true(gis, "Ready"), told, minutes=8)
        say.run(f"{KUBECTL} get gis")
        gis = say.see(SERVICE)
        address, host = gis["status"]["address"], gis["status"]["url"].split("://", 1)[1]
        apply(say, callers(address, host))
        say.console.print(f"  [bold]{RATE}[/] real flights of May a second ask {host} from now on.")


def second_version(say: Narrator) -> str:
    with say.step(
        "A better version",
        "The same flights, a wider network, more epochs: another TrainingJob, while the first serves.",
    ):
        say.run(f"{KUBECTL} delete tj flights-wider --ignore-not-found --wait=true")
        say.run(f"{KUBECTL} apply -f examples/trainingjob-flights-wider.yaml")
        job = say.watch("tj/flights-wider", lambda tj: true(tj, "Succeeded"), told, minutes=15)
        name = str(job["status"]["modelVersion"])
        say.watch(f"mv/{name}", lambda mv: true(mv, "Ready"), told, minutes=2)
        say.run(f"{KUBECTL} get mv")
        return name


def promoted(say: Narrator, version: str) -> None:
    with say.step(
        "A canary", "It takes over step by step, only as far as the evidence goes: at most 5 % risk of either mistake."
    ):
        ask_for(say, version)
        gis = say.watch(SERVICE, lambda gis: stable(gis) == version and not canary(gis), progress, minutes=10)
        event = gis["status"]["history"][0]
        say.console.print(f"  [bold]{event['event']}[/]: {event['why']}")
        say.run(f"{KUBECTL} get gis")
        say.run(f"gyre rollout plot gis/flights -n {NAMESPACE} -o build/rollout-promoted.png")


def bad_versions(say: Narrator, trained: dict[str, Any]) -> dict[str, str]:
    with say.step(
        "Two bad versions", "One with weights lost in an export, one with a network a thousand times as large."
    ):
        script = {"versions.py": (ROOT / "hack" / "demo" / "versions.py").read_text()}
        apply(say, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "versions"}, "data": script})
        claim, path = trained["spec"]["artifact"]["uri"].removeprefix("pvc://").split("/", 1)
        found = {}
        for kind in ("broken", "slow"):
            pod = f"make-{kind}"
            say.run(f"{KUBECTL} delete pod {pod} --ignore-not-found --wait=true > /dev/null")
            command = f"python /code/versions.py /runs/{path} /runs/made/{kind} {kind}"
            volumes = {
                "runs": {"persistentVolumeClaim": {"claimName": claim}},
                "code": {"configMap": {"name": "versions"}},
            }
            apply(say, pod_of(pod, command, volumes, memory="1Gi"))
            say.watch(
                f"pod/{pod}", lambda it: it.get("status", {}).get("phase") in ("Succeeded", "Failed"), phase, minutes=3
            )
            said = say.ask(f"{KUBECTL} logs {pod}").strip()
            if not said.startswith("{"):
                raise Trouble(f"pod {pod} said: {said[-400:]}")
            found[kind] = register(say, trained, f"pvc://{claim}/made/{kind}", json.loads(said), kind)
        say.run(f"{KUBECTL} get mv")
        return found


def register(say: Narrator, trained: dict[str, Any], uri: str, written: dict[str, Any], kind: str) -> str:
    name = f"flights-late-{kind}"
    spec = {
        "modelRef": trained["spec"]["modelRef"],
        "artifact": {"uri": uri, "flavour": trained["spec"]["artifact"]["flavour"], **written},
    }
    apply(say, {"apiVersion": "gyre.dev/v1alpha1", "kind": "ModelVersion", "metadata": {"name": name}, "spec": spec})
    say.watch(f"mv/{name}", lambda mv: true(mv, "Ready"), told, minutes=2)
    return name


def rolled_back(say: Narrator, kind: str, version: str, stays: str, why: str) -> None:
    with say.step(f"A {kind} version", why):
        began = time.monotonic()
        ask_for(say, version)
        gis = say.watch(
            SERVICE, lambda gis: event(gis) == ("RolledBack", version) and not canary(gis), progress, minutes=10
        )
        if stable(gis) != stays:
            raise Trouble(f"{stable(gis)} serves instead of {stays}")
        say.console.print(
            f"  [bold]RolledBack[/] {time.monotonic() - began:.0f} s after it was asked for: {gis['status']['history'][0]['why']}"
        )
        say.run(f"{KUBECTL} get gis")


def applied_again(say: Narrator, version: str, stays: str) -> None:
    with say.step(
        "The same manifest again", "As a GitOps controller would: the digest is in quarantine, so nothing moves."
    ):
        for _ in range(3):
            ask_for(say, version)
            time.sleep(2)
        gis = say.watch(
            SERVICE, lambda gis: condition(gis, "Ready").get("reason") == "RevisionQuarantined", told, minutes=1
        )
        if stable(gis) != stays or canary(gis):
            raise Trouble(f"the quarantined version moved something: {progress(gis)}")
        say.console.print(f"  {condition(gis, 'Ready')['message']}")


def account(say: Narrator, broken: str) -> None:
    with say.step("What the callers saw", "Every request of the whole story, counted where the callers are."):
        say.run(f"{KUBECTL} exec {CALLERS} -- sh -c 'kill -TERM 1'")
        say.watch(
            f"pod/{CALLERS}", lambda it: it.get("status", {}).get("phase") in ("Succeeded", "Failed"), phase, minutes=2
        )
        total = json.loads(say.ask(f"{KUBECTL} logs {CALLERS} --tail=1"))
        for version, statuses in total["versions"].items():
            counts = ", ".join(f"{number} × {status}" for status, number in statuses.items())
            say.console.print(f"  {version or 'no version':32} {counts}")
        others = sum(
            number
            for version, statuses in total["versions"].items()
            for status, number in statuses.items()
            if status != "200" and version != broken
        )
        say.console.print(f"  {total['sent']} requests; failed by anybody but {broken}: [bold]{others}[/]")
        say.run(f"gyre rollout plot gis/flights -n {NAMESPACE} -o build/rollout-last.png")
        say.run(
            f"{KUBECTL} get events --field-selector involvedObject.kind=InferenceService,involvedObject.name=flights "
            "--sort-by=.lastTimestamp -o custom-columns=TYPE:.type,REASON:.reason,MESSAGE:.message"
        )
        if others:
            raise Trouble(f"{others} requests were failed by a version that should have answered them")


# ── what is applied ───────────────────────────────────────────────────────────────────────────────────────────────────


def ask_for(say: Narrator, version: str) -> None:
    change = json.dumps({"spec": {"modelRef": {"track": "Version", "version": version}}})
    say.run(f"{KUBECTL} patch gis flights --type=merge -p '{change}'")


def callers(address: str, host: str) -> dict[str, Any]:
    command = (
        f"exec python -m gyre_data replay --path /data --partition last --url http://{address} --host {host} "
        f"--model flights --rate {RATE} --seconds 3600 --every 5"
    )
    volumes = {"data": {"persistentVolumeClaim": {"claimName": "flights-data", "readOnly": True}}}
    return pod_of(CALLERS, command, volumes, memory="512Mi")


# ── what is read ──────────────────────────────────────────────────────────────────────────────────────────────────────


def stable(gis: dict[str, Any]) -> str:
    return str((gis.get("status", {}).get("stable") or {}).get("version") or "")


def canary(gis: dict[str, Any]) -> dict[str, Any]:
    return dict(gis.get("status", {}).get("canary") or {})


def event(gis: dict[str, Any]) -> tuple[str, str]:
    newest = (gis.get("status", {}).get("history") or [{}])[0]
    return str(newest.get("event", "")), str(newest.get("version", ""))


def progress(gis: dict[str, Any]) -> str:
    candidate, evidence = canary(gis), gis.get("status", {}).get("evidence") or {}
    if not candidate:
        return f"{condition(gis, 'Ready').get('reason', '')}: {stable(gis)} has all traffic"
    parts = [f"{candidate['version']} at {candidate['weight']} (step {candidate['step']})", evidence.get("summary", "")]
    return ", ".join(part for part in (*parts, f"ETA {evidence['eta']}" if evidence.get("eta") else "") if part)
