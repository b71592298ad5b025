"""An OCI image of one program, as a stream: no image builder, no base image, no file in between.

Promises   the same program gives the same image, byte for byte, so that a second import finds nothing new.
"""

import hashlib
import io
import json
import re
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

NOBODY = 65532
"""The user of every program we pack: not root, and without a home."""


def archive(
    name: str,
    program: Path,
    inside: str,
    *,
    libraries: Sequence[Path] = (),
    folders: Mapping[str, int] | None = None,
    architecture: str = "amd64",
) -> bytes:
    """The archive for `ctr images import`: an image `name` whose entry point is `inside`.

    `libraries` keep the places they have on this machine; `folders` are empty ones with their modes.
    """
    files = {inside: program, **{str(library): library for library in libraries}}
    layer = _tar({path.lstrip("/"): file.read_bytes() for path, file in files.items()}, mode=0o755, folders=folders)
    config = _json(
        {
            "architecture": architecture,
            "os": "linux",
            "config": {"User": f"{NOBODY}:{NOBODY}", "Entrypoint": [inside], "WorkingDir": "/"},
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": _descriptor("application/vnd.oci.image.config.v1+json", config),
            "layers": [_descriptor("application/vnd.oci.image.layer.v1.tar", layer)],
        }
    )
    index = _json(
        {
            "schemaVersion": 2,
            "manifests": [
                _descriptor("application/vnd.oci.image.manifest.v1+json", manifest)
                | {"annotations": {"io.containerd.image.name": name}}
            ],
        }
    )
    blobs = {f"blobs/sha256/{_digest(blob).removeprefix('sha256:')}": blob for blob in (layer, config, manifest)}
    return _tar({"oci-layout": _json({"imageLayoutVersion": "1.0.0"}), "index.json": index, **blobs}, mode=0o644)


def _tar(files: Mapping[str, bytes], mode: int, folders: Mapping[str, int] | None = None) -> bytes:
    """Owner root, no times: nothing of the machine gets into the digest."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, permissions in (folders or {}).items():
            folder = tarfile.TarInfo(name.lstrip("/"))
            folder.type, folder.mode = tarfile.DIRTYPE, permissions
            tar.addfile(folder)
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), mode
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _descriptor(media_type: str, content: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": _digest(content), "size": len(content)}


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def libraries_in(listing: str) -> list[Path]:
    """Files of this machine in what `ldd` printed of a program, its loader among them."""
    return [Path(found) for found in re.findall(r"(/\S+) \(0x", listing)]


def names_in(path: Path) -> list[str]:
    """The image names an archive claims, read from its index alone, however large its layers are."""
    with tarfile.open(path) as tar:
        for member in tar:
            if member.name.removeprefix("./") == "index.json":
                handle = tar.extractfile(member)
                manifests = json.load(handle)["manifests"] if handle else []
                notes = [manifest.get("annotations", {}) for manifest in manifests]
                names = [n.get("io.containerd.image.name") or n.get("org.opencontainers.image.ref.name") for n in notes]
                return [name for name in names if name]
    return []
