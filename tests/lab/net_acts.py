"""What a host does to a guest over the network, to be run within the host's namespaces; ends when its input does.

  net_acts.py connect ADDRESS PORT COUNT       connections, opened and closed one after the other, refused or not
  net_acts.py hold ADDRESS PORT COUNT          connections, all open until the end of the input
  net_acts.py reset ADDRESS PORT COUNT         connections, each ended by a reset once it is established
  net_acts.py send ADDRESS PORT BYTES          one connection with so much for the guest
  net_acts.py serve ADDRESS PORT               takes connections and what comes over them, until the end of the input
  net_acts.py files ADDRESS PORT               gives a file of a few bytes to whoever asks by TFTP, until that end
  net_acts.py datagrams ADDRESS PORT COUNT     of UDP
  net_acts.py frames INTERFACE MAC COUNT       of a protocol that nobody knows

A line 'ready' says that what lasts has begun.
"""

import socket
import struct
import sys
import threading

SECONDS = 30
BLOCK = bytes(65536)
UNKNOWN_PROTOCOL = 0x88B5  # IEEE 802: for experiments


def connected(address, port):
    return socket.create_connection((address, int(port)), timeout=SECONDS)


def wait_for_the_end():
    print("ready", flush=True)
    sys.stdin.read()


def connect(address, port, count):
    for _ in range(int(count)):
        try:
            connected(address, port).close()
        except ConnectionRefusedError:
            pass


def hold(address, port, count):
    opened = [connected(address, port) for _ in range(int(count))]
    wait_for_the_end()
    for one in opened:
        one.close()


def reset(address, port, count):
    for _ in range(int(count)):
        one = connected(address, port)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        one.close()


def send(address, port, size):
    left = int(size)
    with connected(address, port) as one:
        while left:
            part = BLOCK[:left]
            one.sendall(part)
            left -= len(part)
        one.shutdown(socket.SHUT_WR)
        while one.recv(65536):
            pass


def take(connection):
    with connection:
        while connection.recv(65536):
            pass


def serve(address, port):
    listener = socket.create_server((address, int(port)), backlog=64)

    def accept():
        while True:
            threading.Thread(target=take, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    wait_for_the_end()


def files(address, port):
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((address, int(port)))

    def give():
        while True:
            request, sender = server.recvfrom(1024)
            if request[:2] == b"\0\1":  # RFC 1350: a read request; less than a whole block is the end
                server.sendto(b"\0\3\0\1" + b"content", sender)

    threading.Thread(target=give, daemon=True).start()
    wait_for_the_end()


def datagrams(address, port, count):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(int(count)):
            sender.sendto(b"datagram", (address, int(port)))


def frames(interface, mac, count):
    target = bytes.fromhex(mac.replace(":", ""))
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
        sender.bind((interface, 0))
        source = sender.getsockname()[4]
        for _ in range(int(count)):
            sender.send(target + source + struct.pack(">H", UNKNOWN_PROTOCOL) + bytes(46))


ACTS = {act.__name__: act for act in (connect, hold, reset, send, serve, files, datagrams, frames)}

if __name__ == "__main__":
    ACTS[sys.argv[1]](*sys.argv[2:])
