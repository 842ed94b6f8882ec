"""Asking a person before something is sent."""
