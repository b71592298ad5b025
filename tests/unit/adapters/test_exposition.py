"""Counters as Envoy 1.37 and our predictor write them, and texts that are none."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gyre.adapters.exposition import Traffic, of_predictor, of_route

PREFIX = "httproute/serve/m/rule/"
ENVOY = """\
# TYPE envoy_cluster_upstream_rq counter
envoy_cluster_upstream_rq{envoy_response_code="200",envoy_cluster_name="httproute/serve/m/rule/0/backend/1"} 37

# TYPE envoy_cluster_upstream_rq_xx counter
envoy_cluster_upstream_rq_xx{envoy_response_code_class="2",envoy_cluster_name="httproute/serve/m/rule/0/backend/0"} 360
envoy_cluster_upstream_rq_xx{envoy_response_code_class="2",envoy_cluster_name="httproute/serve/m/rule/0/backend/1"} 35
envoy_cluster_upstream_rq_xx{envoy_response_code_class="4",envoy_cluster_name="httproute/serve/m/rule/0/backend/1"} 2
envoy_cluster_upstream_rq_xx{envoy_response_code_class="5",envoy_cluster_name="httproute/serve/m/rule/0/backend/1"} 3
envoy_cluster_upstream_rq_xx{envoy_response_code_class="5",envoy_cluster_name="httproute/serve/m2/rule/0/backend/1"} 99
envoy_cluster_upstream_rq_xx{envoy_response_code_class="5",envoy_cluster_name="httproute/serve/m/rule/0-mirror-1"} 98

# TYPE envoy_cluster_upstream_rq_time histogram
envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="httproute/serve/m/rule/0/backend/1",le="0.5"} 0
envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="httproute/serve/m/rule/0/backend/1",le="10"} 30
envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="httproute/serve/m/rule/0/backend/1",le="+Inf"} 40
envoy_cluster_upstream_rq_time_sum{envoy_cluster_name="httproute/serve/m/rule/0/backend/1"} 400
envoy_cluster_upstream_rq_time_count{envoy_cluster_name="httproute/serve/m/rule/0/backend/1"} 40
"""
PREDICTOR = """\
# HELP gyre_inference_requests_total Answers.
# TYPE gyre_inference_requests_total counter
gyre_inference_requests_total{model="m",model_version="m-1",code="200"} 90.0
gyre_inference_requests_total{model="m",model_version="m-1",code="400"} 4.0
gyre_inference_requests_total{model="m",model_version="m-1",code="500"} 6.0
# TYPE gyre_inference_seconds histogram
gyre_inference_seconds_bucket{model="m",model_version="m-1",le="0.0005"} 1.0
gyre_inference_seconds_bucket{model="m",model_version="m-1",le="0.1"} 80.0
gyre_inference_seconds_bucket{model="m",model_version="m-1",le="+Inf"} 100.0
gyre_inference_seconds_count{model="m",model_version="m-1"} 100.0
python_gc_objects_collected_total{generation="0"} 301.0
"""


def test_envoy_counts_by_backend_and_answers_of_class_five_are_errors():
    counted = of_route(ENVOY, PREFIX)
    assert sorted(counted) == [(0, 0), (0, 1)], "no other route, and no mirror"
    assert (counted[0, 0].requests, counted[0, 0].errors) == (360, 0)
    assert (counted[0, 1].requests, counted[0, 1].errors) == (40, 3)


def test_envoys_histogram_is_in_milliseconds():
    assert of_route(ENVOY, PREFIX)[0, 1].latency == ((0.0005, 0), (0.01, 30), (math.inf, 40))


def test_our_predictor_counts_by_version():
    assert of_predictor(PREDICTOR) == {
        "m-1": Traffic(requests=100, errors=6, latency=((0.0005, 1), (0.1, 80), (math.inf, 100)))
    }


def test_slower_than_an_edge_is_what_is_not_at_or_below_it():
    counted = of_predictor(PREDICTOR)["m-1"]
    assert counted.slower((0.0005, 0.1)) == (99, 20)
    assert counted.slower((0.3,)) == (0,), "an edge that it has not: nothing is claimed"
    assert Traffic().slower((0.1,)) == (0,)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html>gyre_inference_seconds_bucket</html>",
        'gyre_inference_seconds_bucket{model_version="m-1",le="nonsense"} 3',
        'gyre_inference_seconds_bucket{model_version="m-1"} 3',
        'gyre_inference_requests_total{model_version="m-1",code="200"} NaN',
        'gyre_inference_requests_total{model_version="m-1",code="200"} -3',
    ],
)
def test_what_is_no_count_counts_nothing(text: str):
    assert all(counted == Traffic() for counted in of_predictor(text).values())


@given(st.text(max_size=300), st.integers(0, len(ENVOY)))
def test_no_text_is_too_strange(noise: str, cut: int):
    of_route(ENVOY[:cut] + noise, PREFIX)
    of_predictor(PREDICTOR[:cut] + noise)
