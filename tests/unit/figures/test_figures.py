"""Drawing: the same numbers give the same SVG and PDF, whatever texts they come with."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from zoo.figures.layout import Figure, Key, Panel, composed, in_rows, panel_width
from zoo.figures.pdf import pdf
from zoo.figures.plots import Curve, ForestRow, axis, curves, forest, nice_ticks
from zoo.figures.scene import PALETTE, colour_of, shape_of
from zoo.figures.svg import document, inline

HOSTILE = '<script>alert(1)</script> & " $x^2$ \x00\x1b \ud800 漢'


def figure(name: str = "arm") -> Figure:
    x, y = axis("round", [0, 20]), axis("accuracy (%)", [3, 61])
    points = ((0, 10.0), (10, 40.0), (20, 60.0))
    band = tuple((at, value - 5, value + 1) for at, value in points)
    lines = [Curve(0, points, band), Curve(1, ((0, 3.0), (7, 5.0)), faint=True, cut=True)]
    scene = curves(lines, x, y, size=(panel_width(3), 118), made_up=True)
    panels = [Panel(f"{name} {i}", scene) for i in range(5)]
    keys = (Key(name, 0), Key("other", 1, dashed=True))
    return Figure("f", "Title", "Caption.", in_rows(panels, 3), keys, ())


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [
        (0, 61, ["0", "20", "40", "60"]),
        (0, 1.05, ["0.0", "0.5", "1.0"]),
        (-0.013, 0.011, ["−0.010", "−0.005", "0.000", "0.005", "0.010"]),
        (0, 8192, ["0", "2,500", "5,000", "7,500"]),
    ],
)
def test_ticks_are_round_numbers_within_the_axis(low: float, high: float, texts: list[str]) -> None:
    assert [text for _, text in nice_ticks(low, high, 4 if high != 0.011 else 6)] == texts


@pytest.mark.parametrize("values", [[], [0.0], [5.0], [-3.0, -3.0], [0.0, 1e-9], [1e12]])
def test_axis_of_any_values_has_a_length_and_holds_them(values: list[float]) -> None:
    found = axis("x", values)
    assert found.low < found.high
    assert all(found.low <= value <= found.high for value in values)


def test_arms_differ_in_colour_or_mark() -> None:
    looks = {(colour_of(i), shape_of(i)) for i in range(5 * len(PALETTE))}
    assert len(looks) == 5 * len(PALETTE)


def test_svg_holds_hostile_texts_as_text() -> None:
    scene = composed(figure(HOSTILE))
    root = ET.fromstring(document(scene, HOSTILE))
    tags = {element.tag.rsplit("}", 1)[-1] for element in root.iter()}
    assert tags <= {"svg", "title", "rect", "path", "circle", "text"}
    assert any("<script>alert(1)</script>" in (element.text or "") for element in root.iter())


def test_inline_svg_takes_its_ink_from_the_page_and_has_no_ids() -> None:
    found = inline(composed(figure()), "what it shows")
    ET.fromstring(found)
    assert "currentColor" in found
    assert not re.search(r"\bid=|href|url\(|<style|xmlns", found)


def test_pdf_embeds_truetype_and_is_the_same_every_time() -> None:
    scene = composed(figure(HOSTILE))
    found = pdf(scene)
    assert found.startswith(b"%PDF-")
    assert b"/TrueType" in found or b"/CIDFontType2" in found
    assert b"/Type3" not in found
    assert b"CreationDate" not in found
    assert pdf(scene) == found


def test_composed_figure_holds_all_panels_within_its_page() -> None:
    scene = composed(figure())
    assert scene.width <= 504.5
    texts = [item for item in scene.items if hasattr(item, "text")]
    assert {f"arm {i}" for i in range(5)} <= {item.text for item in texts}
    assert max(item.y for item in texts) <= scene.height


def test_forest_marks_estimates_and_says_what_has_none() -> None:
    rows = [
        ForestRow("a", "+1.0 (0.5 to 1.5)", 1.0, (0.5, 1.5)),
        ForestRow("b", "none", None, None),
    ]
    scene = forest(rows, axis("difference", [0, 0.5, 1.5]), width=240)
    found = inline(scene, "effects")
    assert found.count("<circle") == 1
    assert "none" in found
