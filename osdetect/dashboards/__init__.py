"""Dashboards for OpenSearch Dashboards: built from one description, checked, imported, and read back."""
