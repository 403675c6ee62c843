"""What a terminal shows of plans, orders, labels and money."""

import io

import pytest
from rich.console import Console, RenderableType

from service.terminal.blocks import area, grid_rows, money, plural, spread, tile_blocks


def shown(content: RenderableType, width: int = 120) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False, markup=False)
    console.print(content)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]  # it is the StringIO above
    return "\n".join(line.rstrip() for line in text.splitlines())


def tile(number: int, buy: tuple[int, ...] = (), status: str = "planned") -> dict[str, object]:
    return {"tile": number, "row": 0, "column": number, "status": status, "buy": list(buy)}


def test_patch_ids_run_down_the_columns() -> None:
    assert grid_rows({1, 4, 15}) == [
        ". # . .",
        "# . . .",
        ". . . .",
        ". . . #",
    ]


def test_tiles_stand_as_they_lie_in_the_scene() -> None:
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


def test_a_tile_without_data_shows_no_grid() -> None:
    text = shown(tile_blocks([tile(7, status="no-data")], columns=1))

    assert "tile 7\nno data" in text
    assert ". . . ." not in text


def test_many_tiles_are_cut_short_and_counted() -> None:
    tiles = [tile(number, tuple(range(number % 3))) for number in range(1380)]

    text = shown(tile_blocks(tiles, columns=60, shown=4))

    assert "tile 3" in text
    assert "tile 4" not in text
    assert "... 1,376 more" in text
    assert "none in 460 tiles, 1 to 4 in 920 tiles" in text


def test_the_spread_leaves_out_tiles_without_data() -> None:
    tiles = [tile(0, tuple(range(16))), tile(1, status="no-data")]

    assert str(spread(tiles)) == "Patches bought: all 16 in 1 tile."


@pytest.mark.parametrize(
    ("count", "noun", "words"),
    [
        (1, "patch", "1 patch"),
        (2, "patch", "2 patches"),
        (0, "tile", "0 tiles"),
        (1380, "tile", "1,380 tiles"),
    ],
)
def test_counts_are_written_as_people_say_them(count: int, noun: str, words: str) -> None:
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
def test_areas_have_four_digits(km2: str | float, words: str) -> None:
    assert area(km2) == words


def test_money_names_its_currency_and_absent_money_is_a_dash() -> None:
    assert money({"amount": "12.50", "currency": "USD"}) == "12.50 USD"
    assert money(None) == "-"
