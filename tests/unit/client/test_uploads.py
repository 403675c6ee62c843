"""Bodies of uploads: bytes and files, with their progress."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from loupe import calls
from loupe.bodies import PART
from tests.support.played_api import PlayedApi

Run = Callable[..., Any]
DONE = httpx.Response(201, json={"id": "it"})
LOST = httpx.WriteError("Broken pipe")


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    path = tmp_path / "scene.tif"
    path.write_bytes(bytes(range(256)) * (10 * 1024))  # 2.5 parts
    return path


@pytest.mark.parametrize("form", [str, Path, lambda path: path.read_bytes()], ids=["str", "Path", "bytes"])
def test_file_is_sent_whole_with_its_length(run: Run, scene: Path, form: Callable[[Path], Any]) -> None:
    played = PlayedApi([DONE])

    run(played, lambda: calls.plan(form(scene)))

    (request,) = played.asked
    assert played.bodies == [scene.read_bytes()]
    assert request.headers["Content-Length"] == str(5 * PART // 2)
    assert "Transfer-Encoding" not in request.headers
    assert request.headers["Content-Type"] == "image/tiff"


def test_progress_counts_bytes_up_to_the_size(run: Run, scene: Path) -> None:
    seen: list[tuple[int, int]] = []

    run(PlayedApi([DONE]), lambda: calls.deliver("o", scene, lambda done, size: seen.append((done, size))))

    size = 5 * PART // 2
    assert seen == [(PART, size), (2 * PART, size), (size, size)]


def test_repeated_upload_begins_again_at_the_first_byte(run: Run, scene: Path) -> None:
    seen: list[int] = []
    played = PlayedApi([LOST, DONE])

    run(played, lambda: calls.deliver_patch("o", 0, 3, scene, lambda done, _size: seen.append(done)))

    assert played.bodies == [scene.read_bytes()] * 2
    assert seen == sorted(seen[:3]) * 2
    assert played.asked[1].url.path == "/v1/orders/o/tiles/0/patches/3"


def test_empty_file_is_sent_as_such(run: Run) -> None:
    played = PlayedApi([DONE])

    run(played, lambda: calls.plan(b""))

    assert played.bodies == [b""]
    assert played.asked[0].headers["Content-Length"] == "0"


def test_missing_file_is_named_before_anything_is_sent(run: Run, tmp_path: Path) -> None:
    played = PlayedApi([DONE])

    with pytest.raises(FileNotFoundError, match=r"no\.tif"):
        run(played, lambda: calls.plan(tmp_path / "no.tif"))
    assert played.asked == []


def test_options_are_sent_under_the_names_of_the_api(run: Run) -> None:
    played = PlayedApi([DONE])

    run(
        played,
        lambda: calls.plan(
            b"scene", cost_weight=2.5, tags={"team": "north", "site": "a=b"}, task=None, max_patches=0
        ),
    )

    assert sorted(played.asked[0].url.params.multi_items()) == [
        ("lambda", "2.5"),
        ("max_patches", "0"),
        ("tag", "site=a=b"),
        ("tag", "team=north"),
    ]
