"""Data sets as they lie on disk, read into images at the two resolutions of a recipe."""
