"""The parts of the spec for access and rate limits: what is read, what is refused, what the API says about it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from gyre.api.markers import RULES
from gyre.api.structural import structural
from gyre.kinds.inferenceservice.access import Auth, Jwt, RateLimit

JWT = {"issuer": "https://issuer.example", "audiences": ["flights"], "jwks": {"configMap": {"name": "keys"}}}
MTLS = {"caSecret": {"name": "ca"}, "certificateSecret": {"name": "tls"}}


def test_an_api_key_is_looked_for_in_the_usual_header():
    auth = Auth.model_validate({"apiKey": {"secrets": [{"name": "key-team-a"}, {"name": "key-team-b"}]}})
    assert auth.api_key is not None
    assert auth.api_key.header == "x-api-key"
    assert [secret.name for secret in auth.api_key.secrets] == ["key-team-a", "key-team-b"]


def test_a_config_map_of_keys_needs_no_name_of_the_entry():
    auth = Auth.model_validate({"jwt": JWT})
    assert auth.jwt is not None
    assert auth.jwt.jwks.config_map is not None
    assert auth.jwt.jwks.config_map.key == "jwks"


@pytest.mark.parametrize(
    ("part", "schema"),
    [
        pytest.param({"mtls": {"caSecret": {"name": "ca"}}}, Auth, id="mtls without the certificate to show"),
        pytest.param({"mtls": {"certificateSecret": {"name": "tls"}}}, Auth, id="mtls without the authorities"),
        pytest.param({"jwt": {**JWT, "audiences": []}}, Auth, id="a token for anybody"),
        pytest.param({"jwt": {**JWT, "issuer": ""}}, Auth, id="a token of nobody"),
        pytest.param({"apiKey": {"secrets": [{"name": "k"}], "header": "two words"}}, Auth, id="a header with a space"),
        pytest.param({"requests": 0}, RateLimit, id="a limit of nothing"),
        pytest.param({"requests": 5, "per": "Fortnight"}, RateLimit, id="an unknown period"),
    ],
)
def test_what_a_schema_can_refuse_is_refused(part: dict[str, Any], schema: type):
    with pytest.raises(ValidationError):
        schema.model_validate(part)


def rules(schema: dict[str, Any]) -> list[dict[str, Any]]:
    return schema.get(RULES, [])


def test_a_way_in_without_a_secret_is_refused_with_the_field_and_the_reason():
    api_key = structural(Auth)["properties"]["apiKey"]
    assert [(rule["fieldPath"], rule["reason"]) for rule in rules(api_key)] == [(".secrets", "FieldValueRequired")]
    assert structural(Auth)["properties"]["mtls"]["required"] == ["caSecret", "certificateSecret"]


def test_exactly_one_way_in_is_chosen():
    assert [rule["message"] for rule in rules(structural(Auth))] == ["set exactly one of apiKey, jwt and mtls"]


def test_keys_fetched_in_the_clear_are_refused_by_a_rule():
    uri = structural(Jwt)["properties"]["jwks"]["properties"]["uri"]
    assert "use https://" in rules(uri)[0]["message"]


def test_the_content_of_a_secret_has_no_place_in_the_spec():
    """Every mention of a Secret is a name and nothing else."""
    schema = structural(Auth)["properties"]
    secrets = [
        schema["apiKey"]["properties"]["secrets"]["items"],
        schema["mtls"]["properties"]["caSecret"],
        schema["mtls"]["properties"]["certificateSecret"],
    ]
    assert [list(secret["properties"]) for secret in secrets] == [["name"]] * 3
