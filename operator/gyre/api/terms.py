"""Words of the API that carry their meaning: enums whose members say in one line what they stand for.

Promises   the meaning is where the word is defined, and from there reaches `kubectl explain` and the reference pages.
Never      a word without a meaning.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any, Self

from pydantic import GetJsonSchemaHandler

GLOSSARY = "x-gyre-glossary"
"""Private keyword of a schema: words with their meanings. `structural` writes them into the description."""

CAMEL_CASE = re.compile(r"[A-Z][A-Za-z0-9]*")


class Term(StrEnum):
    """A string enum whose members are `NAME = "Word", "what it means, one line"`."""

    meaning: str

    def __new__(cls, word: str, meaning: str) -> Self:
        if not meaning or "\n" in meaning:
            raise ValueError(f"{cls.__name__}: {word} needs a meaning of one line")
        member = str.__new__(cls, word)
        member._value_ = word
        member.meaning = meaning
        return member

    @classmethod
    def glossary(cls) -> dict[str, str]:
        """Every word with its meaning, in the order of definition."""
        return {member.value: member.meaning for member in cls}

    @classmethod
    def __get_pydantic_json_schema__(cls, source: Any, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        reference = handler(source)
        handler.resolve_ref_schema(reference)[GLOSSARY] = cls.glossary()
        return reference


class Reason(Term):
    """Reasons of conditions, decisions and Events of one kind: CamelCase words, as the API conventions ask."""

    def __init__(self, word: str, meaning: str) -> None:
        if not CAMEL_CASE.fullmatch(word):
            raise ValueError(f"{word} is not a CamelCase reason")


def clip(text: str, limit: int) -> str:
    """The text, cut to `limit` characters; a cut shows as a final `…`."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
