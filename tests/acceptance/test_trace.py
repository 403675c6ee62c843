"""`loupe trace`, with a key and the public API only, against a real server."""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from service.cli.proofs import hash_proof, plan_proofs, report_proof
from tests.support.server import ServerProcess, make_mosaic, running_server
from tests.support.shell import UUID, Shell

MOSAIC = make_mosaic()
PATCHES = 3
NOBODY = "00000000-0000-4000-8000-000000000000"
PRICES = """name,provider,product,gsd_m,currency,price_per_km2
acme,Acme,50 cm archive,0.5,USD,2500
"""  # about a dollar for a patch of 20 x 20 m
Json = dict[str, Any]


@pytest.fixture(scope="module")
def server(bundle_folder: Path) -> Iterator[ServerProcess]:
    with running_server(bundle_folder) as process:
        yield process
        assert process.query("SELECT * FROM ledger.violations") == []
        assert process.stop() == 0


@pytest.fixture(scope="module")
def shell(server: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    return Shell(server, tmp_path_factory.mktemp("shell"))


@pytest.fixture(scope="module")
def bought(shell: Shell) -> Json:
    """Order and deliver a whole plan; return it with the digests of the files sent."""
    scene = MOSAIC.scene(8)
    (shell.folder / "scene.tif").write_bytes(scene)
    (shell.folder / "prices.csv").write_text(PRICES)
    shell.loupe("prices", "import", "prices.csv")
    shell.loupe("budget", "create", "harvest", "5", "USD")
    options = ("--price-list", "acme", "--max-patches", str(PATCHES), "--json")
    plan = json.loads(shell.loupe("plan", "scene.tif", *options))
    order = UUID.findall(shell.loupe("order", plan["id"], "--yes"))[0]
    places = [(one["tile"], patch) for one in plan["tiles"] for patch in one["buy"]]
    files = {place: MOSAIC.patch(*place) for place in places}
    for (tile, patch), content in files.items():
        (shell.folder / f"tile-{tile}-patch-{patch}.tif").write_bytes(content)
    shell.loupe("deliver", order, "--folder", ".")
    sent = {place: hashlib.sha256(content).hexdigest() for place, content in files.items()}
    return {"plan": plan, "order": order, "sent": sent, "scene": hashlib.sha256(scene).hexdigest()}


@pytest.fixture(scope="module")
def traced(shell: Shell, bought: Json) -> Json:
    """Trace the whole order as JSON."""
    document: Json = json.loads(shell.loupe("trace", bought["order"], "--json"))
    return document


def test_trace_follows_a_payment_from_the_report_to_the_scene(shell: Shell, bought: Json) -> None:
    assert shell.loupe("savings", "--orders").split().count(bought["order"]) == 1
    paid = re.search(
        r"^ *(\d+) .* settle .* delivery:(\S+)/(\d+)/(\d+) *$", shell.loupe("ledger"), re.MULTILINE
    )
    assert paid is not None
    seq, order, tile, patch = paid[1], paid[2], int(paid[3]), int(paid[4])

    shown = " ".join(shell.loupe("trace", seq).split())

    assert order == bought["order"]
    bundle = bought["plan"]["provenance"]["bundle"]
    for link in (
        f"delivery:{order}/{tile}/{patch}", f"{order} completed", bought["sent"][tile, patch],
        f"{bought['plan']['id']}: Buys 3 of 96 patches", "acme version 1",
        f"tiny 1, SHA-256 {bundle['sha256']}", bought["scene"],
    ):  # fmt: skip
        assert link in shown
    assert shown == " ".join(shell.loupe("trace", f"{order}/{tile}/{patch}").split())


def test_trace_of_an_order_recomputes_every_check(traced: Json, bought: Json) -> None:
    proved = [(proof["step"], proof["holds"]) for proof in traced["proofs"]]

    steps = ["report", *["ledger"] * (1 + PATCHES), *["delivery"] * 2 * PATCHES]
    assert proved == [(step, True) for step in (*steps, "plan", "price list", "bundle", "input")]
    assert [line["kind"] for line in traced["ledger"]] == ["reserve", *["settle"] * PATCHES]
    assert {(one["tile"], one["patch"]): one["sha256"] for one in traced["deliveries"]} == bought["sent"]
    assert traced["input"]["sha256"] == bought["scene"]


FORGED = {
    "seq": 99, "kind": "release", "amount": {"amount": "0.09", "currency": "USD"},
    "at": "2026-01-01T00:00:00Z", "reference": "delivery:another/0/0", "budget_id": NOBODY,
    "from_account_id": 9, "to_account_id": 9, "hold_id": None, "previous_hash": "00" * 32,
}  # fmt: skip


@pytest.mark.parametrize("field", FORGED)
def test_hash_proof_fails_for_any_forged_field(traced: Json, field: str) -> None:
    line = traced["ledger"][-1]

    assert hash_proof(line)["holds"]
    assert not hash_proof(line | {field: FORGED[field]})["holds"]


def test_report_proof_fails_when_the_ledger_has_another_sum(traced: Json) -> None:
    assert not report_proof(traced["report"], traced["ledger"][:-1])["holds"]


@pytest.mark.parametrize("figure", ["cost", "baseline"])
def test_plan_proofs_fail_for_a_forged_figure_or_term(traced: Json, figure: str) -> None:
    forged = traced["bill"] | {figure: {"amount": "0.01", "currency": "USD"}}
    dearer = traced["bill"] | {"terms": traced["bill"]["terms"] | {"price_per_km2": "2600"}}

    assert [one["holds"] for one in plan_proofs(forged, traced["price_list"])] == [False, True]
    assert [one["holds"] for one in plan_proofs(dearer, traced["price_list"])] == [False, False]


def test_trace_of_a_transfer_without_order_ends_at_its_budget(shell: Shell, bought: Json) -> None:
    assert bought
    shown = shell.loupe("trace", "1")

    assert shown.startswith("5.00 USD: fund of budget harvest, which belongs to no order")
    assert "holds: the hash of transfer 1 recomputes" in shown


@pytest.mark.parametrize(
    ("what", "code", "reason"),
    [
        ("nonsense", 1, '"nonsense" cannot be traced'),
        ("9999", 3, "There is no transfer 9999"),
        (NOBODY, 3, "There is no transfer 0000"),
    ],
)
def test_trace_refuses_an_unknown_subject(shell: Shell, what: str, code: int, reason: str) -> None:
    done = shell.run("trace", what)

    assert (done.returncode, done.stdout) == (code, "")
    assert reason in done.stderr


def test_trace_stops_at_a_damaged_scene_file(server: ServerProcess, shell: Shell, bought: Json) -> None:
    (blob,) = (server.home / "blobs").rglob(bought["scene"])
    whole = blob.read_bytes()
    blob.write_bytes(whole[:-1] + b"?")

    done = shell.run("trace", bought["order"])

    blob.write_bytes(whole)
    assert done.returncode == 1
    assert "A stored file is damaged" in done.stderr


def test_trace_holds_after_the_pixels_were_deleted(shell: Shell, bought: Json) -> None:
    shell.loupe("pixels", "delete", "--order", bought["order"], "--yes")
    shell.loupe("pixels", "delete", "--plan", bought["plan"]["id"], "--yes")
    traced = json.loads(shell.loupe("trace", bought["order"], "--json"))
    deleted = [proof for proof in traced["proofs"] if proof["holds"] is None]

    assert all(proof["holds"] is not False for proof in traced["proofs"])
    assert {proof["step"] for proof in deleted} == {"delivery", "input"}
    assert len(deleted) == PATCHES + 1
    assert "deleted: the stored scene had this SHA-256" in shell.loupe("trace", bought["order"])
    assert "every rule holds" in shell.loupe("ledger", "verify", "--files")
