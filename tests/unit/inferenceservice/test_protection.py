"""The policies in front of a service, and what follows from the answers to requests that must be refused."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from gyre.adapters.envoy import PolicyView
from gyre.adapters.gateway import GatewayView
from gyre.api.conditions import Truth, Verdict
from gyre.api.effects import Manifest
from gyre.api.kind import Answer
from gyre.kinds.inferenceservice.access import Auth, RateLimit
from gyre.kinds.inferenceservice.keysets import Keys
from gyre.kinds.inferenceservice.proof import Access, Probe, fix, let_in, probes, refused, unmet, verified
from gyre.kinds.inferenceservice.protection import has_own_gateway, policies

Golden = Callable[[str, Any], None]

NOW = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
HOST = "flights.team-a.gyre.local"
PATH = "/v2/models/flights/ready"
METADATA = {"name": "flights", "namespace": "team-a"}

API_KEY = Auth.model_validate({"apiKey": {"secrets": [{"name": "key-team-a"}, {"name": "key-team-b"}]}})
JWT_LOCAL = Auth.model_validate(
    {"jwt": {"issuer": "https://issuer.example", "audiences": ["flights"], "jwks": {"configMap": {"name": "keys"}}}}
)
JWT_REMOTE = Auth.model_validate(
    {
        "jwt": {
            "issuer": "https://issuer.example",
            "audiences": ["flights", "all"],
            "jwks": {"uri": "https://issuer.example/jwks"},
        }
    }
)
MTLS = Auth.model_validate({"mtls": {"caSecret": {"name": "clients-ca"}, "certificateSecret": {"name": "flights-tls"}}})
LIMIT = RateLimit.model_validate({"requests": 5, "per": "Minute"})
EVERY_AUTH = [pytest.param(auth, id=name) for name, auth in (("apiKey", API_KEY), ("jwt", JWT_LOCAL), ("mtls", MTLS))]


KEYS = Keys(text='{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}')


def wanted(auth: Auth | None, limit: RateLimit | None = None, keys: Keys | None = KEYS) -> tuple[Manifest, ...]:
    return policies(METADATA, auth, limit, host=HOST, gateway_class="gyre", keys=keys)


def guard(auth: Auth) -> Manifest:
    return wanted(auth)[0]


# Policies -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "auth"), [("api_keys", API_KEY), ("jwt_local", JWT_LOCAL), ("jwt_remote", JWT_REMOTE), ("mtls", MTLS)]
)
def test_the_policies_of_each_way_in(name: str, auth: Auth, golden: Golden):
    golden(f"access_{name}.yaml", list(wanted(auth)))


@pytest.mark.parametrize("keys", [None, Keys(problem="ConfigMap team-a/keys does not exist")])
def test_without_a_key_to_verify_with_everybody_is_refused(keys: Keys | None):
    (policy,) = wanted(JWT_LOCAL, keys=keys)
    assert policy["spec"].keys() == {"targetRefs", "authorization"}
    assert policy["spec"]["authorization"] == {"defaultAction": "Deny"}


def test_keys_that_are_missing_are_told_although_everybody_is_refused():
    (policy,) = wanted(JWT_LOCAL, keys=None)
    view, refusals = live(policy, condition("Accepted")), (answered(403), answered(403), answered(403))
    asked = list(zip(asked_for(JWT_LOCAL), refusals, strict=True))
    keys = Keys(problem="ConfigMap team-a/keys does not exist. Create it")
    verdict = verified(JWT_LOCAL, wanted=[policy], live=[view], asked=asked, keys=keys)
    assert (verdict.status, verdict.reason, verdict.message) == (Truth.UNKNOWN, Access.POLICY_INVALID, keys.problem)


def test_a_rate_limit_is_a_policy_of_its_own(golden: Golden):
    golden("rate_limit.yaml", list(wanted(None, LIMIT)))


def test_without_auth_and_limit_there_is_nothing_in_front():
    assert wanted(None) == ()


def test_only_client_certificates_need_a_gateway_of_their_own():
    assert [has_own_gateway(auth) for auth in (None, API_KEY, JWT_LOCAL, MTLS)] == [False, False, False, True]


def test_the_door_is_locked_before_it_is_there():
    """The policy about the Gateway comes before the Gateway: Envoy Gateway never knows the one without the other."""
    assert [manifest["kind"] for manifest in wanted(MTLS)] == ["ClientTrafficPolicy", "Gateway"]


# What the gateway says of them ----------------------------------------------------------------------------------------

OURS = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": "gyre-gateway", "name": "gyre"}


def condition(type: str, status: str = "True", *, generation: int = 1, message: str = "", reason: str = "") -> Any:
    return {"type": type, "status": status, "observedGeneration": generation, "message": message, "reason": reason}


def live(
    manifest: Manifest, *conditions: Any, generation: int = 1, ancestor: Mapping[str, str] = OURS, **changes: Any
) -> PolicyView:
    obj = {
        **manifest,
        "metadata": {**manifest["metadata"], "generation": generation, "uid": "uid-policy"},
        "status": {"ancestors": [{"ancestorRef": ancestor, "conditions": list(conditions)}] if conditions else []},
    }
    view = PolicyView.of(obj, gateway="gyre", gateway_namespace="gyre-gateway")
    return replace(view, **changes)


def test_a_policy_is_in_force_when_the_gateway_accepts_its_newest_generation():
    view = live(guard(API_KEY), condition("Accepted"))
    assert (view.accepted, view.problem) == (True, "")
    assert view.in_force(guard(API_KEY))


@pytest.mark.parametrize(
    "view",
    [
        pytest.param(live(guard(API_KEY)), id="the gateway is silent"),
        pytest.param(live(guard(API_KEY), condition("Accepted"), generation=2), id="an old generation was accepted"),
        pytest.param(live(guard(API_KEY), condition("Accepted", "False", message="No.")), id="refused"),
        pytest.param(live(guard(API_KEY), condition("Accepted"), condition("Overridden")), id="overridden"),
        pytest.param(live(guard(API_KEY), condition("Accepted"), deleting=True), id="going away"),
        pytest.param(live(guard(API_KEY), condition("Accepted"), spec={"targetRefs": []}), id="edited by somebody"),
        pytest.param(
            live(guard(API_KEY), condition("Accepted"), ancestor={**OURS, "name": "other"}), id="another gateway"
        ),
    ],
)
def test_anything_less_is_not_in_force(view: PolicyView):
    assert not view.in_force(guard(API_KEY))


def test_a_gateway_in_the_namespace_of_the_policy_may_be_named_without_it():
    ancestor = {"name": "flights"}
    obj = {
        **guard(MTLS),
        "metadata": {**METADATA, "generation": 1},
        "status": {"ancestors": [{"ancestorRef": ancestor, "conditions": [condition("Accepted")]}]},
    }
    assert PolicyView.of(obj, gateway="flights", gateway_namespace="team-a").accepted


# The requests ---------------------------------------------------------------------------------------------------------

SHARED = GatewayView("gyre", "gyre-gateway", True, "", "10.96.0.9", (("http", "HTTP", 80),))
OWN = GatewayView("flights", "team-a", True, "", "10.96.0.10", (("https", "HTTPS", 443),))


def asked_for(auth: Auth) -> tuple[Probe, ...]:
    return probes(auth, OWN if has_own_gateway(auth) else SHARED, host=HOST, path=PATH)


def test_a_service_without_auth_has_nothing_to_prove():
    assert probes(None, SHARED, host=HOST, path=PATH) == ()


@pytest.mark.parametrize("auth", EVERY_AUTH)
def test_nobody_is_asked_while_the_gateway_has_no_address(auth: Auth):
    assert probes(auth, replace(SHARED, address=""), host=HOST, path=PATH) == ()
    assert probes(auth, None, host=HOST, path=PATH) == ()


def test_a_service_with_keys_is_asked_without_one_and_with_a_wrong_one():
    assert [(probe.url, dict(probe.headers)) for probe in asked_for(API_KEY)] == [
        (f"http://10.96.0.9:80{PATH}", {"Host": HOST}),
        (f"http://10.96.0.9:80{PATH}", {"Host": HOST, "x-api-key": "gyre-probe-of-a-wrong-key"}),
    ]


def test_tokens_are_right_in_all_but_their_signature():
    _, unsigned, forged = asked_for(JWT_LOCAL)
    for probe, algorithm in ((unsigned, "none"), (forged, "RS256")):
        header, claims, signature = probe.headers["Authorization"].removeprefix("Bearer ").split(".")
        assert decoded(header)["alg"] == algorithm
        assert decoded(claims)["iss"] == "https://issuer.example"
        assert decoded(claims)["aud"] == ["flights"]
        assert decoded(claims)["exp"] > NOW.timestamp()
        assert bool(signature) == (algorithm == "RS256")


def decoded(part: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def test_a_service_with_certificates_is_asked_without_one_at_its_own_gateway():
    (probe,) = asked_for(MTLS)
    assert (probe.url, probe.handshake) == (f"https://10.96.0.10:443{PATH}", True)


def test_an_address_of_the_sixth_version_is_put_in_brackets():
    (probe, _) = probes(API_KEY, replace(SHARED, address="fd00::9"), host=HOST, path=PATH)
    assert probe.url == f"http://[fd00::9]:80{PATH}"


def test_a_listener_that_the_spec_names_is_the_one_that_is_asked():
    two = replace(SHARED, listeners=(("http", "HTTP", 80), ("inside", "HTTP", 8080)))
    assert probes(API_KEY, two, host=HOST, path=PATH, section="inside")[0].url == f"http://10.96.0.9:8080{PATH}"


# What came of them ----------------------------------------------------------------------------------------------------

PLAIN = asked_for(API_KEY)[0]
TLS = asked_for(MTLS)[0]
NO_CERTIFICATE = "ClientOSError: [Errno 1] [SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required"


def answered(status: int, error: str = "") -> Answer:
    return Answer(status, "", error, NOW)


@pytest.mark.parametrize(
    ("probe", "answer", "outcome"),
    [
        (PLAIN, answered(401), "refused"),
        (PLAIN, answered(403), "refused"),
        (PLAIN, answered(200), "let in"),
        (PLAIN, answered(302), "let in"),
        (PLAIN, answered(405), "let in"),
        (PLAIN, answered(422), "let in"),
        (PLAIN, answered(404), "neither"),
        (PLAIN, answered(429), "neither"),
        (PLAIN, answered(500), "neither"),
        (PLAIN, answered(503), "neither"),
        (PLAIN, answered(0, "no answer within 2 s"), "neither"),
        (TLS, answered(0, NO_CERTIFICATE), "refused"),
        (TLS, answered(200), "let in"),
        (TLS, answered(401), "let in"),
        (TLS, answered(500), "neither"),
        (TLS, answered(0, "ClientConnectorError: Connection refused"), "neither"),
        (TLS, answered(0, "no answer within 2 s"), "neither"),
    ],
)
def test_what_an_answer_means(probe: Probe, answer: Answer, outcome: str):
    found = "refused" if refused(probe, answer) else "let in" if let_in(probe, answer) else "neither"
    assert found == outcome


def judged(auth: Auth, view: PolicyView | None, *answers: Answer) -> Verdict:
    asked = list(zip(asked_for(auth), answers, strict=False))
    return verified(auth, wanted=wanted(auth), live=[view] if view else [], asked=asked)


def in_force(auth: Auth) -> PolicyView:
    return live(guard(auth), condition("Accepted"))


def test_access_is_verified_when_every_request_was_refused_by_policies_in_force():
    verdict = judged(API_KEY, in_force(API_KEY), answered(401), answered(401))
    assert verdict.status is Truth.TRUE
    assert verdict.reason == Access.REFUSED
    assert verdict.message == ("refused as they must be: requests without a credential: 401, with a wrong key: 401")


def test_a_client_without_a_certificate_must_fail_in_the_handshake():
    assert judged(MTLS, in_force(MTLS), answered(0, NO_CERTIFICATE)).status is Truth.TRUE
    assert judged(MTLS, in_force(MTLS), answered(200)).reason == Access.OPEN_DOOR


def test_one_request_that_was_let_in_is_an_open_door_whatever_the_policy_says():
    verdict = judged(API_KEY, in_force(API_KEY), answered(401), answered(200))
    assert (verdict.status, verdict.reason) == (Truth.FALSE, Access.OPEN_DOOR)
    assert "with a wrong key was answered with 200" in verdict.message
    assert "kubectl get httproute,securitypolicy" in verdict.message


def test_a_gateway_that_never_looks_at_policies_is_an_open_door_and_has_to_be_restarted():
    """It started before its CRDs were established: the policy's status stays empty, the route is served."""
    verdict = judged(API_KEY, live(guard(API_KEY)), answered(200), answered(200))
    assert (verdict.status, verdict.reason) == (Truth.FALSE, Access.OPEN_DOOR)
    assert "Envoy Gateway has not said that it acts on SecurityPolicy flights" in verdict.message
    assert "rollout restart deployment envoy-gateway" in verdict.message


