"""The `gyre` command: run the operator, print what installs it, explain what it thinks of one object.

`gyre run` is what the Deployment runs. Everything else only reads, or prints to standard output.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Coroutine, Iterable
from pathlib import Path
from typing import Any

import click
import yaml

from gyre import __version__, logs
from gyre.api.effects import Manifest

EXTRAS = {"matplotlib": "plot", "openlineage": "lineage", "pyarrow": "parquet"}
"""What is not installed with the operator, and how to get it."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="gyre")
def main() -> None:
    """The whole life of a machine-learning model on Kubernetes, from YAML."""


@main.command()
@click.option("--namespace", default="gyre-system", show_default=True, help="Where the Lease of the leader lives.")
@click.option("--workers", default=16, show_default=True, help="Resources looked at in parallel.")
@click.option("--metrics-port", default=9090, show_default=True, help="Prometheus metrics; 0 for none.")
@click.option("--probe-port", default=8080, show_default=True, help="Liveness at /healthz; 0 for none.")
@click.option("--log-format", type=click.Choice(["auto", "json", "plain"]), default="auto", show_default=True)
@click.option("--verbose", is_flag=True, help="Debug messages too.")
def run(namespace: str, workers: int, metrics_port: int, probe_port: int, log_format: str, verbose: bool) -> None:
    """Run the operator in the foreground."""
    from gyre import shell
    from gyre.kinds import KINDS

    logs.configure(plain={"auto": None, "json": False, "plain": True}[log_format], verbose=verbose)
    sys.exit(
        shell.run(
            KINDS,
            namespace=namespace,
            workers=workers,
            metrics_port=metrics_port or None,
            probe_port=probe_port or None,
        )
    )


@main.command()
@click.option("--out", type=click.Path(path_type=Path), help="A folder: one file a kind. Default: standard output.")
def crds(out: Path | None) -> None:
    """Print the CustomResourceDefinitions."""
    from gyre.api.schema import crd
    from gyre.kinds import KINDS

    for kind in KINDS:
        manifest = crd(kind.model)
        if out is None:
            _print([manifest])
        else:
            out.mkdir(parents=True, exist_ok=True)
            (out / f"{kind.gvk.plural}.{kind.gvk.group}.yaml").write_text(_yaml([manifest]))


@main.command()
def rbac() -> None:
    """Print the ClusterRole the operator needs: what its kinds declare and nothing else."""
    from gyre.api.rbac import cluster_role
    from gyre.kinds import KINDS

    _print([cluster_role(KINDS)])


@main.command()
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The folder for one page a kind.")
def reference(out: Path) -> None:
    """Write the reference pages: every field of every kind, from the CRDs."""
    from gyre.api.reference import page
    from gyre.kinds import KINDS

    for kind in KINDS:
        (out / f"{kind.gvk.kind.lower()}.md").write_text(
            page(kind.model, conditions=kind.conditions, reasons=kind.reasons)
        )


@main.command()
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The chart's templates folder.")
def chart(out: Path) -> None:
    """Write the Helm chart's templates, from the same manifests as `gyre install`."""
    from gyre.api.chart import templates
    from gyre.kinds import KINDS

    out.mkdir(parents=True, exist_ok=True)
    for name, text in templates(KINDS).items():
        (out / name).write_text(text)


@main.command()
@click.option("--image", default="localhost/gyre-operator:dev", show_default=True)
@click.option("--namespace", default="gyre-system", show_default=True)
@click.option("--without-operator", is_flag=True, help="Everything but the Deployment: to run `gyre run` elsewhere.")
def install(image: str, namespace: str, without_operator: bool) -> None:
    """Print everything that installs gyre: `gyre install | kubectl apply --server-side -f -`."""
    from gyre.api.install import manifests
    from gyre.kinds import KINDS

    wanted = manifests(KINDS, image=image, namespace=namespace)
    _print(m for m in wanted if not (without_operator and m["kind"] in ("Deployment", "PodDisruptionBudget")))


@main.command()
@click.argument("what", metavar="KIND/NAME")
@click.option("-n", "--namespace", default="default", show_default=True)
def explain(what: str, namespace: str) -> None:
    """Look at one resource as the operator would, read-only, and say what it would do and why."""
    from gyre.explain import explain as look

    asyncio.run(look(what, namespace))


@main.command()
@click.argument("what", metavar="KIND/NAME")
@click.option("-n", "--namespace", default="default", show_default=True)
@click.option("--at", default="", metavar="TIME", help="As it was then: RFC 3339, such as 2026-11-23T08:00:00Z.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--verify", is_flag=True, help="Compute each decision again; exit status 1 when one differs.")
def why(what: str, namespace: str, at: str, as_json: bool, verify: bool) -> None:
    """Why this version serves (gis/), is the champion (mdl/), is as it is (mv/, tj/): from the cluster's objects alone."""
    from rich.console import Console

    from gyre.why import why as answer

    if not _said(answer(what, namespace, at=at, as_json=as_json, verify=verify, console=Console())):
        sys.exit(1)


@main.command()
@click.argument("what", metavar="mv/NAME")
@click.option("-n", "--namespace", default="default", show_default=True)
def bom(what: str, namespace: str) -> None:
    """Print a ModelVersion's bill of materials: CycloneDX 1.6, with its model card, data, image and code."""
    from gyre.lineage import print_bom

    click.echo(_said(print_bom(what, namespace)))


@main.group()
def lineage() -> None:
    """Where models come from, told to other programs: read-only."""


