"""Which cells each verdict of a claim compares."""

from __future__ import annotations

from tests.support.claims import FULL_GRID, claim, grid
from zoo.claims.comparisons import ClaimComparison, ContrastSide, matched, units

CELLS = grid(**FULL_GRID)


def shape(unit: ClaimComparison) -> list[list[tuple[int, int]]]:
    """Sign and number of cells of each side of each contrast."""
    return [[(side.sign, len(side.cells)) for side in contrast] for contrast in unit.contrasts]


def test_a_contrast_for_each_model_pools_over_the_other_axes() -> None:
    found = units(claim("{compare: {reward: [box-strict, correctness]}, for_each: [model]}"), CELLS)
    assert [unit.label for unit in found] == FULL_GRID["model"]
    assert shape(found[0]) == [[(1, 3), (-1, 3)]]
    assert {cell["reward"] for cell in found[0].contrasts[0][0].cells} == {"box-strict"}
    assert {cell["model"] for cell in found[0].cells} == {"m0"}


def test_a_claim_without_for_each_has_one_verdict() -> None:
    (found,) = units(claim("compare: {data: [hard, easy]}"), CELLS)
    assert (found.label, shape(found)) == ("", [[(1, 30), (-1, 30)]])


def test_two_axes_of_for_each_make_a_verdict_for_each_pair() -> None:
    found = units(
        claim(
            "{compare: {data: [hard, easy]}, for_each: [model, reward], where: {model: [m1, m2]}}"
        ),
        CELLS,
    )
    assert [unit.label for unit in found][:3] == [
        *("m1, correctness", "m1, box-graded", "m1, box-strict"),
    ]
    assert len(found) == 6


def test_a_gain_is_over_the_base_of_the_same_cells() -> None:
    found = units(claim("{kind: gain, for_each: [model], where: {reward: correctness}}"), CELLS)
    assert len(found) == 10
    trained, base = found[0].contrasts[0]
    assert base == ContrastSide(-1, trained.cells, base=True)
    assert len(trained.cells) == 3


def test_an_ordering_has_a_contrast_a_step() -> None:
    (found,) = units(
        claim("{order: {data: [easy, medium, hard]}, where: {model: m0, reward: correctness}}"),
        CELLS,
    )
    assert shape(found) == [[(1, 1), (-1, 1)], [(1, 1), (-1, 1)]]
    assert [axis for axis, _, _ in found.pairs] == ["data", "data"]


def test_an_interaction_sets_the_first_value_against_each_other() -> None:
    said = "{compare: {reward: [box-strict, correctness]}, differs_by: model, where: "
    found = units(claim(said + "{model: [m2, m0, m1]}}"), CELLS)
    assert [unit.label for unit in found] == ["m2 against m0", "m2 against m1"]
    assert shape(found[0]) == [[(1, 3), (-1, 3), (-1, 3), (1, 3)]]
    pairs = [(axis, one.cells[0], two.cells[0]) for axis, one, two in found[0].pairs]
    assert [(axis, {k for k in one if one[k] != two[k]}) for axis, one, two in pairs] == [
        ("reward", {"reward"}),
        ("reward", {"reward"}),
        ("model", {"model"}),
    ]
    unnamed = units(
        claim("{compare: {reward: [box-strict, correctness]}, differs_by: data}"), CELLS
    )
    assert [unit.label for unit in unnamed] == ["easy against medium", "easy against hard"]
    each = units(claim(said + "{model: [m0, m1]}, for_each: [data]}"), CELLS)
    assert each[0].label == "easy: m0 against m1"


def test_a_crossover_has_a_contrast_for_each_k() -> None:
    (found,) = units(
        claim(
            "{kind: crossover, metric: 'eval/aime24/pass{k}/t1.0', k: [1, 8, 64], "
            "expect: {not_before: 64}, where: {model: m0, reward: correctness, data: hard}}"
        ),
        CELLS,
    )
    assert shape(found) == [[(1, 1), (-1, 1)]] * 2


def test_where_takes_patterns() -> None:
    (found,) = units(claim("{kind: gain, where: {model: ['m1', '*2'], data: 'h*'}}"), CELLS)
    assert {(cell["model"], cell["data"]) for cell in found.cells} == {
        ("m1", "hard"),
        ("m2", "hard"),
    }


def test_cells_are_paired_by_the_axes_that_stay() -> None:
    hard = [cell for cell in CELLS if cell["data"] == "hard"]
    easy = [cell for cell in reversed(CELLS) if cell["data"] == "easy"]
    found = matched("data", hard, easy)
    assert len(found.pairs) == 30
    assert not found.lonely
    assert all(a | {"data": "easy"} == b for a, b in found.pairs)
    lacking = matched("data", hard, easy[1:])
    assert lacking.lonely == [easy[0] | {"data": "hard"}]


def test_an_axis_that_moves_with_the_compared_one_is_named() -> None:
    zipped = [
        {"model": "weak", "data": "easy", "reward": reward} for reward in ("correctness", "graded")
    ] + [{"model": "strong", "data": "hard", "reward": "correctness"}]
    weak, strong = zipped[:2], zipped[2:]
    found = matched("model", weak, strong)
    assert found.moving == ["data"]
    assert found.pairs == [(weak[0], strong[0])]
    assert found.lonely == [weak[1]]
    assert matched("model", [], strong).moving == []
