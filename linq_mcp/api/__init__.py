"""Linq's Partner API V3, and nothing about MCP."""
