"""Bundles that count: policies of whole scenes, counters of bought patches, and how they are measured."""
