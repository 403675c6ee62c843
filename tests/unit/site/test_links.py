"""Links between pages, which work in the repository and on the site."""

import pytest

from docs.site.repository import with_links_of_the_site


@pytest.mark.parametrize(
    ("place", "written", "shown"),
    [
        ("index.md", "[a](docs/ledger.md#savings)", "[a](ledger.md#savings)"),
        ("index.md", "![a](docs/results/plot.png)", "![a](results/plot.png)"),
        ("ledger.md", "[a](../README.md#use-it)", "[a](index.md#use-it)"),
        ("how-to/back-up.md", "[a](../../training/README.md)", "[a](../training.md)"),
        ("bundles/starter.md", "[a](../../../docs/results.md)", "[a](../results.md)"),
        ("security.md", "[a](../.env.example)", "[a](reference/settings.md)"),
        ("architecture.md", "[a](decisions/)", "[a](decisions/index.md)"),
        ("ledger.md", "[a](#savings)", "[a](#savings)"),
        ("ledger.md", "[a](https://focus.finops.org)", "[a](https://focus.finops.org)"),
        ("ledger.md", "[a](../pyproject.toml)", "a"),  # a file without a page
        ("ledger.md", "[a](../nothing.py)", "[a](../nothing.py)"),  # the strict build refuses it
        ("ledger.md", "```\n[a](../README.md)\n```", "```\n[a](../README.md)\n```"),
    ],
)
def test_link_to_a_file_of_the_repository_leads_to_its_page(place: str, written: str, shown: str) -> None:
    assert with_links_of_the_site(written, place) == shown
