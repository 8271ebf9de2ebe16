"""osdetect: Sigma rules in, alerts out, on OpenSearch, for AWS CloudTrail.

Start reading at ARCHITECTURE.md; each package's first lines say what it is for.
"""

__version__ = "0.1.0"
