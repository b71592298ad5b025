"""What a run leaves behind: a folder of files, sealed by a manifest and named by its digest.

Promises   the same weights, encoders and specification give the same bytes, so the same digest; model.pt holds tensors only
           (loads with `weights_only=True`) and model.json everything else one needs to predict.
Never      leaves files of an earlier attempt in the folder.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from gyre_data.digest import of_folder, root
from gyre_train.checkpoint import MANIFEST, write_manifest
from gyre_train.contract import S3, RunSpec, WarmStart
from gyre_train.faults import UserError
from gyre_train.storage import open_storage, read_bytes

if TYPE_CHECKING:
    from gyre_train.encoder import Encoder
    from gyre_train.options import Tabular

WEIGHTS: Final = "model.pt"
GRAPH: Final = "model.onnx"
DESCRIPTION: Final = "model.json"


def write_tabular(folder: Path, weights: dict[str, Any], encoder: Encoder, tabular: Tabular) -> None:
    import torch

    kept = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    torch.save(kept, folder / WEIGHTS)
    if tabular.flavour == "onnx":
        from gyre_train.graph import graph

        (folder / GRAPH).write_bytes(graph({name: tensor.numpy() for name, tensor in kept.items()}, encoder))
    description = {
        "version": 1,
        "flavour": tabular.flavour,
        "loop": "gyre_train.tabular",
        "target": {"column": tabular.target, "above": tabular.above},
        "network": {"hidden": list(tabular.hidden), "dropout": tabular.dropout},
        "encoder": encoder.as_json(),
    }
    (folder / DESCRIPTION).write_text(json.dumps(description, sort_keys=True, indent=1))


def upload(spec: RunSpec, folder: Path, step: int, flavour: str) -> dict[str, Any]:
    """Seal `folder` and put it at <run>/artifact; progress.json's `artifact`. Raises OSError."""
    from pyarrow import fs

    write_manifest(folder, step)
    files, storage = open_storage(spec.storage.path, spec.storage.s3)
    place = f"{storage}/{spec.uid}/artifact"
    if files.get_file_info(place).type == fs.FileType.Directory:
        files.delete_dir(place)
    files.create_dir(place, recursive=True)
    fs.copy_files(str(folder), place, source_filesystem=fs.LocalFileSystem(), destination_filesystem=files)
    stored = of_folder(files, place, fs.FileSelector(place, recursive=True))
    return {
        "uri": f"{spec.storage.uri}/{spec.uid}/artifact",
        "path": f"{spec.uid}/artifact",
        "digest": root(stored),
        "bytes": sum(file.size for file in stored),
        "flavour": flavour,
        "files": len(stored),
    }


def from_checkpoint(spec: RunSpec, name: str, folder: Path) -> None:
    """A script's default artifact: its newest checkpoint, without our manifest (it gets its own)."""
    from pyarrow import fs

    files, storage = open_storage(spec.storage.path, spec.storage.s3)
    fs.copy_files(
        f"{storage}/{spec.uid}/{name}",
        str(folder),
        source_filesystem=files,
        destination_filesystem=fs.LocalFileSystem(),
    )
    (folder / MANIFEST).unlink(missing_ok=True)


def warm_weights(warm: WarmStart, s3: S3 | None, encoder: Encoder) -> dict[str, Any]:
    """The weights of an artifact of the tabular loop, if they fit. Raises UserError."""
    import torch
    from pyarrow import fs

    from gyre_train.encoder import Encoder as Known

    files, place = open_storage(warm.path, s3)
    found = of_folder(files, place, fs.FileSelector(place, recursive=True))
    if warm.digest and root(found) != warm.digest:
        raise UserError(f"warmStart: {warm.path} is {root(found)}, not {warm.digest}: it was changed")
    old = Known.of_json(json.loads(read_bytes(files, f"{place}/{DESCRIPTION}"))["encoder"])
    if (old.features, old.flagged, old.vocabulary) != (encoder.features, encoder.flagged, dict(encoder.vocabulary)):
        raise UserError("warmStart: the artifact has other features or categories than this data; start without it")
    with tempfile.NamedTemporaryFile(suffix=".pt") as local:
        Path(local.name).write_bytes(read_bytes(files, f"{place}/{WEIGHTS}"))
        weights: dict[str, Any] = torch.load(local.name, map_location="cpu", weights_only=True)
    return weights
