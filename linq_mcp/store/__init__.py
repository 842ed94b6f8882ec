"""What was read of an account, kept: under whoever reads many things, and above the API. Nothing about MCP."""
