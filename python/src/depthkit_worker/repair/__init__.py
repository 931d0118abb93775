"""Putting something cheap where units were removed, and winning back what was lost.

`repair.py`, `stream_updates.py` and `weight_changes.py` say what a repair is; there is one file per method
that makes repairs, and what methods share.
"""
