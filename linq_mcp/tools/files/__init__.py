"""Showing a model the file of a message."""
