"""Signing in: tokens, the issuer's keys, and what a request without a valid token is answered."""
