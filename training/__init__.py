"""Training of bundles, and reproduction of the tables and figures of the paper."""
