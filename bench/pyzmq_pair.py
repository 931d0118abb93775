"""Two Python processes doing what a bare call does, over plain pyzmq: the yardstick of the bridge.

Reads numbers from standard input, one a line, and prints the median round trip of that many calls, in
microseconds. The server is a process of its own.
"""

from __future__ import annotations

import multiprocessing
import statistics
import sys
import time

import msgspec
import zmq


def serve(pipe) -> None:
    socket = zmq.Context().socket(zmq.ROUTER)
    pipe.send(socket.bind_to_random_port("tcp://127.0.0.1"))
    while True:
        client, envelope = socket.recv_multipart()
        request = msgspec.msgpack.decode(envelope)
        reply = {"t": "res", "id": request["id"], "p": request["p"], "b": []}
        socket.send_multipart([client, msgspec.msgpack.encode(reply)])


def main() -> None:
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    server.start()
    socket = zmq.Context().socket(zmq.DEALER)
    socket.connect(f"tcp://127.0.0.1:{ours.recv()}")
    params = {"value": 1.5, "integer": 7, "text": "", "tensors": []}
    for line in sys.stdin:
        times = []
        for number in range(int(line)):
            started = time.perf_counter()
            request = {"t": "req", "id": number, "m": "worker.ping", "p": params, "b": []}
            socket.send(msgspec.msgpack.encode(request))
            msgspec.msgpack.decode(socket.recv())
            times.append(time.perf_counter() - started)
        print(statistics.median(times) * 1e6, flush=True)
    server.kill()


if __name__ == "__main__":
    main()
