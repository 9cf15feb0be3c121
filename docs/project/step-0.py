"""Before milestone 1: what is left of the article's blocking server without its messages.

    python3 step-0.py 8686
"""

import socket
import sys

listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    stream, _ = listener.accept()
    with stream:
        stream.recv(1024)
        stream.sendall(b"Hello from server!")
