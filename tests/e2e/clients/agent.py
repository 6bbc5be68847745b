"""An agent that runs code by way of an MCP server for Jupyter: ``agent.py URL TOKEN``."""

import asyncio
import os
import sys
from pathlib import Path

from mcp import ClientSession, StdioServerParameters  # type: ignore[import-not-found]
from mcp.client.stdio import stdio_client  # type: ignore[import-not-found]


async def main(url: str, token: str) -> None:
    server = StdioServerParameters(
        command=str(Path(sys.executable).parent / "jupyter-mcp-server"),
        args=["start", "--transport", "stdio", "--jupyter-url", url, "--jupyter-token", token],
        env=dict(os.environ),
    )
    async with stdio_client(server) as streams, ClientSession(*streams) as session:
        await session.initialize()
        answer = await session.call_tool("execute_code", {"code": "6 * 7"})
        print(answer.content[0].text)


asyncio.run(main(*sys.argv[1:]))
