"""linq-mcp: a Model Context Protocol server over a Linq account's conversations."""

__version__ = "0.1.0"
