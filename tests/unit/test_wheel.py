"""The files of the wheel: everything that an installed server reads, and nothing else of the checkout."""

from pathlib import Path

from hatchling.builders.wheel import WheelBuilder

from service.database.engine import MIGRATIONS

ROOT = Path(__file__).parent.parent.parent
PACKAGES = {"loupe", "service", "models", "training", "migrations"}


def files_of_the_wheel() -> set[str]:
    builder = WheelBuilder(str(ROOT))
    data = builder.get_default_build_data()
    builder.set_build_data_defaults(data)
    with builder.config.set_build_data(data):
        return {one.distribution_path for one in builder.recurse_included_files()}


def test_wheel_has_the_migrations_that_a_server_starts_with() -> None:
    """`loupe serve` migrates its database first, also where it was installed by pip."""
    wanted = {str(path.relative_to(ROOT)) for path in MIGRATIONS.rglob("*") if path.suffix in {".py", ".sql"}}

    assert wanted
    assert wanted <= files_of_the_wheel()


def test_wheel_has_nothing_but_its_packages() -> None:
    files = files_of_the_wheel()

    assert {path.partition("/")[0] for path in files} == PACKAGES
    assert [path for path in files if "/." in path or "__pycache__" in path] == []
