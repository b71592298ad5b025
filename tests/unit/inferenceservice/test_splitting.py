"""The rules of an A/B route, played as Envoy plays them: the first rule that matches, the whole header against the regex."""

from __future__ import annotations

import re
import uuid
from collections import Counter
from collections.abc import Mapping
from http.cookies import SimpleCookie
from typing import Any

import pytest

from gyre.adapters.exposition import Traffic
from gyre.api.intent import contains
from gyre.kinds.inferenceservice.experiments import Ab
from gyre.kinds.inferenceservice.splitting import (
    Arm,
    Backend,
    Mirror,
    ab_rules,
    backend_ref,
    by_arm,
    fallback,
    mirrored,
    set_cookie,
    two_places,
)

A = Backend("svc-aaaa-predictor", "flights-late-aaaa")
B = Backend("svc-bbbb-predictor", "flights-late-bbbb")


def down(backend: Backend) -> Backend:
    return Backend(backend.service, backend.version, ready=False)


def ab(**more: Any) -> Ab:
    return Ab.model_validate({"version": B.version, **more})


def rule_for(rules: list[dict[str, Any]], headers: Mapping[str, str]) -> int:
    """Envoy's choice: of rules with a header match the first, then the one without."""
    ranked = sorted(range(len(rules)), key=lambda index: not rules[index].get("matches"))
    for index in ranked:
        matches = rules[index].get("matches", [{"headers": []}])
        if any(all(_holds(header, headers) for header in match["headers"]) for match in matches):
            return index
    raise AssertionError("no rule takes the request")


def _holds(match: Mapping[str, str], headers: Mapping[str, str]) -> bool:
    value = headers.get(match["name"])
    return value is not None and re.fullmatch(match["value"], value) is not None


