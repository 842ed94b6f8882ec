"""MCP, and nothing about Linq's wire."""
