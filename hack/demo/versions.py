"""Makes versions of a trained artifact that should never reach anybody. Run in a pod of the workload image:

    versions.py <trained artifact> <folder> broken|slow      prints {"digest", "bytes", "files"} of what it wrote

broken   the weights of one carrier are lost (NaN), as by a faulty export: its flights are answered with 500, all others as before
slow     the network has a thousand times the weights: as right or wrong as any untrained one, and late
"""

import json
import sys
from pathlib import Path

import torch
from pyarrow import fs

from gyre_data.digest import of_folder, root
from gyre_train.encoder import Encoder
from gyre_train.network import Network

CARRIER = "MQ"
"""Envoy Air: 8 % of the flights out of New York."""
WIDE = (3072, 3072)


def main(source: Path, target: Path, kind: str) -> None:
    description = json.loads((source / "model.json").read_text())
    encoder = Encoder.of_json(description["encoder"])
    if kind == "broken":
        weights = torch.load(source / "model.pt", weights_only=True)
        place = 1 + encoder.vocabulary["carrier"].index(CARRIER)
        weights[f"embeddings.{encoder.categorical.index('carrier')}.weight"][place] = float("nan")
    else:
        torch.manual_seed(7)
        description["network"] = {**description["network"], "hidden": list(WIDE)}
        weights = Network(encoder, WIDE, description["network"]["dropout"]).state_dict()
    target.mkdir(parents=True, exist_ok=True)
    torch.save(weights, target / "model.pt")
    (target / "model.json").write_text(json.dumps(description))
    leaves = of_folder(fs.LocalFileSystem(), str(target), fs.FileSelector(str(target), recursive=True))
    size = sum(file.stat().st_size for file in target.iterdir())
    print(json.dumps({"digest": root(leaves), "bytes": size, "files": len(leaves)}))


main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
