"""A process that has imported what the factories of these tests need, and brings each up as a fork.

`nursery.py SOCKET` takes, from a socket that it has inherited, the name of a script of this folder,
the folder of a factory and its port, with the pipe that the factory tells its link in; it answers
with the number of the process.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from importlib import import_module
from pathlib import Path


def main(line: socket.socket) -> None:
    """Bring up factories until nobody is there who could ask for one."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nothing is left of those that have ended
    import_module("works")  # and with it nearly all that any script needs
    while True:
        order, pipes, _, _ = socket.recv_fds(line, 4096, 1)
        if not order:
            return
        name, folder, port = json.loads(order)
        process = os.fork()
        if process == 0:
            line.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.setsid()  # its group is killed as a whole
            os.dup2(pipes[0], 1)
            os.close(pipes[0])
            asyncio.run(import_module(name).run(Path(folder), port))
            return
        os.close(pipes[0])
        line.send(str(process).encode())


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
