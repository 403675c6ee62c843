"""The command line as a user runs it, in its own process against a real server."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.pricing.documents import CSV_EXAMPLE
from tests.support.server import ServerProcess, make_mosaic, running_server
from tests.support.shell import UUID, Shell

MOSAIC = make_mosaic()


@pytest.fixture(scope="module")
def server(bundle_folder: Path) -> Iterator[ServerProcess]:
    with running_server(bundle_folder) as process:
        yield process
        assert process.query("SELECT * FROM ledger.violations") == []
        assert process.stop() == 0


@pytest.fixture
def shell(server: ServerProcess, tmp_path: Path) -> Shell:
    (tmp_path / "scene.tif").write_bytes(MOSAIC.scene(8))
    return Shell(server, tmp_path)


def test_cli_goes_from_a_scene_to_savings(shell: Shell) -> None:
    assert 'Created budget "harvest" of 5.00 USD.' in shell.loupe("budget", "create", "harvest", "5", "USD")

    planned = shell.loupe(
        "plan", "scene.tif", "--max-patches", "5", "--geojson", "p.geojson", "--png", "p.png"
    )
    assert "Buys 5 of 96 patches" in planned
    assert sum(line.count("#") for line in planned.splitlines() if re.fullmatch(r"[#. ]+", line)) == 5
    assert (shell.folder / "p.png").read_bytes().startswith(b"\x89PNG")
    features = json.loads((shell.folder / "p.geojson").read_text())["features"]
    assert len(features) == 96

    ordered = shell.loupe("order", UUID.findall(planned)[0], "--budget", "harvest", "--yes")
    assert "accepted: 0 of 5 patches delivered" in ordered
    order = UUID.findall(ordered)[0]

    bought = [feature["properties"] for feature in features if feature["properties"]["selected"]]
    for patch in bought:
        name = f"tile-{patch['tile']}-patch-{patch['index']}.tif"
        (shell.folder / name).write_bytes(MOSAIC.patch(patch["tile"], patch["index"]))
    assert "completed: 5 of 5 patches delivered" in shell.loupe("deliver", order, "--folder", ".")
    assert "completed: 5 of 5 patches delivered" in shell.loupe("deliver", order, "--folder", ".")

    labels = shell.loupe("classify", order)
    assert "LR-only label" in labels
    assert "6 tiles:" in labels

    assert "USD: 1 order (1 completed, 0 open, 0 held, 0 cancelled), 0.02 USD spent" in shell.loupe("savings")
    assert "harvest" in shell.loupe("budget", "list")
    rows = shell.loupe("ledger", "--csv").splitlines()
    assert rows[0].startswith("seq,at,kind,")
    assert sum(",settle," in row for row in rows) == sum(",settle," in row for row in set(rows)) > 0


def test_plan_reads_a_scene_from_standard_input(shell: Shell) -> None:
    planned = shell.loupe("plan", "-", "--max-patches", "5", given="scene.tif")

    assert "Buys 5 of 96 patches" in planned


def test_plan_refusal_prints_two_lines_and_exits_with_3(shell: Shell) -> None:
    (shell.folder / "notes.tif").write_text("no raster at all")

    done = shell.run("plan", "notes.tif")

    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr.startswith("Error: ")
    assert len(done.stderr.splitlines()) == 2
    assert "Traceback" not in done.stderr


def test_keys_create_makes_a_key_that_the_running_server_accepts(server: ServerProcess, shell: Shell) -> None:
    key = shell.loupe("keys", "create", "colleague").strip()

    with server.client(key) as colleague:
        assert colleague.get("/v1/budgets")["links"]

    # The command used the database of the running server and left it running.
    assert server.query("SELECT count(*) FROM api_key WHERE name = 'colleague'") == [(1,)]


def test_db_upgrade_of_a_current_database_changes_nothing(shell: Shell) -> None:
    assert shell.loupe("db", "upgrade") == "The database is up to date.\n"


def test_prices_import_publishes_a_csv_file_once(shell: Shell) -> None:
    (shell.folder / "prices.csv").write_text(CSV_EXAMPLE)
    imported = shell.loupe("prices", "import", "prices.csv")
    assert "acme-30cm v1" in imported
    assert "19.5 EUR per km2, 17 beyond 500 km2, 15 beyond 1,000 km2" in imported
    assert "1 published, 0 unchanged." in imported
    assert "0 published, 1 unchanged." in shell.loupe("prices", "import", "prices.csv")
    listed = " ".join(shell.loupe("prices", "list").split())
    assert "at least 25 km2 per shape, one order per shape, at least 2,000 m wide" in listed

    (shell.folder / "wrong.csv").write_text(CSV_EXAMPLE.replace("EUR", "euro"))
    refused = shell.run("prices", "import", "wrong.csv")
    assert (refused.returncode, refused.stdout) == (3, "")
    assert "Row 2, currency: " in refused.stderr


def test_ledger_verify_finds_a_changed_head(shell: Shell) -> None:
    shell.loupe("budget", "create", "verified", "7", "USD")
    heads = shell.loupe("ledger", "heads")
    (shell.folder / "heads.json").write_text(heads)
    assert "every rule holds" in shell.loupe("ledger", "verify", "--noted", "heads.json")

    noted = json.loads(heads)
    noted["heads"][0]["hash"] = "00" * 32
    (shell.folder / "heads.json").write_text(json.dumps(noted))
    refused = shell.run("ledger", "verify", "--noted", "heads.json")
    assert refused.returncode == 1
    assert "C2 a noted head is found again" in refused.stdout
    assert "1 row broke a rule." in refused.stderr

    (shell.folder / "heads.json").write_text("{}")
    assert (
        "was not written by `loupe ledger heads`"
        in shell.run("ledger", "verify", "--noted", "heads.json").stderr
    )


def test_replan_replaces_the_plan_and_order_refuses_the_old_one(shell: Shell) -> None:
    old = UUID.findall(shell.loupe("plan", "scene.tif", "--max-patches", "5"))[0]
    again = shell.loupe("replan", old, "--max-patches", "2")
    assert f"Compared with plan {old}: 0 patches added, 3 dropped, 2 kept" in " ".join(again.split())
    refused = shell.run("order", old, "--yes")
    assert refused.returncode == 3
    assert "replaces this plan. Order that one." in " ".join(refused.stderr.split())
