"""All lines of the demo account."""

from linq_mcp.demo.lines import LINES_BY_NAME

LINES = tuple(LINES_BY_NAME.values())
