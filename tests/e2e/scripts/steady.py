"""Steps of a fixed length whose state can be checked: at the end the tally is the sum of all numbers of steps, once each.

Parameters: steps, stepSeconds; workers that were lost, heads that were lost and parking must not change the tally.
"""

import time
from typing import Any

import gyre_train


class Tally:
    def __init__(self) -> None:
        self.total = 0

    def state_dict(self) -> dict[str, int]:
        return {"total": self.total}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.total = state["total"]


def train(config: dict[str, Any]) -> None:
    parameters = gyre_train.parameters()
    count, seconds, tally = int(parameters["steps"]), float(parameters["stepSeconds"]), Tally()
    for step in gyre_train.steps(total=count, tally=tally):
        time.sleep(seconds)
        tally.total += step
        gyre_train.report(tally=float(tally.total), loss=1.0 / (1 + step))


gyre_train.run(train)
