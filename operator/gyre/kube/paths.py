"""Where an object lives in the API: URL paths and addresses. Pure."""

from __future__ import annotations

from gyre.api.effects import Gvk, Manifest, Ref


def collection(gvk: Gvk, namespace: str = "") -> str:
    """The path of a kind's collection; all namespaces when `namespace` is empty."""
    root = f"/apis/{gvk.group}/{gvk.version}" if gvk.group else f"/api/{gvk.version}"
    return f"{root}/namespaces/{namespace}/{gvk.plural}" if gvk.namespaced and namespace else f"{root}/{gvk.plural}"


def single(ref: Ref) -> str:
    return f"{collection(ref.gvk, ref.namespace)}/{ref.name}"


class KindOf:
    """From `apiVersion` and `kind` of a manifest to its Gvk. Only kinds in the table may be written."""

    def __init__(self, gvks: tuple[Gvk, ...]) -> None:
        self._by_name = {(gvk.api_version, gvk.kind): gvk for gvk in gvks}

    def ref(self, manifest: Manifest) -> Ref:
        """The address of a manifest. KeyError names the kind that nobody declared."""
        key = (manifest["apiVersion"], manifest["kind"])
        if key not in self._by_name:
            raise KeyError(f"{key[1]} ({key[0]}) is in no kind's `owns` or `grants`")
        gvk, metadata = self._by_name[key], manifest["metadata"]
        return Ref(gvk, metadata.get("namespace", "") if gvk.namespaced else "", metadata["name"])