@pytest.mark.parametrize(
    "view", [None, live(guard(API_KEY)), live(guard(API_KEY), condition("Accepted"), generation=2)]
)
def test_refusals_prove_nothing_while_the_policy_is_not_in_force(view: PolicyView | None):
    verdict = judged(API_KEY, view, answered(401), answered(401))
    assert (verdict.status, verdict.reason) == (Truth.UNKNOWN, Access.NOT_PROGRAMMED)


@pytest.mark.parametrize("answer", [answered(404), answered(503), answered(0, "no answer within 2 s")])
def test_an_answer_that_proves_nothing_is_told(answer: Answer):
    verdict = judged(API_KEY, in_force(API_KEY), answered(401), answer)
    assert (verdict.status, verdict.reason) == (Truth.UNKNOWN, Access.UNANSWERED)
    assert answer.error or str(answer.status) in verdict.message


def test_a_route_that_the_gateway_does_not_take_up_may_be_held_up_by_an_empty_key():
    """Tried: one Secret with an empty key stops every change of its Gateway, and no status says so."""
    verdict = judged(API_KEY, in_force(API_KEY), answered(404), answered(404))
    assert "an empty key in a Secret (key-team-a, key-team-b) would keep it from it" in verdict.message


def test_nothing_is_proved_before_anybody_was_asked():
    assert judged(API_KEY, in_force(API_KEY)).reason == Access.NOT_PROGRAMMED


