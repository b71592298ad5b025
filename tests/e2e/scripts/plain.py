"""Ray Train alone, nothing of gyre's: it runs the same way in a RayJob written by hand. Writes how long it took.

Environment: GYRE_STORAGE_PATH and GYRE_RUN_NAME as gyre sets them, RESULT (a file below that path), STEPS, WORKERS.
"""

import json
import os
import time
from pathlib import Path
from typing import Any


def train(config: dict[str, Any]) -> None:
    import tempfile

    import ray.train
    import torch
    from ray.train import Checkpoint

    torch.set_num_threads(1)
    matrix = torch.rand(384, 384)
    began = time.time()
    for step in range(config["steps"]):
        for _ in range(8):
            matrix = torch.tanh(matrix @ matrix)
        if (step + 1) % 60 == 0:
            if ray.train.get_context().get_world_rank() == 0:
                with tempfile.TemporaryDirectory() as folder:
                    torch.save({"matrix": matrix}, f"{folder}/state.pt")
                    ray.train.report({"step": step + 1}, checkpoint=Checkpoint.from_directory(folder))
            else:
                ray.train.report({"step": step + 1})
    if ray.train.get_context().get_world_rank() == 0:
        result = Path(config["result"])
        result.parent.mkdir(parents=True, exist_ok=True)
        result.write_text(json.dumps({"began": began, "ended": time.time()}))


def main() -> None:
    from ray.train import RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    storage = os.environ["GYRE_STORAGE_PATH"]
    trainer = TorchTrainer(
        train,
        train_loop_config={"steps": int(os.environ["STEPS"]), "result": f"{storage}/{os.environ['RESULT']}"},
        scaling_config=ScalingConfig(num_workers=int(os.environ["WORKERS"]), placement_strategy="SPREAD"),
        run_config=RunConfig(name=os.environ["GYRE_RUN_NAME"], storage_path=storage),
    )
    trainer.fit()


main()