@lineage.command("export")
@click.option("-n", "--namespace", default="", help="One namespace. Default: all.")
@click.option("--file", "to_file", type=click.Path(path_type=Path, dir_okay=False), help="One event a line.")
@click.option(
    "--http", "to_url", default="", metavar="URL", help="An OpenLineage endpoint; its key in OPENLINEAGE_API_KEY."
)
@click.option("--since", default="", metavar="TIME", help="Only what happened from then on: RFC 3339.")
def lineage_export(namespace: str, to_file: Path | None, to_url: str, since: str) -> None:
    """OpenLineage events of runs, data and promotions; the same again each time. Needs gyre-operator[lineage]."""
    from gyre.lineage import export

    if to_file is None and not to_url:
        raise click.UsageError("say where to: --file PATH, --http URL, or both")
    count = _said(export(namespace, since, to_file=to_file, to_url=to_url))
    click.echo(f"{count} events")


@main.group()
def rollout() -> None:
    """How a canary is doing: read-only, and by the operator's own arithmetic."""


@rollout.command("status")
@click.argument("what", metavar="gis/NAME")
@click.option("-n", "--namespace", default="default", show_default=True)
@click.option("-w", "--watch", is_flag=True, help="Keep it up to date until interrupted.")
def rollout_status(what: str, namespace: str, watch: bool) -> None:
    """Who has which share of the traffic, what the counts prove, how long it will take."""
    from rich.console import Console

    from gyre.rollout import status

    _said(status(what, namespace, watch=watch, console=Console()))


@rollout.command("plot")
@click.argument("what", metavar="gis/NAME")
@click.option("-n", "--namespace", default="default", show_default=True)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    default=Path("evidence.png"),
    show_default=True,
    help=".png, .svg or .pdf",
)
def rollout_plot(what: str, namespace: str, out: Path) -> None:
    """Draw the evidence over time against both thresholds. Needs gyre-operator[plot]."""
    from gyre.rollout import plot

    _said(plot(what, namespace, out))
    print(out)


@main.group()
def cost() -> None:
    """What was spent: the ledgers of CostBudgets, shown or as files."""


@cost.command("show")
@click.argument("budget")
@click.option(
    "--by", type=click.Choice(["project", "team", "cost-center", "kind", "object"]), default="object", show_default=True
)
@click.option("--from", "first", metavar="YYYY-MM", help="The first month. Default: the first in the ledger.")
@click.option("--to", "last", metavar="YYYY-MM", help="The last month. Default: the last in the ledger.")
def cost_show(budget: str, by: str, first: str | None, last: str | None) -> None:
    """What a CostBudget paid for, and what was used of it."""
    from rich.console import Console

    from gyre.money.show import show

    Console().print(_said(show(budget, by=by, first=first, last=last)))


@cost.command("export")
@click.argument("budget")
@click.option("--format", "form", type=click.Choice(["csv", "parquet"]), default="csv", show_default=True)
@click.option("--from", "first", metavar="YYYY-MM", help="The first month. Default: the first in the ledger.")
@click.option("--to", "last", metavar="YYYY-MM", help="The last month. Default: the last in the ledger.")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), help="The file. Default: <budget>.csv or <budget>.parquet."
)
def cost_export(budget: str, form: str, first: str | None, last: str | None, out: Path | None) -> None:
    """The ledger of a CostBudget as FOCUS 1.2. Parquet needs gyre-operator[parquet]."""
    from gyre.money.export import export

    path = out or Path(f"{budget}.{form}")
    _said(export(budget, path, form=form, first=first, last=last))
    print(path)


@main.group()
def prices() -> None:
    """Price lists: what computing costs."""


@prices.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--currency", required=True, help="ISO 4217 code of the prices; OpenCost's file does not say.")
@click.option("--name", default="imported", show_default=True, help="Providers are named <name>-<instance type>.")
@click.option(
    "--shape", "shapes", multiple=True, metavar="TYPE=CORES,GIB", help="What a node of that type has; repeat."
)
def prices_import(file: Path, currency: str, name: str, shapes: tuple[str, ...]) -> None:
    """Print OpenCost's CSV price file as Providers."""
    from gyre.money.opencost import providers

    try:
        made, notes = providers(file.read_text(encoding="utf-8-sig"), currency=currency, name=name, shapes=shapes)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    for note in notes:
        click.echo(note, err=True)
    _print(made)


@main.group()
def slo() -> None:
    """What is promised of a service."""


@slo.command("rules")
@click.argument("name")
@click.option("-n", "--namespace", default="default", show_default=True)
def slo_rules(name: str, namespace: str) -> None:
    """Print the alerts of a ServiceLevelObjective as a PrometheusRule; `spec.groups` is what a plain Prometheus reads."""
    from gyre.levels import read

    async def show() -> None:
        _print([await read(namespace, name.rpartition("/")[2])])

    _said(show())


def _said(command: Coroutine[Any, Any, Any]) -> Any:
    """Runs it; what is wrong with the question, or with the cluster, is one line and exit status 1."""
    from kubernetes.aio.config import ConfigException

    from gyre.kube.errors import ApiError

    try:
        return asyncio.run(command)
    except KeyboardInterrupt:
        sys.exit(130)
    except ModuleNotFoundError as error:
        extra = EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        raise click.ClickException(f"this needs {error.name}: pip install 'gyre-operator[{extra}]'") from error
    except ConfigException as error:
        raise click.ClickException(f"no cluster: {error}") from error
    except (LookupError, ValueError, ApiError) as error:
        raise click.ClickException(str(error)) from error


def _yaml(manifests: Iterable[Manifest]) -> str:
    return yaml.safe_dump_all(json.loads(json.dumps(list(manifests), default=_plain)), sort_keys=False, width=120)


def _plain(value: Any) -> Any:
    return dict(value)


def _print(manifests: Iterable[Manifest]) -> None:
    print("---\n" + _yaml(manifests), end="")


if __name__ == "__main__":
    main()
