"""The scale from reflectance to 8-bit colours, shared by training and serving so that they cannot differ."""

WHITE_REFLECTANCE = 0.3558
"""Reflectance that becomes 255, as in ESA's true-colour image, where it is DN 3558 of reflectance x 10,000.

Source: Sentinel-2 Products Specification Document, S2-PDGS-TAS-DI-PSD, TCI of Level-1C.
"""
QUANTIFICATION = 1e-4
"""Reflectance of one digital number in Sentinel-2 L1C and L2A products."""
