"""`loupe deliver`: files for any patches, a folder of patches, or one patch with its place and price."""

import json
from pathlib import Path

import pytest

from tests.support.bundles import usd
from tests.support.command_line import ORDER, ORDER_ID, PlayedServer, loupe


def test_deliver_folder_reads_tile_and_patch_from_file_names(server: PlayedServer, tmp_path: Path) -> None:
    for name in ("tile-0-patch-5.tif", "tile-12-patch-15.TIFF", "notes.txt"):
        (tmp_path / name).write_bytes(name.encode())
    path = f"/v1/orders/{ORDER_ID}"
    server.routes |= {
        f"PUT {path}/tiles/0/patches/5": (201, {}),
        f"PUT {path}/tiles/12/patches/15": (200, {}),
        f"GET {path}": (200, ORDER),
    }

    done = loupe("deliver", ORDER_ID, "--folder", str(tmp_path))

    assert done.exit_code == 0
    assert [request.content for request in server.asked[:2]] == [
        b"tile-0-patch-5.tif",
        b"tile-12-patch-15.TIFF",
    ]


def test_deliver_folder_continues_after_a_refused_file(server: PlayedServer, tmp_path: Path) -> None:
    for patch in (1, 2):
        (tmp_path / f"tile-0-patch-{patch}.tif").write_bytes(b"pixels")
    path = f"/v1/orders/{ORDER_ID}"
    problem = {"title": "This patch was not ordered", "detail": "tile 0 patch 1"}
    server.routes |= {
        f"PUT {path}/tiles/0/patches/1": (409, problem),
        f"PUT {path}/tiles/0/patches/2": (201, {}),
        f"GET {path}": (200, ORDER),
    }

    done = loupe("deliver", ORDER_ID, "--folder", str(tmp_path))

    assert done.exit_code == 1
    assert "1 file refused:\ntile-0-patch-1.tif: This patch was not ordered: tile 0 patch 1" in done.stderr
    assert server.asked[1].url.path.endswith("/patches/2")


@pytest.mark.parametrize(
    "words",
    [
        [],  # nothing to deliver
        ["patch.tif", "--tile", "0"],  # which patch?
        ["patch.tif", "--folder", "somewhere"],  # both ways at once
        ["a.tif", "b.tif", "--tile", "0", "--patch", "1"],  # two files for one patch
    ],
)
def test_deliver_refuses_incomplete_and_contradictory_words(words: list[str]) -> None:
    done = loupe("deliver", ORDER_ID, *words, "--api-key", "a-key")

    assert done.exit_code == 1
    assert "Give FILEs, or one FILE with both --tile and --patch" in done.stderr


def test_deliver_sends_the_price_with_the_patch(server: PlayedServer, tmp_path: Path) -> None:
    (tmp_path / "patch.tif").write_bytes(b"pixels")
    path = f"/v1/orders/{ORDER_ID}"
    server.routes |= {f"PUT {path}/tiles/0/patches/1": (201, {}), f"GET {path}": (200, ORDER)}

    loupe(
        "deliver", ORDER_ID, str(tmp_path / "patch.tif"), "--tile", "0", "--patch", "1",
        "--price", "1.50", "--accept-price",
    )  # fmt: skip

    assert dict(server.asked[0].url.params) == {"price": "1.50", "accept_price": "true"}


def test_deliver_accepts_late_patches_on_request(server: PlayedServer, files: list[str]) -> None:
    path = f"/v1/orders/{ORDER_ID}"
    server.routes |= {f"PUT {path}/deliveries": (201, ANSWER), f"GET {path}": (200, ORDER)}

    assert loupe("deliver", ORDER_ID, files[0], "--late").exit_code == 0
    assert dict(server.asked[0].url.params) == {"accept_late": "true"}


