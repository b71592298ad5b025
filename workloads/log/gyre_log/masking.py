"""What of a request's features is kept: applied as it comes in, so that what is masked is never on a disk. Pure.

    None      all values as they were given
    Hash      a keyed hash (HMAC-SHA-256) of each value: equal values stay equal, and nobody without the key finds the value
    Masked    the named features are left out; without names, all of them
    Full      version, code, time and latency only: bodies are not even parsed

With Hash and Masked what is not named is kept; without names everything is meant. A missing value stays missing under Hash.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

Mode = Literal["None", "Hash", "Masked", "Full"]
MODES: Final[tuple[str, ...]] = get_args(Mode)

Value = float | str | None
Columns = Mapping[str, Sequence[Value]]

HASH_DIGITS: Final = 32
"""128 bits: no two values of a column meet by chance."""


@dataclass(frozen=True, slots=True)
class Masking:
    mode: str
    features: frozenset[str] = frozenset()
    key: bytes = field(default=b"", repr=False)

    def columns(self, given: Columns) -> dict[str, list[Value]]:
        """The columns as they may be kept."""
        kept: dict[str, list[Value]] = {}
        for name, values in given.items():
            if self.mode == "None" or not self.means(name):
                kept[name] = list(values)
            elif self.mode == "Hash":
                kept[name] = [None if value is None else self.hashed(name, value) for value in values]
        return kept

    def means(self, name: str) -> bool:
        return not self.features or name in self.features

    def hashed(self, name: str, value: float | str) -> str:
        """Of the feature's name, too: equal values of two features do not look equal."""
        text = f"{name}\0{value if isinstance(value, str) else repr(float(value))}"
        return hmac.new(self.key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:HASH_DIGITS]


def masking(mode: str, features: Iterable[str] = (), key: str = "") -> Masking:
    return Masking(mode, frozenset(features), key.encode())
