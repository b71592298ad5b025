"""Who may call, at the real gateway: each way in, with no credential, a wrong one, one that is no longer good, and the right one.

"No longer good" is an expired token or certificate; of an API key, which does not expire, the one before it was changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.e2e import credentials, serving
from tests.e2e.cluster import Object, condition
from tests.e2e.credentials import Issuer
from tests.e2e.figures import Figures
from tests.e2e.place import Place
from tests.e2e.serving import HEALTHY, SERVICE

from gyre.api import gvks

pytestmark = pytest.mark.e2e
PATH = "/v2/models/toy"
UP = 180.0
"""Seconds in which a service comes up."""
SOON = 30.0
"""Seconds that a change of a policy or Secret may take."""
REFUSED = (401, 403)

Status = int | str
"""Of an answer, or how the connection failed."""


@pytest.fixture
def versions(place: Place) -> Place:
    serving.make_versions(place, v1=HEALTHY)
    return place


def secret(name: str, type_: str = "Opaque", **data: str) -> Object:
    named = {key.replace("_", "."): value for key, value in data.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "type": type_, "stringData": named}


def config_map(name: str, **data: str) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def proved(place: Place) -> Object:
    """The service serves, and has proved to itself that it refuses whom it must."""
    serving.serves(place, "v1")
    return place.until(gvks.INFERENCE_SERVICE, SERVICE, "AccessVerified", seconds=60)


def host_of(gis: Object) -> str:
    return str(gis["status"]["url"]).split("://", 1)[1].split("/", 1)[0].split(":", 1)[0]


def ask(gis: Object, headers: dict[str, str] | None = None) -> requests.Response:
    url = f"http://{gis['status']['address']}{PATH}"
    return requests.get(url, headers={"Host": host_of(gis), **(headers or {})}, timeout=5)


def statuses(gis: Object, rows: dict[str, dict[str, str]]) -> dict[str, Status]:
    return {row: ask(gis, headers).status_code for row, headers in rows.items()}


def shown(figures: Figures, way: str, found: dict[str, Status]) -> None:
    for row, status in found.items():
        figures.add(f"{way}, {row}: status (0: the handshake failed)", status if isinstance(status, int) else 0, "")


def eventually(place: Place, what: str, found: Callable[[], Any], wanted: Any) -> None:
    place.cluster.until(what, lambda: found() == wanted, seconds=SOON, seen=found)


# ── each way in ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_of_all_keys_only_those_in_the_secrets_are_let_in(versions: Place, figures: Figures) -> None:
    versions.apply(secret("key-a", team_a="a-key-of-team-a"), secret("key-b", team_b="a-key-of-team-b"))
    auth = {"apiKey": {"secrets": [{"name": "key-a"}, {"name": "key-b"}]}}
    versions.apply(serving.service("v1", auth=auth))
    gis = proved(versions)
    versions.apply(secret("key-a", team_a="another-key-of-team-a"))
    new = {"x-api-key": "another-key-of-team-a"}
    eventually(versions, "the changed key is in force", lambda: ask(gis, new).status_code, 200)
    found = statuses(
        gis,
        {
            "no credential": {},
            "wrong": {"x-api-key": "somebody-else's"},
            "expired": {"x-api-key": "a-key-of-team-a"},
            "right": new,
            "right, of the other client": {"x-api-key": "a-key-of-team-b"},
        },
    )
    shown(figures, "apiKey", found)
    assert found == {
        "no credential": 401,
        "wrong": 401,
        "expired": 401,
        "right": 200,
        "right, of the other client": 200,
    }


def test_of_all_tokens_only_those_of_the_issuer_for_this_service_are_let_in(versions: Place, figures: Figures) -> None:
    issuer, other = Issuer(), Issuer()
    versions.apply(config_map("keys", jwks=issuer.keys()))
    auth = {
        "jwt": {
            "issuer": credentials.ISSUER,
            "audiences": [credentials.AUDIENCE],
            "jwks": {"configMap": {"name": "keys"}},
        }
    }
    versions.apply(serving.service("v1", auth=auth))
    gis = proved(versions)

    def bearer(token: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {token}"}

    found = statuses(
        gis,
        {
            "no credential": {},
            "wrong": bearer(other.token()),
            "wrong: for another service": bearer(issuer.token(audience="somebody-else")),
            "wrong: of another issuer": bearer(issuer.token(issuer="https://other.example")),
            "wrong: no token at all": bearer("not-a-token"),
            "expired": bearer(issuer.token(expires=timedelta(hours=-1))),
            "right": bearer(issuer.token()),
        },
    )
    shown(figures, "jwt", found)
    assert found["right"] == 200
    assert {status for row, status in found.items() if row != "right"} <= set(REFUSED), found


def test_of_all_certificates_only_those_of_the_authority_are_let_in(
    versions: Place, figures: Figures, tmp_path: Path
) -> None:
    host = f"{SERVICE}.{versions.name}.gyre.local"
    clients, strangers, servers = (credentials.authority(name) for name in ("clients", "strangers", "servers"))
    shows = credentials.certified("server", servers, host=host)
    versions.apply(
        secret("clients-ca", ca_crt=clients.certificate_pem),
        secret("toy-tls", "kubernetes.io/tls", tls_crt=shows.certificate_pem, tls_key=shows.key_pem),
    )
    auth = {"mtls": {"caSecret": {"name": "clients-ca"}, "certificateSecret": {"name": "toy-tls"}}}
    versions.apply(serving.service("v1", auth=auth))
    gis = proved(versions)
    assert gis["status"]["url"] == f"https://{host}"
    rows = {
        "no credential": None,
        "wrong": credentials.certified("a-caller", strangers),
        "expired": credentials.certified("a-caller", clients, expires=-credentials.HOUR),
        "right": credentials.certified("a-caller", clients),
    }
    found: dict[str, Status] = {
        row: credentials.status_over_tls(
            gis["status"]["address"], host, PATH, trust=servers, shows=certificate, folder=tmp_path
        )
        for row, certificate in rows.items()
    }
    shown(figures, "mtls", found)
    assert found["right"] == 200
    assert all(isinstance(status, str) for row, status in found.items() if row != "right"), found
    shared = versions.cluster.get(gvks.GATEWAY, "gyre-gateway", "gyre")["status"]["addresses"][0]["value"]
    around = requests.get(f"http://{shared}{PATH}", headers={"Host": host}, timeout=5)
    assert around.status_code == 404, "the service can be reached around its own Gateway, without a certificate"


# ── what goes wrong ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_missing_secret_shuts_everybody_out_and_is_told_with_what_to_do(versions: Place) -> None:
    versions.apply(serving.service("v1", auth={"apiKey": {"secrets": [{"name": "key-a"}]}}))
    gis = versions.until(gvks.INFERENCE_SERVICE, SERVICE, "AccessVerified", "Unknown", "PolicyInvalid", seconds=UP)
    said = condition(gis, "AccessVerified")["message"]
    assert f"kubectl -n {versions.name} create secret generic key-a --from-literal=<client>=<key>" in said
    assert ask(gis).status_code == 500
    versions.apply(secret("key-a", team_a="a-key-of-team-a"))
    proved(versions)
    assert ask(gis, {"x-api-key": "a-key-of-team-a"}).status_code == 200


def test_keys_that_cannot_be_read_shut_everybody_out_and_open_no_other_door(versions: Place) -> None:
    """Given such keys, Envoy refuses its whole listener: this service would be open, and so would every one made after it."""
    versions.apply(config_map("keys", jwks="-----BEGIN PUBLIC KEY-----"), secret("key-a", team_a="a-key-of-team-a"))
    jwt = {
        "issuer": credentials.ISSUER,
        "audiences": [credentials.AUDIENCE],
        "jwks": {"configMap": {"name": "keys"}},
    }
    versions.apply(serving.service("v1", auth={"jwt": jwt}))
    gis = versions.until(gvks.INFERENCE_SERVICE, SERVICE, "AccessVerified", "Unknown", "PolicyInvalid", seconds=UP)
    assert "holds no key to verify with" in condition(gis, "AccessVerified")["message"]
    serving.serves(versions, "v1")
    eventually(versions, "everybody is shut out", lambda: ask(gis).status_code, 403)
    versions.apply(serving.service("v1", name="later", auth={"apiKey": {"secrets": [{"name": "key-a"}]}}))
    later = versions.until(gvks.INFERENCE_SERVICE, "later", "AccessVerified", seconds=UP)
    assert ask(later).status_code == 401
    issuer = Issuer()
    versions.apply(config_map("keys", jwks=issuer.keys()))
    bearer = {"Authorization": f"Bearer {issuer.token()}"}
    versions.cluster.until("the keys are read", lambda: ask(gis, bearer).status_code == 200, seconds=90)


def test_a_door_that_somebody_opened_is_closed_again(versions: Place) -> None:
    """The policy is deleted by hand: it comes back, and nobody has to notice."""
    versions.apply(secret("key-a", team_a="a-key-of-team-a"))
    versions.apply(serving.service("v1", auth={"apiKey": {"secrets": [{"name": "key-a"}]}}))
    gis = proved(versions)
    versions.delete(gvks.SECURITY_POLICY, SERVICE)
    versions.cluster.until(
        "the policy is there again", lambda: versions.find(gvks.SECURITY_POLICY, SERVICE), seconds=SOON
    )
    eventually(versions, "nobody gets in without a key", lambda: ask(gis).status_code, 401)
    proved(versions)


def test_auth_may_be_added_to_a_service_that_has_traffic(versions: Place) -> None:
    versions.apply(secret("key-a", team_a="a-key-of-team-a"), serving.service("v1"))
    gis = serving.serves(versions, "v1")
    eventually(versions, "everybody gets in", lambda: ask(gis).status_code, 200)
    auth = {"apiKey": {"secrets": [{"name": "key-a"}]}}
    versions.patch(gvks.INFERENCE_SERVICE, SERVICE, {"spec": {"auth": auth}})
    proved(versions)
    assert ask(gis).status_code == 401
    versions.patch(gvks.INFERENCE_SERVICE, SERVICE, {"spec": {"auth": None}})
    eventually(versions, "everybody gets in again", lambda: ask(gis).status_code, 200)


# ── how often ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_too_many_requests_are_answered_with_429(versions: Place, figures: Figures) -> None:
    versions.apply(serving.service("v1", rateLimit={"requests": 20, "per": "Minute"}))
    gis = serving.serves(versions, "v1")
    eventually(versions, "the limit is in force", lambda: "x-ratelimit-limit" in ask(gis).headers, True)
    answers = [ask(gis) for _ in range(60)]
    found = Counter(answer.status_code for answer in answers)
    figures.add("20 requests a minute, 60 sent: let through", found[200], "", "≤ 20")
    figures.add("20 requests a minute, 60 sent: 429", found[429], "", "≥ 40")
    assert set(found) <= {200, 429}
    assert found[200] <= 20
    assert found[429] >= 40