def weights(rules: list[dict[str, Any]], headers: Mapping[str, str]) -> dict[str, int]:
    """In percent of the rule, by Service."""
    refs = rules[rule_for(rules, headers)]["backendRefs"]
    shares = Counter[str]()
    for ref in refs:
        shares[ref["name"]] += ref["weight"]
    return {name: 100 * share // shares.total() for name, share in shares.items() if share}


def cookies(rule: Mapping[str, Any]) -> list[str]:
    headers = [ref["filters"][0]["responseHeaderModifier"] for ref in rule["backendRefs"]]
    return [added["value"] for header in headers for added in header.get("add", ())]


# Cookie ---------------------------------------------------------------------------------------------------------------


def test_a_version_that_is_alone_has_both_places_so_that_no_cluster_of_envoy_ever_goes():
    assert two_places([("a", 1000)]) == (("a", 999), ("a", 1))
    assert two_places([("a", 900), ("b", 100)]) == (("a", 900), ("b", 100))
    assert two_places([]) == ()


def test_a_caller_without_the_cookie_is_split_by_weight_and_told_its_arm():
    rules = ab_rules(ab(split=30), A, B)
    assert weights(rules, {}) == {A.service: 70, B.service: 30}
    told = [SimpleCookie(cookie)["gyre-arm"] for cookie in cookies(rules[2])]
    assert [(morsel.value, morsel["path"], morsel["samesite"]) for morsel in told] == [
        ("a", "/", "Lax"),
        ("b", "/", "Lax"),
    ]


@pytest.mark.parametrize(
    "header",
    ["gyre-arm=b", "gyre-arm=b; lang=en", "lang=en; gyre-arm=b", "lang=en;gyre-arm=b;x=1", "a=1; gyre-arm=b; c=3"],
)
def test_the_cookie_is_found_wherever_it_stands(header: str):
    assert weights(ab_rules(ab(), A, B), {"cookie": header}) == {B.service: 100}


@pytest.mark.parametrize(
    "header", ["gyre-arm=bb", "xgyre-arm=b", "gyre-arm=c", "gyre-arm=", "other=gyre-arm=b", "lang=en", "gyre-arm=B"]
)
def test_a_cookie_that_only_looks_like_it_is_a_caller_without_one(header: str):
    assert rule_for(ab_rules(ab(), A, B), {"cookie": header}) == 2


def test_nobody_who_has_the_cookie_gets_another():
    rules = ab_rules(ab(), A, B)
    assert cookies(rules[0]) == []
    assert cookies(rules[1]) == []


def test_a_caller_who_keeps_its_cookie_meets_the_same_arm():
    rules = ab_rules(ab(), A, B)
    for arm, backend in ((Arm.A, A), (Arm.B, B)):
        sent = set_cookie("gyre-arm", arm).split(";")[0]
        assert weights(rules, {"cookie": sent}) == {backend.service: 100}


# Header ---------------------------------------------------------------------------------------------------------------


def test_a_header_comes_to_the_same_arm_in_upper_and_lower_case():
    rules = ab_rules(ab(by="Header", name="x-user-id", split=75), A, B)
    for digit in "0123456789abcdef":
        assert weights(rules, {"x-user-id": f"u{digit}"}) == weights(rules, {"x-user-id": f"u{digit.upper()}"})


@pytest.mark.parametrize(("split", "digits"), [(10, "01"), (50, "01234567"), (75, "0123456789ab")])
def test_arm_b_has_the_low_digits(split: int, digits: str):
    rules = ab_rules(ab(by="Header", name="x-user-id", split=split), A, B)
    came = {digit for digit in "0123456789abcdef" if weights(rules, {"x-user-id": digit}) == {B.service: 100}}
    assert "".join(sorted(came)) == digits


def test_uuids_are_split_as_the_digits_are():
    rules = ab_rules(ab(by="Header", name="x-user-id", split=25), A, B)
    users = [str(uuid.UUID(int=number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128)) for number in range(1, 4097)]
    came = Counter(next(iter(weights(rules, {"x-user-id": user}))) for user in users)
    assert abs(came[B.service] - 1024) < 5 * (4096 * 0.25 * 0.75) ** 0.5


@pytest.mark.parametrize("headers", [{}, {"x-user-id": ""}, {"x-user-id": "nobody-knows"}, {"x-user": "0"}])
def test_a_caller_whom_the_header_does_not_tell_is_answered_by_a_and_not_judged(headers: dict[str, str]):
    comparison = ab(by="Header", name="x-user-id")
    rules = ab_rules(comparison, A, B)
    assert weights(rules, headers) == {A.service: 100}
    counted = {(rule_for(rules, headers), 0): Traffic(requests=5)}
    assert by_arm(comparison, counted) == {Arm.A: {}, Arm.B: {}}


def test_no_cookie_is_set_when_a_header_tells():
    assert all(cookies(rule) == [] for rule in ab_rules(ab(by="Header", name="x-user-id"), A, B))


# An arm that cannot answer ---------------------------------------------------------------------------------------------

BY = [pytest.param({}, id="cookie"), pytest.param({"by": "Header", "name": "x-user-id"}, id="header")]
CALLERS = [{}, {"cookie": "gyre-arm=a"}, {"cookie": "gyre-arm=b"}, {"x-user-id": "0"}, {"x-user-id": "f"}]


@pytest.mark.parametrize("by", BY)
@pytest.mark.parametrize("headers", CALLERS)
def test_while_b_has_no_endpoint_everybody_is_answered_by_a(by: dict[str, str], headers: dict[str, str]):
    assert weights(ab_rules(ab(**by), A, down(B)), headers) == {A.service: 100}
    assert weights(ab_rules(ab(**by), A, None), headers) == {A.service: 100}


@pytest.mark.parametrize("by", BY)
@pytest.mark.parametrize("headers", CALLERS)
def test_while_a_has_no_endpoint_everybody_is_answered_by_b(by: dict[str, str], headers: dict[str, str]):
    assert weights(ab_rules(ab(**by), down(A), B), headers) == {B.service: 100}


@pytest.mark.parametrize("by", BY)
@pytest.mark.parametrize(("a", "b"), [(A, down(B)), (down(A), B), (A, None), (down(A), down(B)), (down(A), None)])
def test_nobody_is_told_an_arm_while_one_answers_for_both(by: dict[str, str], a: Backend, b: Backend | None):
    assert all(cookies(rule) == [] for rule in ab_rules(ab(**by), a, b))


def test_a_service_that_does_not_exist_is_never_named():
    assert B.service not in str(ab_rules(ab(), A, None))


def test_who_answers_for_whom_is_said():
    assert fallback(ab(), A, B) == ""
    assert fallback(ab(), A, None) == (
        f"arm b ({B.version}) has no ready endpoint: its callers are answered by arm a ({A.version})"
    )
    assert fallback(ab(), down(A), B).startswith(f"arm a ({A.version}) has no ready endpoint")


@pytest.mark.parametrize("by", BY)
def test_no_cluster_of_envoy_comes_or_goes_whoever_answers(by: dict[str, str]):
    """The gateway makes a cluster of each backend with a weight, named by its index."""
    shapes = {
        tuple(tuple(ref["weight"] for ref in rule["backendRefs"]) for rule in ab_rules(ab(**by), a, b))
        for a in (A, down(A))
        for b in (B, down(B), None)
    }
    assert len(shapes) == 1


@pytest.mark.parametrize("by", BY)
def test_each_arm_answers_in_its_own_place_while_it_can(by: dict[str, str]):
    """Backend 0 is A and backend 1 is B in every rule: a counter means one arm."""
    for rule in ab_rules(ab(**by), A, B):
        assert [ref["name"] for ref in rule["backendRefs"]] == [A.service, B.service]


def test_counts_of_an_arm_come_from_all_its_rules():
    one = Traffic(requests=1)
    counted = {(rule, backend): one for rule in range(3) for backend in range(2)}
    assert by_arm(ab(), counted) == {
        Arm.A: {(0, 0): one, (1, 0): one, (2, 0): one},
        Arm.B: {(0, 1): one, (1, 1): one, (2, 1): one},
    }
    assert by_arm(ab(by="Header", name="x-user-id"), counted) == {
        Arm.A: {(0, 0): one, (1, 0): one},
        Arm.B: {(0, 1): one, (1, 1): one},
    }


# Shape ----------------------------------------------------------------------------------------------------------------


def test_every_backend_tells_its_version_and_so_has_an_envoy_cluster_of_its_own():
    for rule in ab_rules(ab(), A, B):
        for ref in rule["backendRefs"]:
            (header,) = ref["filters"]
            assert header["responseHeaderModifier"]["set"][0]["name"] == "x-model-version"


def test_a_shadow_gets_its_percent_of_every_rule():
    rules = mirrored([{"backendRefs": [backend_ref(A, 1)]}, *ab_rules(ab(), A, B)], Mirror("svc-shadow", 25))
    assert [rule["filters"] for rule in rules] == [
        [{"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "svc-shadow", "port": 80}, "percent": 25}}]
    ] * 4


def test_a_route_that_still_copies_does_not_pass_for_one_that_copies_no_more():
    """A field that is merely left out is also in a live route that has it: then a shadow would go while copies are sent to it."""
    copying, not_copying = (
        mirrored(ab_rules(ab(), A, B), Mirror("svc-shadow", 25)),
        mirrored(ab_rules(ab(), A, B), None),
    )
    assert not contains(copying, not_copying)
    assert contains(not_copying, not_copying)


def test_a_route_that_still_sets_cookies_does_not_pass_for_one_that_sets_none():
    header = ab(by="Header", name="x-user-id")
    weights_only = [{"backendRefs": rule["backendRefs"]} for rule in ab_rules(header, A, B)]
    with_cookies = [{"backendRefs": rule["backendRefs"]} for rule in ab_rules(ab(), A, B)]
    assert not contains(with_cookies[2]["backendRefs"][:1], weights_only[2]["backendRefs"][:1])
