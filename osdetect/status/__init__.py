"""The operator's side: what a detector tells of itself, and what a cluster tells of the detectors.

logs.py       the log of a command that goes on
"""
