"""A cluster that somebody else runs, by the name of its context in the caller's kubeconfig.

Promises   adds KubeRay if it is absent, nothing else: whoever runs the cluster decides about webhooks and gateways.
           `down` forgets the cluster and changes nothing in it.
"""

from cluster import additions, commands, kubectl, kuberay
from cluster.kubectl import find
from cluster.layout import Layout
from cluster.native import delete_state
from cluster.steps import Step, run_all


def up(layout: Layout, context: str) -> float:
    """A kubeconfig of that one context, and KubeRay."""
    layout.claim_state()
    addition = kuberay.published(layout)

    def connect() -> str:
        view = ["config", "view", "--minify", "--flatten", "--raw", f"--context={context}"]
        layout.kubeconfig.touch(mode=0o600)
        layout.kubeconfig.write_text(commands.run([find(layout), *view]))
        return kubectl.kubectl(layout, "version", "-o", "json").split('"gitVersion": "')[-1].split('"')[0]

    def install() -> str:
        if kubectl.get(layout, "crd", "rayjobs.ray.io") is not None:
            return "was there"
        additions.install(layout, addition)
        return additions.serves(layout, addition)

    return run_all([Step("connect", connect), Step("kuberay", install, ("connect",))])


def status(layout: Layout) -> bool:
    print(kubectl.kubectl(layout, "get", "nodes", "-o", "wide"))
    return True


def down(layout: Layout) -> None:
    delete_state(layout)
