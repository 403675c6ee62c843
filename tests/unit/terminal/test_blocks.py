"""Amounts, areas, counts and tile grids on a terminal."""

import io

import pytest
from rich.console import Console, RenderableType

from service.terminal.blocks import format_area, grid_rows, money, plural, spread, tile_blocks


def shown(content: RenderableType, width: int = 120) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False, markup=False)
    console.print(content)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]  # it is the StringIO above
    return "\n".join(line.rstrip() for line in text.splitlines())


def tile(number: int, buy: tuple[int, ...] = (), status: str = "planned") -> dict[str, object]:
    return {"tile": number, "row": 0, "column": number, "status": status, "buy": list(buy)}


def test_grid_rows_place_patch_ids_column_major() -> None:
    assert grid_rows({1, 4, 15}) == [
        ". # . .",
        "# . . .",
        ". . . .",
        ". . . #",
    ]


def test_tile_blocks_follow_the_layout_of_the_scene() -> None:
    text = shown(tile_blocks([tile(0, (0,)), tile(1, (3,)), tile(2), tile(3)], columns=2))

    assert text.splitlines()[:7] == [
        "# buy   . leave",
        "",
        "tile 0     tile 1",
        "# . . .    . . . .",
        ". . . .    . . . .",
        ". . . .    . . . .",
        ". . . .    # . . .",
    ]
    assert "\n\ntile 2     tile 3\n" in text


def test_tile_blocks_mark_owned_and_ordered_patches() -> None:
    first = tile(0, (1,)) | {"owned": [1, 4], "on_order": [15]}
    text = shown(tile_blocks([first], columns=1))

    assert text.splitlines() == [
        "# buy   . leave   o owned   + on order",
        "",
        "tile 0",
        ". o . .",
        "# . . .",
        ". . . .",
        ". . . +",
    ]


def test_tile_blocks_show_no_grid_without_data() -> None:
    text = shown(tile_blocks([tile(7, status="no-data")], columns=1))

    assert "tile 7\nno data" in text
    assert ". . . ." not in text


def test_tile_blocks_show_the_first_tiles_and_count_the_rest() -> None:
    tiles = [tile(number, tuple(range(number % 3))) for number in range(1380)]

    text = shown(tile_blocks(tiles, columns=60, shown=4))

    assert "tile 3" in text
    assert "tile 4" not in text
    assert "... 1,376 more" in text
    assert "none in 460 tiles, 1 to 4 in 920 tiles" in text


def test_spread_ignores_tiles_without_data() -> None:
    tiles = [tile(0, tuple(range(16))), tile(1, status="no-data")]

    assert str(spread(tiles)) == "Patches bought: all 16 in 1 tile."


@pytest.mark.parametrize(
    ("count", "noun", "words"),
    [
        (1, "patch", "1 patch"),
        (2, "patch", "2 patches"),
        (0, "tile", "0 tiles"),
        (1380, "tile", "1,380 tiles"),
        (21, "class", "21 classes"),
    ],
)
def test_plural_agrees_with_its_count(count: int, noun: str, words: str) -> None:
    assert plural(count, noun) == words


@pytest.mark.parametrize(
    ("km2", "words"),
    [
        ("0.0342667637", "0.03427 km2"),
        (8.4, "8.400 km2"),
        ("1204.2", "1,204 km2"),
        ("0", "0 km2"),
    ],
)
def test_format_area_has_four_significant_digits(km2: str | float, words: str) -> None:
    assert format_area(km2) == words


def test_money_has_its_currency_or_is_a_dash() -> None:
    assert money({"amount": "12.50", "currency": "USD"}) == "12.50 USD"
    assert money(None) == "-"
