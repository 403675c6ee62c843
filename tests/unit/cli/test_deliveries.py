"""`loupe deliver`: a folder of patches, or one patch with its place and price."""

from pathlib import Path

import pytest

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
    assert "1 file refused:\ntile-0-patch-1.tif: This patch was not ordered tile 0 patch 1" in done.stderr
    assert server.asked[1].url.path.endswith("/patches/2")


@pytest.mark.parametrize(
    "words",
    [
        [],  # nothing to deliver
        ["patch.tif", "--tile", "0"],  # which patch?
        ["patch.tif", "--folder", "somewhere"],  # both ways at once
    ],
)
def test_deliver_refuses_anything_but_a_folder_or_a_file_with_its_place(words: list[str]) -> None:
    done = loupe("deliver", ORDER_ID, *words, "--api-key", "a-key")

    assert done.exit_code == 1
    assert "Give either --folder DIR, or FILE with --tile and --patch." in done.stderr


def test_deliver_sends_the_price_with_the_patch(server: PlayedServer, tmp_path: Path) -> None:
    (tmp_path / "patch.tif").write_bytes(b"pixels")
    path = f"/v1/orders/{ORDER_ID}"
    server.routes |= {f"PUT {path}/tiles/0/patches/1": (201, {}), f"GET {path}": (200, ORDER)}

    loupe(
        "deliver", ORDER_ID, str(tmp_path / "patch.tif"), "--tile", "0", "--patch", "1",
        "--price", "1.50", "--accept-price",
    )  # fmt: skip

    assert dict(server.asked[0].url.params) == {"price": "1.50", "accept_price": "true"}
