"""What the version that speaks for the model is worth on the rows that the new one is measured by.

Promises   it answers as it is served: its files are verified, its own encoder and network are those that a predictor loads; why
           it cannot be measured is told in a sentence.
Never      fails a run; trains or changes anything; reads files that the tabular loop cannot have written.
"""

from __future__ import annotations

import logging
from typing import Any, Final

import numpy as np
import pyarrow as pa
from pyarrow import fs

from gyre_serve.artifact import DESCRIPTION, Artifact, verified
from gyre_serve.faults import StartError
from gyre_serve.networks import load
from gyre_train.contract import Champion, RunSpec
from gyre_train.options import Tabular
from gyre_train.score import of_binary
from gyre_train.storage import open_storage
from gyre_train.table import encode

log = logging.getLogger("gyre.against")

BATCH: Final = 65_536
LONGEST: Final = 300


class Unlike(Exception):
    """It cannot be asked about these rows; the text says why."""


def measured(spec: RunSpec, held: pa.Table, truth: np.ndarray, tabular: Tabular) -> dict[str, Any] | None:
    """progress.json's `evaluation.champion`: its metrics, or the problem; None when there is no champion."""
    champion = spec.champion
    if champion is None:
        return None
    told: dict[str, Any] = {"version": champion.version, "digest": champion.digest}
    try:
        return {**told, "metrics": of_binary(truth, answers(champion, held, tabular, max(1, int(spec.workers.cpu))))}
    except Unlike as error:
        problem = str(error)
    except StartError as error:
        problem = error.message
    except Exception as error:  # whatever its files do to a library: the run has its own model, and that is good
        problem = f"{type(error).__name__}: {error}"
    log.warning("champion %s is not measured: %s", champion.version, problem)
    return {**told, "problem": problem[:LONGEST]}


def answers(champion: Champion, held: pa.Table, tabular: Tabular, threads: int) -> np.ndarray:
    """Its probabilities, float64. Raises Unlike, StartError, and whatever a library says of bad files."""
    files, folder = open_storage(champion.path, champion.s3)
    if files.get_file_info(f"{folder}/{DESCRIPTION}").type != fs.FileType.File:
        raise Unlike(f"{champion.path} has no {DESCRIPTION}: it is gone, or not of the tabular loop")
    artifact = verified(champion.path, champion.digest, champion.s3)
    asks_the_same(artifact, tabular)
    encoder, network = load(artifact, threads)
    missing = [feature.name for feature in encoder.features if feature.name not in held.column_names]
    if missing:
        raise Unlike(f"it needs {', '.join(map(repr, missing[:5]))}, which the held-out rows do not have")
    numbers, places = encode(encoder, held)
    slices = [slice(at, at + BATCH) for at in range(0, held.num_rows, BATCH)]
    parts = [network(numbers[part], places[part]) for part in slices]
    result: np.ndarray = np.concatenate(parts).astype(np.float64)
    return result


def asks_the_same(artifact: Artifact, tabular: Tabular) -> None:
    mine, its = {"column": tabular.target, "above": tabular.above}, artifact.description.get("target")
    if its != mine:
        raise Unlike(f"it answers another question: its target is {its}, that of this run is {mine}")
