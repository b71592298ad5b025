"""`make demo-loop`: a model that is left alone. Seven months of real flights pass in seven minutes, a month a minute.

    June      as it was when the model was trained
    July      the distances come in kilometres: a data bug, nothing to learn from
    August    as usual again
    September the season turns: drift; a new version is trained by itself, beats the old one on the same flights, takes over
    October … December                      go on

Promises   labels come half a month late; every figure is read from the cluster; exit status 0 only if July retrained nothing,
           September retrained once, the new version went through its canary and no caller was failed; a job ran out of money,
           was parked, and went on from its checkpoint; every decision recomputes to what was done. It can be run again.
"""

from __future__ import annotations

import json
from typing import Any

import money
import months
from ground import cluster, operator
from months import MODEL, SERVICE, Calendar
from narrator import Narrator, Trouble, told, true
from pods import apply, phase, pod_of

NAMESPACE = "gyre-loop"
RATE, ROWS = 40, 4
CALLERS = "callers"
LABELS_AFTER = 30


def tell(say: Narrator) -> None:
    cluster(say)
    operator(say)
    data(say)
    first = trained(say)
    endpoint(say)
    calendar = traffic(say)
    money.tell(say)
    months.tell(say, calendar, first, LABELS_AFTER)
    account(say)
    why(say)
    farewell(say)


def data(say: Narrator) -> None:
    with say.step("Real flights of 2013", "January to May to begin with; the rest of the year is the traffic to come."):
        say.run(f"{say.kubectl} delete gis,dm,slo,tj --all --wait=true 2> /dev/null")
        say.run(f"{say.kubectl} delete pod --all --grace-period=0 --force > /dev/null 2>&1")
        # A version that is still in use is not deleted, and it takes a moment until nobody uses it any more.
        gone = f"{say.kubectl} delete mv,mdl,dset,pvc --all --wait=true"
        say.run(f"timeout 120 sh -c 'until {gone} > /dev/null 2>&1; do sleep 2; done'")
        say.run(f"{say.kubectl} apply -f examples/pvc-runs.yaml -f examples/loop/datasets.yaml")
        for name in ("flights", "flights-recent", "flights-year"):
            say.watch(f"dset/{name}", lambda it: true(it, "Ready"), told, minutes=10)
        say.run(f"{say.kubectl} get dset")


def trained(say: Narrator) -> str:
    with say.step("A Model that trains by itself", "Asked for by hand this once; the template is part of the Model."):
        say.run(f"{say.kubectl} apply -f examples/loop/model.yaml")
        say.run(f"{say.kubectl} annotate mdl flights-late gyre.dev/retrain=first --overwrite")
        say.watch(MODEL, lambda it: months.retrained(it) == (1, "Succeeded"), months.of_model, minutes=10)
        say.watch(MODEL, lambda it: bool(months.champion(it)), months.of_model, minutes=2)
        say.run(f"{say.kubectl} get mdl,mv")
        return months.champion(say.see(MODEL))


def endpoint(say: Narrator) -> None:
    with say.step(
        "An endpoint with a prediction log", "Each request and answer becomes a row of Parquet; inference never waits."
    ):
        say.run(
            f"{say.kubectl} apply -f examples/loop/service.yaml -f examples/loop/slo.yaml -f examples/loop/schedule.yaml"
        )
        say.watch(SERVICE, lambda it: true(it, "Ready"), told, minutes=8)
        say.watch(SERVICE, lambda it: true(it, "LogHealthy"), lambda it: told(it, "LogHealthy"), minutes=3)
        say.run(f"{say.kubectl} get gis,slo,dm")


def traffic(say: Narrator) -> Calendar:
    with say.step(
        "Months of traffic", f"{RATE * ROWS} flights a second, a month a minute; what turned out is told later."
    ):
        gis = say.see(SERVICE)
        host = gis["status"]["url"].split("://", 1)[1]
        apply(say, callers(gis["status"]["address"], host))
        say.watch(f"pod/{CALLERS}", lambda it: phase(it) == "Running", phase, minutes=3)
        calendar = months.calendar(say, CALLERS)
        say.console.print(f"  June begins at [bold]{calendar.time_of(0)}[/] (UTC); a month is a minute.")
        return calendar


def callers(address: str, host: str) -> dict[str, Any]:
    parts = " ".join(f"--partition month={number:02d}" for number in months.NUMBERS)
    command = (
        f"exec python -m gyre_data replay --path /data {parts} --scale month=07:distance=1.609344 --align 60 "
        f"--url http://{address} --host {host} --model flights --rate {RATE} --rows {ROWS} --seconds 60 --every 5 "
        f"--labels http://flights-log.{NAMESPACE}.svc/labels --labels-after {LABELS_AFTER} --truth arr_delay --above 15 "
        '--labels-header "Authorization=Bearer $LOG_TOKEN"'
    )
    token = {"secretKeyRef": {"name": "flights-log-token", "key": "token"}}
    volumes = {
        "data": {"persistentVolumeClaim": {"claimName": "flights-year-data", "readOnly": True}},
        "runs": {"persistentVolumeClaim": {"claimName": "gyre-runs", "readOnly": True}},
    }
    return pod_of(CALLERS, command, volumes, memory="768Mi", env=[{"name": "LOG_TOKEN", "valueFrom": token}])


def account(say: Narrator) -> None:
    with say.step("What the callers saw", "Every request of seven months, counted where the callers are."):
        say.run(f"{say.kubectl} exec {CALLERS} -- sh -c 'kill -TERM 1'")
        say.watch(f"pod/{CALLERS}", lambda it: phase(it) in ("Succeeded", "Failed"), phase, minutes=3)
        total = json.loads(say.ask(f"{say.kubectl} logs {CALLERS} --tail=1"))
        for version, statuses in total["versions"].items():
            say.console.print(f"  {version or 'no version':32} {', '.join(f'{n} × {s}' for s, n in statuses.items())}")
        failed = sum(n for statuses in total["versions"].values() for s, n in statuses.items() if s != "200")
        say.console.print(f"  {total['sent']} requests, [bold]{failed}[/] failed; {total['labels']} labels told.")
        log = say.see(SERVICE)["status"].get("log") or {}
        say.console.print(f"  prediction log: {log.get('logged')} requests stored so far, {log.get('dropped')} dropped")
        if failed:
            raise Trouble(f"{failed} requests were failed")


def why(say: Narrator) -> None:
    with say.step("Why", "From the endpoint back to data, code, evidence and money; each decision computed again."):
        say.run(f"gyre why gis/flights -n {NAMESPACE} --verify")
        say.run(f"{say.kubectl} get mdl flights-late -o jsonpath='{{.status.retrain}}' | python3 -m json.tool")


def farewell(say: Narrator) -> None:
    with say.step("What you would type", "The same tables your colleagues and your GitOps controller read."):
        say.run(f"{say.kubectl} get mdl,mv,gis,dm,slo,tj")
        say.run("kubectl get cb,prov")
        say.run(f"{say.kubectl} describe mdl flights-late | sed -n '/^Events/,$p'")
    say.console.print()
    say.summary()
    say.console.print(
        f"""
Look around:
  export KUBECONFIG={say.environment["KUBECONFIG"]}
  gyre why gis/flights -n {NAMESPACE}
  build/loop-*.png                   what the monitor of the season saw
  {say.kubectl} describe dm season
Remove everything:
  make cluster-down
"""
    )
