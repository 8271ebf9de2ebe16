"""The operator's side: what a detector tells of itself, and what a cluster tells of the detectors.

logs.py       the log of a command that goes on
metrics.py    its numbers for Prometheus
health.py     whether it is well, and the pages that say so
cursors.py    cursors and leases as stored
lag.py        how far each shard is behind
heartbeat.py  that passes go on, and the alert when they do not
report.py     all that `osdetect status` says
doctor.py     whether a cluster is fit for detection
"""
