"""A leak: a little more memory with every step, until there is no more."""

import time
from typing import Any

import gyre_train


def train(config: dict[str, Any]) -> None:
    taken = []
    for step in gyre_train.steps(total=1000):
        time.sleep(0.1)
        gyre_train.report(loss=1.0)
        if step >= 10:
            taken.append(bytearray(b"\1" * (12 << 20)))


gyre_train.run(train)
