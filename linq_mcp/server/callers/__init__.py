"""Whose key a call uses, and their connections to Linq."""
