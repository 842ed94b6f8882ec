"""An embedded Linq account and the HTTP API that serves it, for trying the server without a key."""
