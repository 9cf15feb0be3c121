"""Python's asyncio, with streams: a coroutine for each connection.

It uses streams and not a Protocol, because asyncio's own documentation uses them for a server, and
so do most programs. A Protocol needs no coroutines, but then it has to handle the lines, the end
and the backpressure itself, and what remains is the loop of python_selectors.py.

When no descriptor is left, asyncio stops watching the listener for a second, but (in 3.11) only
after it has called accept as many times as the backlog is long.

Left out: idle time-outs, the console, the counters, and a stop that sends the pending replies:
SIGINT and SIGTERM just end it.

    python3 python_asyncio.py 8686
"""

import asyncio
import resource
import sys

REQUEST_MAX = 1024
REPLY = b"Hello from server!\n"
TOO_LONG = b"Request too long!\n"
BACKLOG = 1024  # as in the servers of the workspace


async def converse(reader, writer):
    try:
        while len(await reader.readuntil(b"\n")) <= REQUEST_MAX:
            writer.write(REPLY)
            await writer.drain()  # waits while the client does not read its replies
    except asyncio.IncompleteReadError as end:
        if end.partial:
            writer.write(REPLY)
        return
    except asyncio.LimitOverrunError:
        pass  # more bytes than a request may have, without an LF
    writer.write(TOO_LONG)
    writer.write_eof()
    # Closing with unread bytes would reset the connection, and that line could be lost.
    while await reader.read(4096):
        pass


async def serve_one(reader, writer):
    try:
        await converse(reader, writer)
    except OSError:
        pass  # the client has closed, which doesn't affect the others
    finally:
        writer.close()  # once everything is sent


async def main(port):
    # The limit doesn't include the LF: a line with one byte more gets through, and `converse`
    # checks its length.
    server = await asyncio.start_server(
        serve_one, "127.0.0.1", port, limit=REQUEST_MAX, backlog=BACKLOG
    )
    async with server:
        await server.serve_forever()


_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
asyncio.run(main(int(sys.argv[1])))