COUNTS = {"settled": 2, "superseded": 0, "already_delivered": 0, "not_covered": 0, "refused": 0, "left": 0}
ANSWER = {"counts": COUNTS, "settled": usd("0.16"), "patches": [], "files": [{"size": 6, "use": "used"}]}


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Write a GeoTIFF and an archive with names of their own."""
    for name in ("mosaic of May.tif", "order.zip"):
        (tmp_path / name).write_bytes(name.encode())
    return [str(tmp_path / "mosaic of May.tif"), str(tmp_path / "order.zip")]


def test_deliver_sends_files_of_any_name_and_prints_what_each_delivered(
    server: PlayedServer, files: list[str]
) -> None:
    path = f"/v1/orders/{ORDER_ID}"
    server.routes |= {f"PUT {path}/deliveries": (201, ANSWER), f"GET {path}": (200, ORDER)}

    done = loupe("deliver", ORDER_ID, *files, "--bands", "3,2,1", "--accept-unlike")

    assert done.exit_code == 0, done.output
    assert [request.content for request in server.asked[:2]] == [b"mosaic of May.tif", b"order.zip"]
    assert server.asked[0].headers["content-length"] == "17"
    assert dict(server.asked[0].url.params) == {"bands": "3,2,1", "accept_unlike": "true"}
    assert "mosaic of May.tif" in done.stdout
    assert "0.16 USD" in done.stdout


def test_deliver_exits_with_1_and_names_what_was_refused(server: PlayedServer, files: list[str]) -> None:
    path = f"/v1/orders/{ORDER_ID}"
    refused = {"tile": 0, "patch": 5, "outcome": "refused", "problem": {"detail": "It is black."}}
    partly = {"tile": 0, "patch": 6, "outcome": "not-covered", "covered": 0.5}
    answer = ANSWER | {"counts": COUNTS | {"refused": 1, "not_covered": 1}, "patches": [refused, partly]}
    server.routes |= {f"PUT {path}/deliveries": (201, answer), f"GET {path}": (200, ORDER)}

    done = loupe("deliver", ORDER_ID, files[0])

    assert done.exit_code == 1
    assert "Patch 5 of tile 0 was refused. It is black." in done.stdout
    assert "Patch 6 of tile 0 is covered by 50.0% so far. The part is kept" in done.stdout
    assert "1 patch refused" in done.stderr


def test_deliver_prints_a_warning_of_many_patches_once(server: PlayedServer, files: list[str]) -> None:
    path = f"/v1/orders/{ORDER_ID}"
    warned = [
        {"tile": 3, "patch": patch, "outcome": "settled",
         "warnings": [{"code": "patch-flat", "detail": f"Patch number {patch} is flat."}]}
        for patch in range(3)
    ]  # fmt: skip
    answer = ANSWER | {"counts": COUNTS | {"untouched": 4}, "patches": warned}
    server.routes |= {f"PUT {path}/deliveries": (201, answer), f"GET {path}": (200, ORDER)}

    said = " ".join(loupe("deliver", ORDER_ID, files[0]).stdout.split())

    assert "Warning: Patch 0 of tile 3: Patch number 0 is flat. The same kind for 2 more patches" in said
    assert "(tile/patch 3/1, 3/2)" in said
    assert "Patch number 1" not in said
    assert "4 awaited patches of the order outside this file." in said


def test_deliver_prints_json_and_exits_with_1_for_a_refused_file(
    server: PlayedServer, files: list[str]
) -> None:
    path = f"/v1/orders/{ORDER_ID}"
    problem = {"type": "/problems/no-patch-covered", "title": "Nothing", "detail": "It lies elsewhere."}
    server.routes |= {f"PUT {path}/deliveries": (409, problem), f"GET {path}": (200, ORDER)}

    done = loupe("deliver", ORDER_ID, files[1], "--json")

    assert done.exit_code == 1
    assert json.loads(done.stdout)["files"] == [
        {"file": "order.zip", "problem": problem, "error": "Nothing: It lies elsewhere."}
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["no-such.tif"], "There is no file no-such.tif."),
        (["--price", "1.00"], "--price applies to one patch"),
    ],
)
def test_deliver_refuses_missing_files_and_prices_of_files(
    files: list[str], words: list[str], said: str
) -> None:
    given = words if words[0].endswith(".tif") else [files[0], *words]

    done = loupe("deliver", ORDER_ID, *given, "--api-key", "a-key")

    assert done.exit_code == 1
    assert said in done.stderr
