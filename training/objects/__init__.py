"""Policies that look for objects over whole scenes: training, rivals, and the table that compares them."""
