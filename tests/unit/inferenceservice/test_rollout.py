"""A candidate's way: it comes up, gets its shares one after the other, and is promoted or rolled back."""

from __future__ import annotations

from tests.unit.inferenceservice.worlds import NS, SLOW, Story, a_service, digest, predictor

from gyre.api import gvks
from gyre.api.effects import Ref
from gyre.api.kind import Decision, Outcome


def steadily(story: Story, *, a: float = 0.005, b: float = 0.005, looks: int = 60, per_look: int = 2000) -> Decision:
    """Callers come at a steady rate, each version fails so often, until no candidate is left."""
    for _ in range(looks):
        weights = dict(story.backends)
        total = sum(weights.values())
        shares = {letter: per_look * weight // total for letter, weight in weights.items()}
        rates = {"a": a, "b": b}
        story.calls(**{letter: (count, round(count * rates[letter])) for letter, count in shares.items()})
        decision = story.look(10)
        if str(decision.reason) == "Routing":
            story.programs()
            decision = story.look(3)
        if story.ledger.rollout is None:
            return decision
    return decision


def test_the_first_version_gets_all_traffic_once_it_is_up():
    story = Story()
    assert str(story.look().reason) == "Deploying"
    assert story.predictors == ["a"]
    assert story.backends == [], "no route before somebody can answer"
    story.comes_up("a")
    assert str(story.look(5).reason) == "Routing"
    assert story.backends == [("a", 100)]
    story.programs()
    decision = story.look(1)
    assert (decision.outcome, str(decision.reason)) == (Outcome.SETTLED, "Serving")
    assert story.history == [("Deployed", "a")]
    assert story.condition("Available")["status"] == "True"


def test_a_candidate_gets_no_traffic_before_all_of_it_is_up():
    story = Story().serving()
    story.ask_for("b")
    assert str(story.look().reason) == "RolloutStarted"
    assert story.backends == [("a", 100)]
    story.comes_up("b", updatedReplicas=0)
    story.look(5)
    assert story.backends == [("a", 100)]
    story.comes_up("b")
    story.look(5)
    assert story.backends == [("a", 90), ("b", 10)]


def test_a_good_candidate_is_promoted_step_by_step_and_the_old_version_stays_warm():
    story = Story().serving().candidate()
    seen = [dict(story.backends).get("b", 0)]
    for _ in range(60):
        steadily(story, looks=1)
        seen.append(dict(story.backends).get("b", 0))
    assert sorted(set(seen)) == [10, 25, 50, 100]
    assert seen == sorted(seen), "weights never go back"
    assert story.ledger.stable is not None
    assert story.ledger.stable.name == "delays-b"
    assert story.predictors == ["a", "b"], "the old one is warm"
    assert story.history[0] == ("Promoted", "b")
    assert "Promoted" in story.told()
    assert story.status["warm"][0]["version"] == "delays-a"


def test_a_warm_version_goes_when_its_time_has_come():
    story = Story(a_service(keepWarm="10m")).serving().candidate()
    steadily(story)
    story.programs()
    decision = story.look(1)
    assert decision.after is not None
    assert 500 < decision.after <= 601
    story.look(decision.after)
    assert story.predictors == ["b"]
    assert story.ledger.warm == ()


def test_the_old_version_is_not_deleted_before_the_gateway_has_left_it():
    story = Story(a_service(keepWarm="0s")).serving().candidate()
    for _ in range(20):
        share = dict(story.backends)["b"]
        story.calls(a=(20 * (100 - share), 5), b=(20 * share, share // 10))
        if str(story.look(10).reason) == "Routing" and story.ledger.rollout is not None:
            story.programs()
            story.look(3)
        if story.ledger.rollout is None:
            break
    assert story.backends == [("b", 100)]
    assert story.predictors == ["a", "b"], "the route is not confirmed yet"
    story.programs()
    story.look(1)
    assert story.predictors == ["b"]


def test_a_candidate_that_fails_more_often_is_rolled_back_and_quarantined():
    story = Story().serving().candidate()
    decision = steadily(story, b=0.05)
    assert story.backends == [("a", 100)]
    assert story.history[0] == ("RolledBack", "b")
    assert [entry["cause"] for entry in story.status["quarantined"]] == ["MoreErrors"]
    story.programs()
    decision = story.look(1)
    assert story.predictors == ["a"], "its predictor goes once nothing is sent there"
    story.gone()
    decision = story.look(1)
    assert (decision.outcome, str(decision.reason)) == (Outcome.STALLED, "RevisionQuarantined")
    assert "delays-a (aaaaaaaaaaaa) has all traffic" in decision.message
    assert "gyre.dev/release-quarantine=sha256:bbbbbbbbbbbb" in decision.message
    assert story.condition("Available")["status"] == "True"


def test_a_candidate_that_is_slower_is_rolled_back():
    story = Story().serving().candidate()
    story.shapes["b"] = SLOW
    steadily(story)
    assert story.history[0] == ("RolledBack", "b")
    assert story.ledger.quarantined[0].cause == "Slower"


def test_answers_within_the_floor_are_not_slow_and_those_above_it_are():
    story = Story(a_service(rollout={"margins": {"latencyFloor": "50ms"}})).serving().candidate()
    story.takes(a=(900, 4), b=(100, 1))
    assert story.ledger.rollout is not None
    assert story.ledger.rollout.edges == (0.08,), "of 10, 20, 40 and 80 ms"
    story.shapes["b"] = SLOW
    steadily(story)
    assert story.ledger.quarantined[0].cause == "Slower"


def test_a_floor_above_all_bounds_leaves_no_latency_to_judge_and_that_is_said():
    story = Story(a_service(rollout={"margins": {"latencyFloor": "1s"}})).serving().candidate()
    story.shapes["b"] = SLOW
    story.takes(a=(90, 0), b=(10, 0))
    assert "latency is not judged" in story.condition("MetricsAvailable")["message"]
    steadily(story)
    assert story.history[0] == ("Promoted", "b")


def test_errors_that_both_versions_have_are_nobodys_fault():
    story = Story().serving().candidate()
    steadily(story, a=0.9, b=0.9, looks=3)
    assert story.ledger.quarantined == (), "an outage of what both depend on says nothing against the candidate"


def test_more_than_half_of_the_first_requests_failing_needs_no_statistics():
    story = Story(a_service(rollout={"minRequests": 1000})).serving().candidate()
    story.takes(a=(180, 0), b=(20, 11))
    assert story.ledger.quarantined[0].cause == "FailsFast"
    assert story.backends == [("a", 100)]


def test_a_crash_loop_is_rolled_back_at_once_and_says_how_it_ended():
    story = Story().serving().candidate()
    story.crashes("b", "Traceback: CUDA error")
    story.look(1)
    (entry,) = story.ledger.quarantined
    assert entry.cause == "Crashing"
    assert "exit code 1" in entry.message
    assert "CUDA error" in entry.message
    assert story.backends == [("a", 100)]


def test_files_of_another_digest_are_never_served():
    story = Story().serving()
    story.ask_for("b")
    story.look()
    message = '{"version": 1, "error": {"class": "DigestMismatch", "message": "sha256:c… is not sha256:b…: restore"}}'
    story.crashes("b", message, waiting="")
    story.look(5)
    (entry,) = story.ledger.quarantined
    assert (entry.cause, entry.digest) == ("DigestMismatch", digest("b"))
    assert "restore" in entry.message
    assert story.backends == [("a", 100)]


def test_a_first_version_with_files_of_another_digest_stalls():
    story = Story()
    story.look()
    message = '{"version": 1, "error": {"class": "UnsupportedFlavour", "message": "take another runtime"}}'
    story.crashes("a", message)
    decision = story.look(5)
    assert (decision.outcome, str(decision.reason)) == (Outcome.STALLED, "UnsupportedFlavour")
    assert "take another runtime" in decision.message
    story.ask_for("b")
    story.look(1)
    story.look(1)
    assert story.predictors == ["b"], "another one may do better"


def test_a_candidate_that_does_not_come_up_in_time_is_rolled_back():
    story = Story(a_service(rollout={"readyWithin": "2m"})).serving()
    story.ask_for("b")
    decision = story.look()
    assert decision.after is not None
    assert decision.after <= 121
    story.comes_up("b", ready=False)
    story.look(119)
    assert story.ledger.rollout is not None
    story.look(2)
    assert story.ledger.quarantined[0].cause == "NeverReady"


def test_an_image_that_cannot_be_pulled_is_not_the_versions_fault():
    story = Story(a_service(rollout={"readyWithin": "1m"})).serving()
    story.ask_for("b")
    story.look()
    state = {"ready": False, "state": {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}}
    story.comes_up("b", ready=False, container=state)
    decision = story.look(600)
    assert (decision.outcome, str(decision.reason)) == (Outcome.STALLED, "ImagePullBackOff")
    assert story.ledger.quarantined == ()
    story.comes_up("b")
    story.look(5)
    assert story.backends == [("a", 90), ("b", 10)], "mended, it goes on by itself"


def test_a_candidate_without_a_ready_pod_has_no_traffic_and_gets_its_share_back():
    story = Story().serving().candidate()
    story.takes(a=(900, 4), b=(100, 0))
    share = dict(story.backends)["b"]
    story.programs()
    story.comes_up("b", ready=False)
    decision = story.look(1)
    assert str(decision.reason) == "Withdrawn"
    assert story.backends == [("a", 100)]
    story.programs()
    story.comes_up("b")
    story.look(5)
    assert dict(story.backends)["b"] == share, "the same again, neither less nor more"
    assert story.ledger.quarantined == ()


def test_a_step_takes_its_least_number_of_requests_however_long_it_takes():
    story = Story(a_service(rollout={"minRequests": 100})).serving().candidate()
    for _ in range(4):
        story.takes(a=(180, 1), b=(20, 0))
        assert story.backends == [("a", 90), ("b", 10)]
    story.takes(a=(180, 1), b=(20, 0))
    assert story.backends == [("a", 75), ("b", 25)]


def test_a_share_is_not_raised_while_something_speaks_against_the_candidate():
    story = Story().serving().candidate()
    story.takes(a=(900, 4), b=(100, 2))
    assert story.ledger.rollout is not None
    assert story.ledger.rollout.step == 0
    assert story.backends == [("a", 90), ("b", 10)]


def test_counting_begins_anew_when_the_gateway_has_confirmed_new_weights():
    story = Story().serving().candidate()
    story.takes(a=(900, 4), b=(100, 0))
    assert story.ledger.rollout is not None
    assert story.ledger.rollout.step == 1
    assert story.ledger.rollout.counting is None
    counted = story.ledger.rollout.candidate_counts.requests
    story.takes(a=(500, 2), b=(500, 500))  # not confirmed: these belong to nobody
    story.programs()
    story.look(3)
    story.takes(a=(75, 0), b=(25, 0))
    assert story.ledger.rollout.candidate_counts.requests == counted + 25
    assert story.ledger.rollout.candidate_counts.errors == 0


def test_a_restarted_gateway_begins_at_zero_and_nothing_is_lost_or_counted_twice():
    story = Story().serving().candidate()
    story.takes(a=(450, 2), b=(40, 0))
    story.counts = {"a": (90, 1), "b": (10, 0)}  # Envoy began anew
    story.look(10)
    assert story.ledger.rollout is not None
    assert story.ledger.rollout.candidate_counts.requests == 50
    assert story.ledger.rollout.stable.requests == 540


def test_one_ledger_write_a_look_and_none_in_between():
    story = Story().serving().candidate()
    story.takes(a=(90, 0), b=(10, 0))
    before = story.cluster.version
    for _ in range(5):
        story.look(1)
    assert story.cluster.version == before, "looked at within the interval: nothing is written"
    story.takes(5, a=(90, 0), b=(10, 0))
    assert story.cluster.version == before + 1


def test_no_requests_no_writes():
    story = Story().serving().candidate()
    before = story.cluster.version
    decision = story.look(60)
    assert "no requests come to late.ml.gyre.local" in decision.message
    assert story.cluster.version == before


def test_the_series_is_kept_for_whoever_plots_it():
    story = Story().serving().candidate()
    for _ in range(3):
        story.takes(a=(90, 0), b=(10, 0))
    assert len(story.series) == 3
    assert story.series[-1]["requests"] == 30
    assert story.series[-1]["weight"] == 0.1
    assert story.series[0]["t"] < story.series[-1]["t"]


def test_a_settled_service_asks_nobody_and_writes_nothing():
    story = Story().serving()
    story.look()
    story.cluster.asked.clear()
    before = story.cluster.version
    decision = story.look(3600)
    assert decision.outcome is Outcome.SETTLED
    assert story.cluster.asked == []
    assert story.cluster.version == before


def test_shares_by_blast_radius_grow_while_the_budget_allows_it():
    story = Story(a_service(rollout={"maxBadRequests": 100})).serving().candidate()
    assert story.backends == [("a", 99), ("b", 1)]
    seen = [1]
    for _ in range(80):
        if story.ledger.rollout is None:
            break
        steadily(story, looks=1, per_look=20_000)
        weights = dict(story.backends)
        seen.append(100 * weights.get("b", 0) // sum(weights.values()))
    assert seen == sorted(seen)
    assert story.history[0] == ("Promoted", "b")
    assert max(share for share in seen if share < 100) <= 50


def test_a_spent_budget_of_bad_requests_ends_it_before_statistics_do():
    story = Story(a_service(rollout={"maxBadRequests": 5})).serving().candidate()
    story.takes(a=(9900, 1980), b=(100, 28))
    assert story.ledger.quarantined[0].cause == "BadRequestsSpent"


def test_an_outage_that_both_versions_share_is_not_the_candidates_fault():
    story = Story().serving().candidate()
    steadily(story, a=0.48, b=0.52, looks=3, per_look=400)
    assert story.ledger.rollout is not None
    assert story.ledger.quarantined == ()


def test_a_candidate_that_fails_more_than_half_of_its_first_requests_alone_is_out_at_the_first_look():
    story = Story().serving().candidate()
    steadily(story, a=0.0, b=0.6, looks=2, per_look=400)
    assert story.history[0] == ("RolledBack", "b")
    assert [entry.cause for entry in story.ledger.quarantined] == ["FailsFast"]


def test_names_that_are_too_long_for_kserve_together_are_said_with_what_to_shorten():
    """Seen on a cluster: KServe v0.20.0 makes one label of a host name of predictor and namespace."""
    story = Story()
    story.look()
    made = story.cluster.objects[Ref(gvks.KSERVE_SERVICE, NS, predictor("a"))]
    said = 'failed creating host name: invalid domain name "x": must be no more than 63 characters'
    made["status"] = {"conditions": [{"type": "PredictorReady", "status": "False", "message": said}]}
    decision = story.look(5)
    assert (decision.outcome, str(decision.reason)) == (Outcome.STALLED, "CannotMakePods")
    assert "shorten the name of the service or of its namespace" in decision.message
