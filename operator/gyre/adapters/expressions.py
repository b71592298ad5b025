"""Rules in CEL, the language of Kubernetes' own validation rules, over facts about a model. Bounded, and pure.

Promises   an expression has at most LONGEST characters and MOST_LOOPS loops over facts that are themselves bounded, so it ends;
           regular expressions are RE2's; a fact that is missing makes the answer unknown, never true or false.
Never      raises anything but Unusable (the expression is wrong, wherever it is asked) and Unknown (a fact is missing).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from celpy import Environment, celtypes
from celpy.adapter import json_to_cel
from celpy.celparser import CELParseError
from celpy.evaluation import CELEvalError

LONGEST: Final = 512
MOST_LOOPS: Final = 2
_LOOP: Final = re.compile(r"\.\s*(all|exists|exists_one|map|filter|reduce|min)\s*\(")


class Unusable(ValueError):
    """It does not compile, or answers with something else than true or false; the message says where."""


class Unknown(ValueError):
    """It asks for a fact that is not there."""


def holds(text: str, facts: Mapping[str, Any]) -> bool:
    """What the expression answers. `facts`: plain JSON; other names do not exist."""
    program = _compiled(text)
    try:
        answer = program.evaluate({name: json_to_cel(value) for name, value in facts.items()})
    except CELEvalError as error:
        raise _told(text, error, facts) from error
    except (RecursionError, ValueError, TypeError, ArithmeticError, KeyError, IndexError) as error:
        raise Unusable(f"rule {_cut(text)}: {type(error).__name__}: {str(error)[:120]}") from error
    if not isinstance(answer, celtypes.BoolType):
        raise Unusable(
            f"rule {_cut(text)} answers with a {type(answer).__name__}; compare it with something, as in x < 0.7"
        )
    return bool(answer)


def check(text: str) -> None:
    """Raises Unusable for what cannot be asked at all."""
    _compiled(text)


@lru_cache(maxsize=256)
def _compiled(text: str) -> Any:
    if len(text) > LONGEST:
        raise Unusable(f"a rule has at most {LONGEST} characters, not {len(text)}")
    if len(_LOOP.findall(text)) > MOST_LOOPS:
        raise Unusable(f"rule {_cut(text)}: at most {MOST_LOOPS} of all, exists, exists_one, map and filter")
    environment = Environment()
    try:
        return environment.program(environment.compile(text))
    except CELParseError as error:
        where = f" at line {error.line}, column {error.column}" if error.line is not None else ""
        raise Unusable(f"rule {_cut(text)} does not compile{where}: it is CEL, as in metrics['auc'] < 0.7") from error
    except (RecursionError, ValueError, TypeError, KeyError) as error:
        raise Unusable(f"rule {_cut(text)} does not compile: {type(error).__name__}") from error


def _told(text: str, error: Exception, facts: Mapping[str, Any]) -> ValueError:
    said = str(error.args[0]) if error.args else str(error)
    if "no such member" in said or "no such key" in said:
        return Unknown(f"rule {_cut(text)}: {said[:100]}; there is {_names(facts)}")
    return Unusable(f"rule {_cut(text)}: {said[:120]}; there is {_names(facts)}")


def _names(facts: Mapping[str, Any]) -> str:
    named = [f"{name}{sorted(value)[:8] if isinstance(value, Mapping) else ''}" for name, value in facts.items()]
    return ", ".join(named)[:300]


def _cut(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:79] + "…")
