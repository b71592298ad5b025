"""The commands. What a person reads goes to stderr, what a script takes (a path) to stdout.

    up [--context NAME] [--without-images] [--with-store]
                                             bring the cluster about; again and again, if you like
    status                                   each process with pid, memory and health; exit status 1 if not whole
    kubeconfig                               the path of the administrator's kubeconfig
    load ARCHIVE                             import an image archive
    binaries [--only NAME,NAME]              build Kubernetes' programs and print their folder
    manifests                                print the folders of KubeRay's, KServe's and the Gateway's own; builds nothing
    down [--purge]                           remove it; with --purge its store of images as well

What is unfit or missing is told in one sentence, with exit status 1.
"""

import argparse
import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from cluster import binaries, commands, context, flavour, kind, native
from cluster.layout import Layout, Refused, layout_of


def main(argv: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    # An ended `up` ends its builders, whether a person or a script ends it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        layout = layout_of(os.environ)
        return int(options.run(layout, options) or 0)
    except Refused as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        commands.cancel()
        print("interrupted; run it again to go on where it stopped", file=sys.stderr)
        return 130


def _up(layout: Layout, options: argparse.Namespace) -> None:
    with _alone(layout):
        chosen = flavour.remembered(layout)
        if chosen is None or (options.context and options.context != chosen.context):
            if chosen is not None:
                raise Refused(f"a {chosen.name} cluster is up; run `down` before taking another")
            chosen = flavour.choose(flavour.look(), options.context)
        print(f"{chosen.name}: {chosen.why}", file=sys.stderr)
        layout.claim_state()
        if options.with_store and chosen.name != "native":
            raise Refused(f"--with-store is for the native cluster, and this is {chosen.name}: use a store of your own")
        if chosen.name == "context":
            # Remembered only once it was reached: there is nothing to take down before.
            took = context.up(layout, chosen.context)
        flavour.remember(layout, chosen)
        if chosen.name == "native":
            took = native.up(layout, with_images=not options.without_images, with_store=options.with_store)
        elif chosen.name == "kind":
            took = kind.up(layout, with_images=not options.without_images)
    print(f"  {took:6.1f} s  in all\n\nexport KUBECONFIG={layout.kubeconfig}", file=sys.stderr)


def _down(layout: Layout, options: argparse.Namespace) -> None:
    with _alone(layout):
        began = time.monotonic()
        chosen = flavour.remembered(layout)
        if chosen is None and not layout.state.exists() and not options.purge:
            print("nothing is up", file=sys.stderr)
            return
        if chosen is not None and chosen.name == "kind":
            kind.down(layout)
        elif chosen is not None and chosen.name == "context":
            context.down(layout)
        else:
            native.down(layout, purge=options.purge)
        print(f"  {time.monotonic() - began:6.1f} s  down, nothing is left", file=sys.stderr)


def _status(layout: Layout, options: argparse.Namespace) -> int:
    chosen = _chosen(layout)
    if chosen.name == "native":
        return 0 if native.status(layout) else 1
    return 0 if (kind.status(layout) if chosen.name == "kind" else context.status(layout)) else 1


def _kubeconfig(layout: Layout, options: argparse.Namespace) -> None:
    _chosen(layout)
    print(layout.kubeconfig)


def _load(layout: Layout, options: argparse.Namespace) -> None:
    chosen = _chosen(layout)
    if chosen.name == "context":
        raise Refused(f"context {chosen.context} takes images from its registries; push the image there")
    archive: Path = options.archive
    if not archive.is_file():
        raise Refused(f"{archive} is no file; give an image archive, as `docker save` or `buildah push` writes it")
    print(native.load(layout, archive) if chosen.name == "native" else kind.load(archive), file=sys.stderr)


def _binaries(layout: Layout, options: argparse.Namespace) -> None:
    began = time.monotonic()
    remark = binaries.build(layout, [name for name in options.only.split(",") if name])
    print(f"{remark} ({time.monotonic() - began:.1f} s)", file=sys.stderr)
    print(binaries.folder(layout))


def _manifests(layout: Layout, options: argparse.Namespace) -> None:
    for module in binaries.MODULES:
        print(binaries.keep(layout, module))


def _chosen(layout: Layout) -> flavour.Flavour:
    chosen = flavour.remembered(layout)
    if chosen is None:
        raise Refused("no cluster is up; run `python hack/cluster up`")
    return chosen


def _alone(layout: Layout) -> AbstractContextManager[None]:
    """Outside the state folder, which `down` deletes while it holds the lock."""
    return binaries.locked(layout.cache / "cluster.lock")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python hack/cluster", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands_of = parser.add_subparsers(required=True, metavar="COMMAND")
    handlers = {
        "up": _up,
        "status": _status,
        "kubeconfig": _kubeconfig,
        "load": _load,
        "binaries": _binaries,
        "manifests": _manifests,
        "down": _down,
    }
    for name, run in handlers.items():
        command = commands_of.add_parser(name)
        command.set_defaults(run=run)
        if name == "up":
            command.add_argument("--context", help="use this context of your kubeconfig and make no cluster")
            command.add_argument("--without-images", action="store_true", help="do not build and import gyre's images")
            command.add_argument(
                "--with-store", action="store_true", help="an S3-compatible store as well: s3.gyre-store:9000"
            )
        elif name == "load":
            command.add_argument("archive", type=Path)
        elif name == "binaries":
            command.add_argument("--only", default="", metavar="NAME,NAME", help="build these and no others")
        elif name == "down":
            command.add_argument("--purge", action="store_true", help="delete the store of images as well")
    return parser
