"""Values that every answer is made of: documents with typed fields, money, links and warnings.

Fields have the names of the API. A field that this version does not know is in `Answer.document`.
"""

from decimal import Decimal
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError

from loupe.problems import AnswerError

Json = dict[str, Any]
"""A JSON object as it came."""


class Part(BaseModel):
    """A part of an answer. It cannot be changed, and ignores fields that it does not know."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class Answer(Part):
    """A whole answer of the server, with the document that it was read from."""

    _document: Json = PrivateAttr(default_factory=dict)

    @property
    def document(self) -> Json:
        """JSON document of the answer, with every field that the server sent."""
        return self._document

    @classmethod
    def read(cls, document: Json) -> Self:
        """Return the answer that a JSON document states. AnswerError if a field is missing or wrong."""
        try:
            answer = cls.model_validate(document)
        except ValidationError as error:
            fault = error.errors()[0]
            place = ".".join(str(step) for step in fault["loc"])
            raise AnswerError(
                f"The server's answer cannot be read as {cls.__name__}: {place}: {fault['msg']}. "
                "Client and server may be of different versions."
            ) from error
        answer._document = document
        return answer


class Money(Part):
    """An amount in major units, with exactly the currency's decimals."""

    amount: Decimal
    """Amount in major units."""
    currency: str
    """Currency code (ISO 4217)."""

    @classmethod
    def of(cls, amount: str | Decimal, currency: str) -> "Money":
        """Return an amount to send, such as `Money.of("500.00", "USD")`."""
        return Money(amount=Decimal(amount), currency=currency)

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"


class Link(Part):
    """A typed link."""

    rel: str
    """Relation of the target to the document (RFC 8288)."""
    href: str
    """Address of the target, relative to the server's root."""
    type: str | None = None
    """Media type of the target."""
    title: str | None = None
    """Name of the target."""


class WarningNote(Part):
    """A warning about something that was carried out all the same."""

    code: str
    """Kind of the warning."""
    detail: str
    """The warning as a sentence, with what to do."""
    figures: Json | None = None
    """Numbers that led to the warning."""
