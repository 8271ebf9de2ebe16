"""What a field is in an index: columns of the percolated document, types of the event mapping, ATT&CK names."""
