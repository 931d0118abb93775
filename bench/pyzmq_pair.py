"""Two Python processes doing what a bare call does, over plain pyzmq: the yardstick of the bridge.

Reads lines of numbers from standard input: how many calls, how many of them at once (1), how many frames go
there and back with each (0), and the bytes of a frame. Prints the microseconds a call took: the median where
there is one at a time, else the mean. With `--curve` the socket is encrypted. The server is a process of its
own.
"""

from __future__ import annotations

import multiprocessing
import statistics
import sys
import time
from multiprocessing.connection import Connection

import msgspec
import zmq


def serve(pipe: Connection, keys: tuple[bytes, bytes] | None) -> None:
    socket = zmq.Context().socket(zmq.ROUTER)
    if keys is not None:
        socket.curve_server = True
        socket.curve_publickey, socket.curve_secretkey = keys
    pipe.send(socket.bind_to_random_port("tcp://127.0.0.1"))
    while True:
        client, envelope, *frames = socket.recv_multipart(copy=False)
        request = msgspec.msgpack.decode(envelope.buffer)
        reply = {"t": "res", "id": request["id"], "p": request["p"], "b": []}
        socket.send_multipart([client, msgspec.msgpack.encode(reply), *frames], copy=False)


PARAMS = {"value": 1.5, "integer": 7, "text": "", "tensors": []}


def ask(socket: zmq.Socket[bytes], number: int, frames: list[bytes]) -> None:
    request = {"t": "req", "id": number, "m": "worker.ping", "p": PARAMS, "b": []}
    socket.send_multipart([msgspec.msgpack.encode(request), *frames], copy=False)


def hear(socket: zmq.Socket[bytes]) -> None:
    msgspec.msgpack.decode(socket.recv_multipart(copy=False)[0].buffer)


def microseconds(socket: zmq.Socket[bytes], count: int, at_once: int, frames: list[bytes]) -> float:
    started = time.perf_counter()
    times = []
    for number in range(count + at_once - 1):
        if number < count:
            ask(socket, number, frames)
        if number >= at_once - 1:
            hear(socket)
            now = time.perf_counter()
            times.append(now - started)
            if at_once == 1:
                started = now
    return (statistics.median(times) if at_once == 1 else times[-1] / count) * 1e6


def main() -> None:
    curve = "--curve" in sys.argv
    keys = zmq.curve_keypair() if curve else None
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs, keys), daemon=True)
    server.start()
    socket = zmq.Context().socket(zmq.DEALER)
    if keys is not None:
        socket.curve_serverkey = keys[0]
        socket.curve_publickey, socket.curve_secretkey = zmq.curve_keypair()
    socket.connect(f"tcp://127.0.0.1:{ours.recv()}")
    for line in sys.stdin:
        given = [int(word) for word in line.split()]
        count, at_once, frames, size = given + [1, 0, 0][len(given) - 1 :]
        print(microseconds(socket, count, at_once, [bytes(size)] * frames), flush=True)
    server.kill()


if __name__ == "__main__":
    main()
