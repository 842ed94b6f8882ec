"""An embedded Linq account and the HTTP API that serves it: for first looks, for clients, for tests."""
