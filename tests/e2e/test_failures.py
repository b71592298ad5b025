"""A job that cannot work says why, in words that name the fix, soon, and does not burn the cluster while it is at it."""

from __future__ import annotations

import time

import pytest
from tests.e2e import manifests
from tests.e2e.cluster import Object, condition
from tests.e2e.figures import Figures
from tests.e2e.place import START_SECONDS, Place, attempts, stopped

pytestmark = pytest.mark.e2e
NO_RETRY = {"rules": [{"class": "User", "retries": 2}]}
SYNTAX_ERROR = "def train(config):\n    return config[\n\ntrain({})\n"


@pytest.mark.parametrize(
    ("code", "text", "said"),
    [("wrong-syntax", SYNTAX_ERROR, "SyntaxError"), ("raises", None, "KeyError: 'distnace'")],
    ids=["a syntax error", "an exception"],
)
def test_a_bug_of_the_users_is_shown_with_its_traceback_and_not_retried(
    seeded: Place, code: str, text: str | None, said: str
) -> None:
    seeded.apply(manifests.script(code, text), manifests.training_job("buggy", code=code))
    job = seeded.job_until("buggy", "failed", stopped, seconds=START_SECONDS, may_fail=True)
    verdict = condition(job, "Succeeded")
    assert said in verdict["message"]
    assert "train.py" in verdict["message"], "the message says in which file"
    assert [one["class"] for one in attempts(job)] == ["User"]
    assert condition(job, "Stalled")["status"] == "True"
    told = seeded.kubectl("describe", "trainingjobs.gyre.dev/buggy")
    assert "Warning" in told.split("Events:")[-1]
    assert said in told.split("Events:")[-1]
    seeded.cluster.until("nothing is left running", lambda: not seeded.pods("buggy"), seconds=120)


def test_memory_that_ran_out_is_told_apart_retried_and_then_final(seeded: Place) -> None:
    policy = {"rules": [{"class": "OutOfMemory", "retries": 1, "backoff": "1s"}]}
    job = manifests.training_job("hungry", code="hungry", failurePolicy=policy)
    seeded.apply(manifests.script("hungry"), job)
    job = seeded.job_until("hungry", "failed", stopped, seconds=2 * START_SECONDS, may_fail=True)
    assert job["status"]["failures"] == {"OutOfMemory": 2}, "once, and once more"
    verdict = condition(job, "Succeeded")
    assert "memory" in verdict["message"].lower()
    assert "spec.resources.memory" in verdict["message"]


def test_an_image_that_cannot_be_pulled_is_said_within_seconds(seeded: Place, figures: Figures) -> None:
    image = "localhost/no-such-image:v0"
    seeded.apply(manifests.script("steady"), manifests.training_job("imageless", image=image))
    began = time.monotonic()

    def said(job: Object) -> bool:
        return str(condition(job, "Ready")["reason"]) == "ImagePullBackOff"

    job = seeded.job_until("imageless", "says that its image cannot be pulled", said, seconds=60)
    took = time.monotonic() - began
    figures.add("bad image: to the message on the TrainingJob", took, "s", "≤ 15")
    stalled = condition(job, "Stalled")
    assert stalled["status"] == "True"
    assert image in stalled["message"]
    assert "spec.image" in stalled["message"], "the message names what to fix"
    seeded.cluster.until("a Warning event", lambda: seeded.warnings("imageless"), seconds=10)
    assert took <= 15
