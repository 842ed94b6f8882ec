"""The board in a browser: a small MCP Apps host on the loopback interface."""
