"""Python's asyncio, with streams: a coroutine for each connection.

Streams and not a Protocol, because that is what asyncio's own documentation has for a server, and
what most of its users write. A Protocol does without coroutines; but then the lines, the end and
the backpressure are its own to look after, and what is left is the loop of python_selectors.py.

When there is no descriptor left, asyncio leaves the listener alone for a second, but (in 3.11)
not before it has tried as many times as the backlog is long.

Left out: idle time-outs, the console, the counters, and a stop that sends what is owed: SIGINT and
SIGTERM simply end it.

    python3 python_asyncio.py 8686
"""

import asyncio
import resource
import sys

REQUEST_MAX = 1024
REPLY = b"Hello from server!\n"
TOO_LONG = b"Request too long!\n"
BACKLOG = 1024  # as at the servers of the workspace


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
        pass  # more bytes than a request may have, and no LF among them
    writer.write(TOO_LONG)
    writer.write_eof()
    # To close with bytes unread would reset the connection, and that line could be lost.
    while await reader.read(4096):
        pass


async def serve_one(reader, writer):
    try:
        await converse(reader, writer)
    except OSError:
        pass  # the client has gone, and that concerns nobody else
    finally:
        writer.close()  # once everything is sent


async def main(port):
    # The limit does not count the LF: a line of one byte more gets through, and `converse` looks.
    server = await asyncio.start_server(
        serve_one, "127.0.0.1", port, limit=REQUEST_MAX, backlog=BACKLOG
    )
    async with server:
        await server.serve_forever()


_, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
asyncio.run(main(int(sys.argv[1])))
