"""The tally says of how many objects something is true, whatever came and went."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Gauge
from tests.sweep.toys import WIDGET
from tests.unit.engine.test_reconciler import Case

from gyre.api.effects import Ref
from gyre.engine.metrics import CONDITIONS
from gyre.engine.tally import Tally

LABELS = CONDITIONS._labelnames


def fresh() -> tuple[CollectorRegistry, Tally]:
    registry = CollectorRegistry()
    return registry, Tally(Gauge("gyre_conditions", "of a test", LABELS, registry=registry))


def series(registry: CollectorRegistry) -> dict[tuple[str, ...], float]:
    (family,) = registry.collect()
    return {tuple(sample.labels[name] for name in LABELS): sample.value for sample in family.samples}


def condition(type: str, status: str, reason: str = "Because") -> dict[str, Any]:
    return {"type": type, "status": status, "reason": reason, "message": "in many words"}


def ref(name: str, namespace: str = "ml") -> Ref:
    return Ref(WIDGET, namespace, name)


def test_objects_in_the_same_state_are_one_series():
    registry, tally = fresh()
    for name in "abc":
        tally.told(ref(name), [condition("Ready", "True")])
    tally.told(ref("d", "other"), [condition("Ready", "True")])
    assert series(registry) == {
        ("Widget", "ml", "Ready", "True", "Because"): 3.0,
        ("Widget", "other", "Ready", "True", "Because"): 1.0,
    }


def test_a_series_that_nobody_is_in_any_more_goes():
    registry, tally = fresh()
    tally.told(ref("a"), [condition("Ready", "False", "ImagePullBackOff")])
    tally.told(ref("a"), [condition("Ready", "True", "Serving")])
    assert list(series(registry)) == [("Widget", "ml", "Ready", "True", "Serving")]
    tally.gone(ref("a"))
    tally.gone(ref("a"))
    assert series(registry) == {}


TOLD = st.tuples(
    st.sampled_from("abc"),
    st.none()
    | st.lists(
        st.tuples(st.sampled_from(["Ready", "Stalled"]), st.sampled_from(["True", "False", "Unknown"])),
        max_size=2,
        unique_by=lambda pair: pair[0],
    ),
)


@given(st.lists(TOLD, max_size=30))
def test_whatever_comes_and_goes_the_counts_are_those_of_the_last_word_on_each(walk: list[Any]):
    registry, tally = fresh()
    last: dict[str, Any] = {}
    for name, said in walk:
        if said is None:
            tally.gone(ref(name))
            last.pop(name, None)
        else:
            tally.told(ref(name), [condition(*pair) for pair in said])
            last[name] = said
    expected: dict[tuple[str, ...], float] = {}
    for said in last.values():
        for type, status in said:
            row = ("Widget", "ml", type, status, "Because")
            expected[row] = expected.get(row, 0.0) + 1.0
    assert series(registry) == expected


def test_a_reconcile_tells_what_it_has_found_even_when_it_writes_nothing():
    case = Case(parts=1)
    case.look()
    labels = {
        "kind": "Widget",
        "object_namespace": case.owner["metadata"]["namespace"],
        "type": "Ready",
        "status": "True",
    }
    told = [
        sample
        for family in CONDITIONS.collect()
        for sample in family.samples
        if labels.items() <= sample.labels.items() and sample.value >= 1.0
    ]
    assert told
