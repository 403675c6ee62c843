"""The result of a proof, and the laboratory in which it runs."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from service.database.embedded import embedded_url, stop_embedded
from tests.support.databases import copied, make_template

Figure = int | float | str


@dataclass(frozen=True, kw_only=True)
class Proof:
    """A claim, its figures, and the findings that contradict it; without such findings it holds."""

    claim: str
    figures: Mapping[str, Figure]
    against: tuple[str, ...] = ()
    titles: tuple[str, ...] = ()
    details: tuple[tuple[str, ...], ...] = ()  # rows under the titles

    @property
    def holds(self) -> bool:
        return not self.against


def silent(_words: str) -> None:
    """Discard a progress message."""


@dataclass(frozen=True, kw_only=True)
class Laboratory:
    """A PostgreSQL server with a migrated template, and the seed of every random choice."""

    server: str
    template: str
    seed: int
    tell: Callable[[str], None] = silent  # how far a long proof is

    @contextmanager
    def database(self) -> Iterator[str]:
        """Make a database, yield its URL, and drop it afterwards."""
        with copied(self.server, self.template) as url:
            yield url

    def setting(self, expression: str) -> str:
        """Return the value of an SQL expression on the server."""
        engine = create_engine(self.server, poolclass=NullPool)
        with engine.connect() as connection:
            return str(connection.execute(text(f"SELECT {expression}")).scalar_one())


@contextmanager
def laboratory(seed: int) -> Iterator[Laboratory]:
    """Start a separate server with PostgreSQL's default durability."""
    with TemporaryDirectory(prefix="loupe-proofs-", ignore_cleanup_errors=True) as folder:
        server = embedded_url(Path(folder))
        try:
            yield Laboratory(server=server, template=make_template(server, "proofs"), seed=seed)
        finally:
            stop_embedded(Path(folder))
