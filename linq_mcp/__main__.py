"""`python -m linq_mcp`: the same as the console script."""

from linq_mcp.cli import main

main()
