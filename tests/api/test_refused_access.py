"""What a user can get wrong about access, rate limits, A/B, shadow and the log: the API server names the field and what to do."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from tests.api.cluster import Cluster, Refused

from gyre.api.gvks import INFERENCE_SERVICE

JWT = {"issuer": "https://issuer.example", "audiences": ["flights"], "jwks": {"configMap": {"name": "keys"}}}
MTLS = {"caSecret": {"name": "ca"}, "certificateSecret": {"name": "tls"}}
KEYS = {"secrets": [{"name": "key-team-a"}]}
AB = {"version": "flights-late-222d7407"}


def jwt(**change: Any) -> dict[str, Any]:
    return {"auth": {"jwt": {**JWT, **change}}}


def ab(**change: Any) -> dict[str, Any]:
    return {"ab": {**AB, **change}}


def log(**change: Any) -> dict[str, Any]:
    return {"log": {"uri": "pvc://runs/log", **change}}


# what is wrong → (a part of the spec, field, words of the answer)
REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "auth that says nothing": ({"auth": {}}, "spec.auth", "set exactly one of apiKey, jwt and mtls"),
    "two ways in": ({"auth": {"apiKey": KEYS, "jwt": JWT}}, "spec.auth", "set exactly one of apiKey, jwt and mtls"),
    "keys without a Secret": ({"auth": {"apiKey": {}}}, "spec.auth.apiKey.secrets", "name the Secrets"),
    "keys in no Secret": ({"auth": {"apiKey": {"secrets": []}}}, "spec.auth.apiKey.secrets", "name the Secrets"),
    "one Secret twice": (
        {"auth": {"apiKey": {"secrets": [{"name": "a"}, {"name": "a"}]}}},
        "spec.auth.apiKey.secrets[1]",
        "Duplicate value",
    ),
    "a key in the open": (
        {"auth": {"apiKey": {"secrets": [{"name": "a", "value": "hunter2"}]}}},
        "",
        'unknown field "spec.auth.apiKey.secrets[0].value"',
    ),
    "a header that cannot be one": (
        {"auth": {"apiKey": {**KEYS, "header": "x api key"}}},
        "spec.auth.apiKey.header",
        "should match",
    ),
    "certificates of nobody": (
        {"auth": {"mtls": {"certificateSecret": {"name": "tls"}}}},
        "spec.auth.mtls.caSecret",
        "Required value",
    ),
    "no certificate to show": (
        {"auth": {"mtls": {"caSecret": {"name": "ca"}}}},
        "spec.auth.mtls.certificateSecret",
        "Required value",
    ),
    "tokens of anybody's keys": (jwt(jwks={}), "spec.auth.jwt.jwks", "set exactly one of uri and configMap"),
    "tokens for anybody": (jwt(audiences=[]), "spec.auth.jwt.audiences", "at least 1 item"),
    "an issuer that is half a URL": (jwt(issuer="an issuer:example"), "spec.auth.jwt.issuer", "must be a whole URL"),
    "an issuer that is half an address": (jwt(issuer="a@b@c"), "spec.auth.jwt.issuer", "must be an e-mail address"),
    "keys fetched in the clear": (
        jwt(jwks={"uri": "http://issuer.example/jwks"}),
        "spec.auth.jwt.jwks.uri",
        "use https://",
    ),
    "keys of a name that ends like a Service": (
        jwt(jwks={"uri": "http://a.svc.example.com/jwks"}),
        "spec.auth.jwt.jwks.uri",
        "use https://",
    ),
    "a log to nowhere": ({"log": {}}, "spec.log.uri", "Required value"),
    "a log to a disk that no pod has": (
        log(uri="file:///tmp"),
        "spec.log.uri",
        "write pvc://claim/path or s3://bucket",
    ),
    "a log to a claim of no name": (log(uri="pvc:///path"), "spec.log.uri", "write pvc://claim/path or s3://bucket"),
    "a log that climbs": (log(uri="pvc://runs/a/../b"), "spec.log.uri", "leave out `.` and `..`"),
    "more than all requests": (log(percent=101), "spec.log.percent", "less than or equal to 100"),
    "a bucket's keys for a claim": (log(s3={"region": "eu-1"}), "spec.log.uri", "are for a log in a bucket"),
    "a hash without a key": (log(masking={"mode": "Hash"}), "spec.log.masking.keySecretRef", "name the Secret and key"),
    "a key without a hash": (
        log(masking={"mode": "Masked", "keySecretRef": {"name": "a", "key": "b"}}),
        "spec.log.masking.keySecretRef",
        "leave keySecretRef out",
    ),
    "features of no use": (
        log(masking={"mode": "Full", "features": ["hour"]}),
        "spec.log.masking.features",
        "leave features out",
    ),
    "a token for KServe's agent": (
        {**log(), "runtime": {"container": {"image": "localhost/x:1"}}},
        "spec.log",
        "KServe's agent, which logs for this runtime, cannot send a token: set log.auth to None",
    ),
    "a token that nobody asks for": (
        log(auth="None", tokenSecretRef={"name": "mine", "key": "log"}),
        "spec.log.tokenSecretRef",
        "leave tokenSecretRef out, or set auth to Token",
    ),
    "kept for no time": (log(retention="1h"), "spec.log.retention", "must be from 1d to 3650d"),
    "a limit of nothing": ({"rateLimit": {"requests": 0}}, "spec.rateLimit.requests", "greater than or equal to 1"),
    "a limit per fortnight": (
        {"rateLimit": {"requests": 1, "per": "Fortnight"}},
        "spec.rateLimit.per",
        "Unsupported value",
    ),
    "a comparison with nothing": ({"ab": {"split": 50}}, "spec.ab.version", "Required value"),
    "all callers to B": (ab(split=100), "spec.ab.split", "less than or equal to 99"),
    "no callers to B": (ab(split=0), "spec.ab.split", "greater than or equal to 1"),
    "callers told apart by their mood": (ab(by="Mood"), "spec.ab.by", "Unsupported value"),
    "callers told apart by their key": (ab(by="Header", name="Authorization"), "spec.ab.name", "x-user-id"),
    "a cookie that cannot be one": (ab(name="a;b"), "spec.ab.name", "should match"),
    "a shadow of nothing": ({"shadow": {"percent": 10}}, "spec.shadow.version", "Required value"),
    "a shadow that hears nothing": ({"shadow": {"version": "v", "percent": 0}}, "spec.shadow.percent", "equal to 1"),
    "a shadow that hears more than all": (
        {"shadow": {"version": "v", "percent": 101}},
        "spec.shadow.percent",
        "equal to 100",
    ),
}

ACCEPTED: dict[str, dict[str, Any]] = {
    "keys": {"auth": {"apiKey": KEYS}},
    "tokens": {"auth": {"jwt": JWT}},
    "tokens of an address": jwt(issuer="bot@issuer.example"),
    "tokens of a word": jwt(issuer="issuer"),
    "keys over https": jwt(jwks={"uri": "https://issuer.example/.well-known/jwks.json"}),
    "keys of a Service": jwt(jwks={"uri": "http://issuer.team-a.svc:8080/jwks"}),
    "keys of a Service by its whole name": jwt(jwks={"uri": "http://issuer.team-a.svc.cluster.local/jwks"}),
    "keys under another name": jwt(jwks={"configMap": {"name": "keys", "key": "issuer.json"}}),
    "certificates": {"auth": {"mtls": MTLS}},
    "a log on a claim": log(masking={"mode": "Masked", "features": ["card"]}, retention="30d", percent=0),
    "a log in a bucket": log(
        uri="s3://logs/a.b/c=1",
        s3={"endpoint": "http://s3.gyre-store:9000", "credentialsSecret": {"name": "store"}},
        masking={"mode": "Hash", "keySecretRef": {"name": "salt", "key": "key"}},
        journalClaim="journal",
    ),
    "a rate limit": {"rateLimit": {"requests": 100, "per": "Minute"}},
    "a comparison by cookie": ab(),
    "a comparison by header": ab(by="Header", name="x-user-id", split=25, metric="Latency"),
    "a cookie called like a header": ab(by="Cookie", name="host"),
    "a shadow": {"shadow": {"version": "flights-late-333d7407", "percent": 5}},
}


def service(part: dict[str, Any], name: str = "flights") -> dict[str, Any]:
    spec = {"modelRef": {"name": "flights-late"}, **copy.deepcopy(part)}
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "gyre.dev/v1alpha1", "kind": "InferenceService", "metadata": metadata, "spec": spec}


@pytest.mark.parametrize("wrong", REFUSED)
def test_a_service_is_refused_with_the_field_and_what_to_do(cluster: Cluster, wrong: str):
    part, field, words = REFUSED[wrong]
    with pytest.raises(Refused) as refused:
        cluster.create(INFERENCE_SERVICE, service(part))
    assert refused.value.code in (400, 422)
    said = refused.value.causes or [("", refused.value.message)]
    assert any(at == field and words in message for at, message in said), said


@pytest.mark.parametrize("right", ACCEPTED)
def test_a_service_that_is_right_is_accepted(cluster: Cluster, right: str):
    name = right.replace(" ", "-").lower()
    created = cluster.create(INFERENCE_SERVICE, service(ACCEPTED[right], name))
    assert created["spec"].keys() >= ACCEPTED[right].keys()
