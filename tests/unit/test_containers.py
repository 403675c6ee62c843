"""The Compose file and the image: limits, rights and networks of the containers, as docs/security.md says."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
CONTAINERS: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = sorted(name for name, container in CONTAINERS.items() if "build" in container)
IMAGE = (ROOT / "docker" / "Dockerfile").read_text()
VARIABLE = re.compile(r"\$\{(\w+)(:[-?])?")
FIXED = r"[\w./-]+:\d[\w.-]*"
"""An image with a tag that begins with a version."""


def test_every_container_is_of_the_image_or_the_database() -> None:
    assert set(CONTAINERS) == {"database", *OURS}
    assert OURS == ["grant", "migrate", "service"]


@pytest.mark.parametrize("name", CONTAINERS)
def test_container_has_limits_and_gets_no_new_privileges(name: str) -> None:
    container = CONTAINERS[name]

    assert re.fullmatch(r"(\$\{LOUPE_MEMORY:-)?\d+g\}?", container["mem_limit"])
    assert container["pids_limit"] <= 256
    assert container["security_opt"] == ["no-new-privileges:true"]
    assert not container.keys() & {"privileged", "cap_add", "devices", "pid", "ipc", "network_mode", "user"}


@pytest.mark.parametrize("name", OURS)
def test_container_of_the_image_writes_nowhere_but_its_state_and_tmp(name: str) -> None:
    container = CONTAINERS[name]

    assert (container["read_only"], container["cap_drop"]) == (True, ["ALL"])
    assert re.search(r"^/tmp:size=\d+[mg],", " ".join(container["tmpfs"]))
    assert container.get("volumes", []) == (["state:/var/lib/loupe"] if name == "service" else [])


def test_only_the_service_is_reached_and_from_this_machine() -> None:
    published = {name: container["ports"] for name, container in CONTAINERS.items() if "ports" in container}

    assert published == {"service": ["127.0.0.1:${LOUPE_PORT:-8000}:8000"]}


def test_networks_lead_nowhere() -> None:
    networks = {name: container["networks"] for name, container in CONTAINERS.items()}

    assert networks.pop("service") == ["front", "books"]
    assert set(map(tuple, networks.values())) == {("books",)}
    assert COMPOSE["networks"]["books"] == {"internal": True}
    masquerade = "com.docker.network.bridge.enable_ip_masquerade"
    assert COMPOSE["networks"]["front"] == {"driver_opts": {masquerade: "false"}}


def test_service_serves_as_the_role_that_owns_nothing() -> None:
    own = CONTAINERS["service"]["environment"]

    assert own["LOUPE_DATABASE_URL"].startswith("postgresql://loupe_server:")
    assert own["LOUPE_ROLE_CHECK"] == "refuse"
    assert "POSTGRES_PASSWORD" not in str(own)


def test_secrets_have_no_default() -> None:
    secrets = {"LOUPE_API_KEY", "LOUPE_SERVER_PASSWORD", "POSTGRES_PASSWORD"}
    used = set(VARIABLE.findall((ROOT / "docker-compose.yml").read_text()))

    assert {name for name, rest in used if rest == ":?"} == secrets
    assert {name for name, rest in used if rest != ":?"} & secrets == set()


def test_example_of_the_settings_has_every_variable() -> None:
    used = {name for name, _ in VARIABLE.findall((ROOT / "docker-compose.yml").read_text())}

    assert {name for name in used if name not in (ROOT / ".env.example").read_text()} == set()


def test_gpu_is_added_to_the_service_only() -> None:
    added = yaml.safe_load((ROOT / "docker" / "compose.gpu.yml").read_text())

    assert (list(added), list(added["services"])) == (["services"], ["service"])
    assert set(added["services"]["service"]) == {"environment", "deploy"}


def test_images_are_of_a_fixed_version() -> None:
    bases = re.findall(r"^FROM (\S+)", IMAGE, re.MULTILINE)

    assert len(set(bases)) == 1
    assert all(re.fullmatch(FIXED, image) for image in (*bases, CONTAINERS["database"]["image"]))


def test_image_installs_pinned_libraries_and_does_not_run_as_root() -> None:
    assert "pip install --no-cache-dir --require-hashes -r requirements/service.lock" in IMAGE
    assert IMAGE.index("\nUSER loupe\n") < IMAGE.index("\nENTRYPOINT ")
    assert "USER root" not in IMAGE


def test_image_copies_what_is_there_and_neither_training_nor_tests() -> None:
    copied = re.findall(r"^COPY (?!--from)(\S+) \S+$", IMAGE, re.MULTILINE)

    assert [path for path in copied if not (ROOT / path).exists()] == []
    assert set(copied) == {"requirements/service.lock", "models", "loupe", "service", "migrations"}
