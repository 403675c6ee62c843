"""Licences of bundles as people read them."""

import re


def licence_note(licence: str | None) -> str:
    """Return a licence, after "not for sale" if it is a non-commercial one; empty without a licence."""
    if not licence:
        return ""
    non_commercial = re.search(r"\bNC\b|non-?commercial", licence, re.IGNORECASE)
    return f"not for sale: {licence}" if non_commercial else licence
