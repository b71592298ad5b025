"""What `gyre rollout` makes of a service and its ledger, as the operator wrote them."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from click.testing import CliRunner
from rich.console import Console
from tests.unit.inferenceservice.worlds import GIS, LEDGER, NS, SLOW, Story

from gyre.__main__ import main
from gyre.api.effects import Ref
from gyre.api.kind import Object
from gyre.kube.errors import NotFound, Unavailable
from gyre.rollout import name_in, read, shown
from gyre.rollout.reading import Picture, picture


def of(story: Story) -> Picture:
    return picture(story.cluster.objects[GIS], story.cluster.objects[LEDGER])


def on_trial(looks: int = 3) -> Story:
    """Version b has 10 % and fails as often as a."""
    story = Story().serving().candidate()
    for _ in range(looks):
        story.takes(a=(180, 1), b=(10, 0))
    return story


def rolled_back(**errors: int) -> Story:
    story = on_trial()
    story.takes(a=(180, 1), b=(40, errors.get("b", 30)))
    assert story.history[0] == ("RolledBack", "b")
    return story


class Answers:
    """An API server that has these objects, and knows how to say no."""

    def __init__(self, story: Story, *without: Ref, down: bool = False) -> None:
        self.objects = {ref: obj for ref, obj in story.cluster.objects.items() if ref not in without}
        self.down = down
        self.asked: list[Ref] = []

    async def get(self, ref: Ref) -> Object:
        self.asked.append(ref)
        if self.down:
            raise Unavailable(503, "ServiceUnavailable", "etcd has no leader")
        if ref not in self.objects:
            raise NotFound(404, "NotFound", ref.name)
        return self.objects[ref]


def test_the_curve_is_what_the_operator_wrote_a_point_a_look():
    seen = of(on_trial(looks=3))
    assert [point.requests for point in seen.points] == [10, 20, 30]
    assert [point.stable_requests for point in seen.points] == [180, 360, 540]
    assert {point.weight for point in seen.points} == {0.1}
    assert [later.t - sooner.t for sooner, later in zip(seen.points, seen.points[1:], strict=False)] == [
        timedelta(seconds=10)
    ] * 2


def test_the_evidence_is_recomputed_and_agrees_with_the_last_point_of_the_curve():
    seen = of(on_trial())
    assert seen.judgement is not None
    assert (seen.judgement.bad, seen.judgement.good) == pytest.approx(
        (seen.points[-1].bad, seen.points[-1].good), abs=1e-4
    )


def test_every_metric_is_told_with_its_counts_and_the_weakest_of_them_is_what_counts_for_it():
    seen = of(on_trial(looks=3))
    assert seen.judgement is not None
    assert [metric.name for metric in seen.metrics] == [
        "failed", "slower than 10 ms", "slower than 20 ms", "slower than 40 ms", "slower than 80 ms"
    ]  # fmt: skip
    assert seen.metrics[0].stable == (3, 540)
    assert seen.metrics[0].candidate == (0, 30)
    assert min(metric.good for metric in seen.metrics) == seen.judgement.good


def test_a_rollback_ends_the_curve():
    seen = of(rolled_back())
    assert seen.judged is None
    assert seen.ending is not None
    assert (seen.ending.event.value, seen.ending.version) == ("RolledBack", "delays-b")
    assert seen.ending.at >= seen.points[-1].t


def test_while_it_is_judged_nothing_has_ended_although_an_earlier_version_was_deployed():
    assert of(on_trial()).ending is None


def test_the_curve_of_the_last_rollout_stays_its_own_while_the_next_candidate_comes_up():
    story = rolled_back()
    story.programs()
    story.ask_for("c")
    story.look()
    story.look(5)
    assert story.ledger.rollout is not None
    seen = of(story)
    assert seen.judged is None, "version c has no traffic yet"
    assert seen.ending is not None
    assert seen.ending.version == "delays-b"


def test_a_promotion_ends_the_curve():
    story = on_trial()
    for _ in range(60):
        weights = dict(story.backends)
        story.takes(**{letter: (20 * weight, weight // 10) for letter, weight in weights.items()})
        if str(story.look().reason) == "Routing":
            story.programs()
            story.look(3)
        if story.ledger.rollout is None:
            break
    seen = of(story)
    assert seen.ending is not None
    assert seen.ending.event.value == "Promoted"
    assert sorted({point.weight for point in seen.points}) == [0.1, 0.25, 0.5]


def test_a_point_that_nobody_can_read_is_left_out_and_the_rest_is_drawn():
    story = on_trial()
    ledger = story.cluster.objects[LEDGER]
    series = ledger["data"]["series.json"].replace('"requests":20', '"requests":"many"')
    seen = picture(story.cluster.objects[GIS], {**ledger, "data": {**ledger["data"], "series.json": series}})
    assert [point.requests for point in seen.points] == [10, 30]


def test_a_ledger_that_cannot_be_read_is_said():
    story = on_trial()
    ledger = story.cluster.objects[LEDGER]
    broken = {**ledger, "data": {**ledger["data"], "rollout.json": "{"}}
    seen = picture(story.cluster.objects[GIS], broken)
    assert seen.ledger is None
    assert "JSONDecodeError" in seen.problem
    assert seen.judged is None
    assert seen.metrics == ()


def test_only_the_service_and_its_ledger_are_asked_for():
    api = Answers(on_trial())
    asyncio.run(read(api, NS, GIS.name))
    assert api.asked == [GIS, LEDGER]


def test_a_service_that_was_never_looked_at_has_no_ledger():
    seen = asyncio.run(read(Answers(Story(), LEDGER), NS, GIS.name))
    assert seen.ledger is None
    assert seen.points == ()


def test_a_service_that_does_not_exist_is_named():
    with pytest.raises(LookupError, match="InferenceService ml/late does not exist"):
        asyncio.run(read(Answers(Story(), GIS), NS, GIS.name))


def test_watching_goes_on_while_the_api_server_is_away():
    said = asyncio.run(shown(Answers(on_trial(), down=True), NS, GIS.name))
    console = Console(width=100, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(said)
    assert "etcd has no leader" in console.export_text()


@pytest.mark.parametrize("what", ["gis/late", "late", "inferenceservices/late", "InferenceService/late"])
def test_a_service_is_named_as_kubectl_does(what: str):
    assert name_in(what) == "late"


@pytest.mark.parametrize("what", ["tj/late", "gis/", ""])
def test_what_is_no_service_is_refused_before_the_cluster_is_asked(what: str):
    answer = CliRunner().invoke(main, ["rollout", "status", what])
    assert answer.exit_code == 1
    assert "gis/" in answer.output
    assert "Traceback" not in answer.output


def test_a_slow_candidate_is_told_by_its_latency():
    story = Story().serving()
    story.shapes["b"] = SLOW
    story.candidate()
    story.takes(a=(540, 1), b=(60, 0))
    slower = [metric for metric in of(story).metrics if metric.name.startswith("slower")]
    assert all(metric.bad > 0.0 for metric in slower)
