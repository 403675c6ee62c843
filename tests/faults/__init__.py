"""Real processes under faults: nothing that was acknowledged is lost, and nothing is done twice."""
