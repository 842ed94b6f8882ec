"""Sign-in: the check of tokens, the issuer's keys, and the challenges to requests without a valid token."""
