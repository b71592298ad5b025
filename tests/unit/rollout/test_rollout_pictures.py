"""`gyre rollout status` on a terminal, `gyre rollout plot` as a file."""

from __future__ import annotations

import io
import struct
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from rich.console import Console
from tests.unit.inferenceservice.worlds import Story
from tests.unit.rollout.test_rollout_reading import of, on_trial, rolled_back

from gyre.rollout.plot import drawn, power_of_ten, save
from gyre.rollout.view import view


def text_of(story: Story, *, later: timedelta = timedelta()) -> str:
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(view(of(story), story.now + later))
    return console.export_text()


def words_of(svg: Path) -> str:
    root = ElementTree.fromstring(svg.read_text())  # noqa: S314 - our own file
    return " ".join(" ".join(element.itertext()) for element in root.iter() if element.tag.endswith("}text"))


# ── the terminal ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_trial_shows_shares_counts_and_evidence_against_both_thresholds():
    text = text_of(on_trial())
    lines = {line.split()[1]: line for line in text.splitlines() if len(line.split()) > 2}
    assert "90%" in lines["stable"]
    assert "10%" in lines["candidate"]
    assert "delays-b" in lines["candidate"]
    assert "of 20" in lines["worse"]
    assert "of 20" in lines["fine"]
    assert "3 of 540 (0.56%)" in lines["failed"]
    assert "0 of 30 (0.00%)" in lines["failed"]
    assert "to the deadline, then Hold" in text


def test_a_bar_is_as_long_as_the_logarithm_is_near_its_threshold():
    story = on_trial()
    story.takes(a=(180, 1), b=(20, 3))
    bar = next(line for line in text_of(story).splitlines() if " worse " in line and "of 20" in line)
    judgement = of(story).judgement
    assert judgement is not None
    assert 0.2 < judgement.bad / judgement.bad_threshold < 0.9
    assert bar.count("━") == round(30 * judgement.bad / judgement.bad_threshold)
    assert bar.count("━") + bar.count("─") == 30


def test_after_the_deadline_it_says_so():
    assert "after the deadline" in text_of(on_trial(), later=timedelta(hours=2))


def test_a_rollback_shows_who_has_the_traffic_and_who_is_quarantined_and_why():
    text = text_of(rolled_back())
    assert "100%" in text
    assert "quarantined" in text
    assert "RolledBack" in text
    assert "worse " not in text.split("quarantined")[0].split("tried again")[-1], "nothing is judged any more"


def test_a_service_without_any_version_is_shown_too():
    story = Story()
    story.look()
    assert "delays-a" in text_of(story)
    assert "candidate" in text_of(story)


# ── the picture ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_png_is_large_enough_to_be_read(tmp_path: Path):
    save(drawn(of(rolled_back())), tmp_path / "evidence.png")
    head = (tmp_path / "evidence.png").read_bytes()[:24]
    width, height = struct.unpack(">II", head[16:24])
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    assert (width, height) == (1350, 1020)


def test_an_svg_names_the_verdict_the_threshold_and_both_versions(tmp_path: Path):
    save(drawn(of(rolled_back())), tmp_path / "evidence.svg")
    words = words_of(tmp_path / "evidence.svg")
    for expected in ("ml/late: delays-b rolled back after", "proof either way: 20", "stable", "candidate", "share"):
        assert expected in words


def test_the_same_rollout_is_the_same_file(tmp_path: Path):
    seen = of(rolled_back())
    for name in ("a.svg", "b.svg"):
        save(drawn(seen), tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_different_risks_have_different_thresholds():
    story = on_trial()
    story.edit(rollout={"alpha": "0.01", "beta": "0.1"})
    figure = drawn(of(story))
    said = [text.get_text() for text in figure.axes[0].texts]
    assert "proof that it is worse: 100" in said
    assert "proof that it is within the margins: 10" in said


def test_the_curves_begin_at_an_e_value_of_one_and_end_at_the_last_look():
    seen = of(on_trial())
    worse = next(line for line in drawn(seen).axes[0].lines if line.get_label() == "worse than the stable version")
    heights = list(worse.get_ydata())
    assert heights[0] == 0.0
    assert heights[-1] == pytest.approx(seen.points[-1].bad)
    assert len(heights) == len(seen.points) + 1


def test_evidence_beyond_all_bounds_runs_along_the_border_and_is_named():
    seen = of(rolled_back(b=40))
    figure = drawn(seen)
    low, high = figure.axes[0].get_ylim()
    for line in figure.axes[0].lines:
        assert all(low <= float(height) <= high for height in line.get_ydata())
    assert any("^" in text.get_text() for text in figure.axes[0].texts)


@pytest.mark.parametrize("ends", [(-0.6, -0.62), (-0.62, -0.6), (0.0, 0.0), (-30.0, -40.0), (2.0, -2.0)])
def test_the_two_last_values_never_cover_each_other(ends: tuple[float, float]):
    seen = of(on_trial())
    last = replace(seen.points[-1], bad=ends[0], good=ends[1])
    figure = drawn(replace(seen, points=(*seen.points[:-1], last)))
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    bold = [text for text in figure.axes[0].texts if text.get_fontweight() == "bold"]
    one, other = (text.get_window_extent(canvas.get_renderer()) for text in bold)
    assert not one.overlaps(other)


def test_without_a_look_there_is_nothing_to_draw():
    with pytest.raises(ValueError, match="no evidence"):
        drawn(of(Story().serving()))


def test_another_format_is_refused_with_those_that_there_are(tmp_path: Path):
    with pytest.raises(ValueError, match=r"\.png, \.svg, \.pdf"):
        save(drawn(of(on_trial())), tmp_path / "evidence.jpeg")


@pytest.mark.parametrize(
    ("log", "text"),
    [(0.0, "1"), (2.9957, "20"), (-0.9163, "0.4"), (4.7, "110"), (27.631, "$10^{12}$"), (-11.5, "$10^{-5}$")],
)
def test_e_values_are_short(log: float, text: str):
    assert power_of_ten(log) == text
