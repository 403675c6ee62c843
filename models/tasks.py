"""The purposes that a plan can have. Apart from the networks, so that reading a plan loads none."""

from typing import Literal

Task = Literal["label", "count", "find"]
"""Purpose that a plan pays for: correct labels, correct counts, or objects in bought patches."""
