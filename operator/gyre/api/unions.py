"""A union by discriminator as one flat object, since a structural schema has no `oneOf` with properties.

Promises   the object has every member's fields; CEL says which of them go with which member, which are required there,
           and asks each member's own rules only of that member.
Never      merges two fields that differ in more than their description: `Disagreement` names them.

A default of a field that some member lacks stays in the model alone: the API server would fill it in for all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gyre.api.markers import RULES, Json, Rule, cel_name, first_paragraph


class Disagreement(ValueError):
    """Two members of a union have different fields of one name."""


def flat(key: str, members: Mapping[str, Json]) -> Json:
    """The JSON schema of the flat object. `members` are the schemas of the alternatives by their word for `key`."""
    fields, owners = _united(key, members)
    always = [name for name in fields if all(name in member.get("required", ()) for member in members.values())]
    meanings = (f"{word}: {first_paragraph(member.get('description', ''))}" for word, member in members.items())
    tag = {"type": "string", "enum": list(members), "description": " ".join(meanings)}
    return {
        "type": "object",
        "properties": {key: tag, **fields},
        "required": [key, *always],
        RULES: [rule.as_dict() for rule in _membership(key, members, owners)] + list(_guarded(key, members)),
    }


def _united(key: str, members: Mapping[str, Json]) -> tuple[dict[str, Json], dict[str, list[str]]]:
    """All fields, and for each the words of the members that have it."""
    fields: dict[str, Json] = {}
    owners: dict[str, list[str]] = {}
    for word, member in members.items():
        for name, field in member["properties"].items():
            if name == key:
                continue
            if _enforced(fields.setdefault(name, field)) != _enforced(field):
                raise Disagreement(f"{name}: members of the union disagree about it; give it two names")
            owners.setdefault(name, []).append(word)
    for name, words in owners.items():
        if len(words) < len(members):
            fields[name] = {keyword: value for keyword, value in fields[name].items() if keyword != "default"}
    return fields, owners


def _enforced(field: Json) -> Json:
    return {keyword: value for keyword, value in field.items() if keyword not in ("description", "default", "title")}


def _membership(key: str, members: Mapping[str, Json], owners: Mapping[str, list[str]]) -> Iterator[Rule]:
    for name, words in owners.items():
        has, needed = f"has(self.{cel_name(name)})", [w for w in words if name in members[w].get("required", ())]
        if len(words) < len(members):
            yield Rule(f"!{has} || {_is(key, words)}", f"only with {key} {' or '.join(words)}", f".{name}")
        if needed and len(needed) < len(members):
            yield Rule(f"{has} || !({_is(key, needed)})", f"{name} is required with {key} {' or '.join(needed)}")


def _guarded(key: str, members: Mapping[str, Json]) -> Iterator[Json]:
    """A member's own rules, asked where the object is that member and has what it requires."""
    for word, member in members.items():
        missing = [f"!has(self.{cel_name(name)})" for name in member.get("required", ()) if name != key]
        is_not = " || ".join([f"self.{cel_name(key)} != '{word}'", *missing])
        for rule in member.get(RULES, ()):
            yield {**rule, "rule": f"{is_not} || ({rule['rule']})"}


def _is(key: str, words: list[str]) -> str:
    this = f"self.{cel_name(key)}"
    return f"{this} == '{words[0]}'" if len(words) == 1 else f"{this} in [{', '.join(repr(w) for w in words)}]"