def test_a_service_without_auth_says_that_anybody_may_call():
    verdict = verified(None, wanted=(), live=(), asked=())
    assert (verdict.status, verdict.reason) == (Truth.UNKNOWN, Access.NO_AUTH)


def test_a_rate_limit_that_is_not_in_force_does_not_make_an_open_door():
    both = wanted(API_KEY, LIMIT)
    views = [live(both[0], condition("Accepted")), live(both[1])]
    asked = list(zip(asked_for(API_KEY), (answered(401), answered(401)), strict=True))
    verdict = verified(API_KEY, wanted=both, live=views, asked=asked)
    assert (verdict.status, verdict.reason) == (Truth.UNKNOWN, Access.NOT_PROGRAMMED)
    assert "BackendTrafficPolicy flights" in verdict.message


# What to do -----------------------------------------------------------------------------------------------------------

NO_KEY = "APIKeyAuth: secret team-a/key-team-b does not exist."
NO_CA = "TLS: failed to get certificate from ref: secret team-a/clients-ca does not exist."


@pytest.mark.parametrize(
    ("auth", "said", "todo"),
    [
        (
            API_KEY,
            NO_KEY,
            "Create it: kubectl -n team-a create secret generic key-team-b --from-literal=<client>=<key>",
        ),
        (MTLS, NO_CA, "Create it: kubectl -n team-a create secret generic clients-ca --from-file=ca.crt=<file>"),
        (
            API_KEY,
            "APIKeyAuth: duplicated API key.",
            "Two of the Secrets of spec.auth.apiKey.secrets hold the same key: give each client one of its own",
        ),
        (
            API_KEY,
            "Unable to target HTTPRoute flights, another SecurityPolicy has already attached to it",
            "Delete the other policy, or aim it at another route",
        ),
        (JWT_LOCAL, "Something that nobody has seen before.", ""),
    ],
)
def test_what_the_gateway_refuses_is_told_with_what_to_do(auth: Auth, said: str, todo: str):
    view = live(guard(auth), condition("Accepted", "False", message=said, reason="Invalid"))
    assert fix(view) == todo
    problem = unmet(wanted(auth), [view])
    assert problem is not None
    assert problem == (Access.POLICY_INVALID, f"{guard(auth)['kind']} flights: {said} {todo}".strip())
    assert judged(auth, view, answered(500)).message == problem[1]


def test_nothing_is_unmet_when_all_policies_are_in_force():
    both = wanted(API_KEY, LIMIT)
    assert unmet(both, [live(manifest, condition("Accepted")) for manifest in both]) is None
