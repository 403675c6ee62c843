"""Settings of the training tests."""

from tests.support.training import one_thread

__all__ = ["one_thread"]
