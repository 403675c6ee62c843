"""Mutated uploads: sound files that were changed at random, of which each must be read or refused."""
