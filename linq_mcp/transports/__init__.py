"""How clients reach the server: stdio, or Streamable HTTP."""
