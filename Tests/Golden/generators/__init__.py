"""The golden cases, one module per kind of operation."""
