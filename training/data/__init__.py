"""Readers that turn data sets on disk into images at the two resolutions of a recipe."""
