"""Takes more memory than it may, a little after the first steps."""

import time
from typing import Any

import gyre_train


def train(config: dict[str, Any]) -> None:
    taken = []
    for step in gyre_train.steps(total=1000):
        time.sleep(0.1)
        gyre_train.report(loss=1.0)
        if step >= 10:
            taken.append(bytearray(b"\1" * (128 << 20)))


gyre_train.run(train)
