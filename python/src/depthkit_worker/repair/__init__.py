"""Putting something cheap where units were removed, and winning back what was lost: one file a method."""
