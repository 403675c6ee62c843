"""The hypothesis profile of `make prove-planner`: `pytest --hypothesis-profile complete`."""

from hypothesis import settings

settings.register_profile("complete", max_examples=2000, deadline=None)
