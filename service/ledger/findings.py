"""Findings of an audit."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A broken rule and its subject."""

    rule: str
    subject: str
