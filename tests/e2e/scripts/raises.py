"""A bug of the user's, before the first step."""

from typing import Any

import gyre_train


def train(config: dict[str, Any]) -> None:
    features = {"distance": 1}
    print(features["distnace"])


gyre_train.run(train)
