"""The MCP server: agents' questions → hosts → text within a token budget.

    client ─▶ SDK (stdio or HTTP) ─▶ server ─▶ desk (arguments → hosts → text) ─▶ Host

Roots are those that the server was started with; nothing outside them is read, and what is read comes from the index.
"""
