"""The filter refuses what it names and nothing else, on both architectures."""

import struct

import pytest

from sandbox.errors import SandboxUnavailable
from sandbox.local.seccomp import program

AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
ALLOW, KILL, EPERM, ENOSYS, EAFNOSUPPORT = 0x7FFF0000, 0x80000000, 0x00050001, 0x00050026, 0x00050061


def verdict(machine: str, number: int, *arguments: int, audit: int | None = None) -> int:
    """What the kernel's machine would answer: a small one of our own, over the same bytes."""
    given = [*arguments, *[0] * (6 - len(arguments))]
    call = struct.pack("<IIQ6Q", number, audit or AUDIT[machine], 0, *given)
    code = list(struct.iter_unpack("<HBBI", program(machine)))
    value = at = 0
    for _ in range(len(code)):
        operation, then, otherwise, operand = code[at]
        at += 1
        if operation == 0x20:
            (value,) = struct.unpack_from("<I", call, operand)
        elif operation == 0x06:
            return operand
        else:
            met = {0x15: value == operand, 0x35: value >= operand, 0x45: bool(value & operand)}[operation]
            at += then if met else otherwise
    raise AssertionError("the filter came to no end")


@pytest.mark.parametrize(
    ("machine", "calls"),
    [
        ("x86_64", {"ptrace": 101, "bpf": 321, "mount": 165, "keyctl": 250, "io_uring_setup": 425, "unshare": 272}),
        ("aarch64", {"ptrace": 117, "bpf": 280, "mount": 40, "keyctl": 219, "io_uring_setup": 425, "unshare": 97}),
    ],
)
def test_calls_that_reach_deep_into_the_kernel_are_refused(machine: str, calls: dict[str, int]):
    assert {name: verdict(machine, number) for name, number in calls.items()} == dict.fromkeys(calls, EPERM)


@pytest.mark.parametrize(
    ("machine", "calls"),
    [
        ("x86_64", {"read": 0, "write": 1, "openat": 257, "mmap": 9, "fork": 57, "execve": 59, "pidfd_open": 434}),
        ("aarch64", {"read": 63, "write": 64, "openat": 56, "mmap": 222, "execve": 221, "pidfd_open": 434}),
    ],
)
def test_calls_of_ordinary_programs_are_allowed(machine: str, calls: dict[str, int]):
    assert {name: verdict(machine, number) for name, number in calls.items()} == dict.fromkeys(calls, ALLOW)


@pytest.mark.parametrize(("machine", "clone"), [("x86_64", 56), ("aarch64", 220)])
def test_processes_may_be_made_and_namespaces_not(machine: str, clone: int):
    thread, new_user, new_net = 0x003D0F00, 0x10000000, 0x40000000

    assert verdict(machine, clone, thread) == ALLOW
    assert verdict(machine, clone, new_user) == EPERM
    assert verdict(machine, clone, thread | new_net) == EPERM
    assert verdict(machine, 435) == ENOSYS  # clone3: the C library then asks for clone


@pytest.mark.parametrize(("machine", "sockets"), [("x86_64", (41, 53)), ("aarch64", (198, 199))])
def test_only_sockets_of_this_machine_can_be_made(machine: str, sockets: tuple[int, int]):
    for call in sockets:
        assert verdict(machine, call, 1) == ALLOW
        for family in (0, 2, 10, 16, 17, 38, 40):
            assert verdict(machine, call, family) == EAFNOSUPPORT


@pytest.mark.parametrize(("machine", "ioctl"), [("x86_64", 16), ("aarch64", 29)])
def test_nobody_types_into_somebody_elses_terminal(machine: str, ioctl: int):
    assert verdict(machine, ioctl, 0, 0x5412) == EPERM
    assert verdict(machine, ioctl, 0, 0x541C) == EPERM
    assert verdict(machine, ioctl, 0, 0x5413) == ALLOW


def test_calls_of_another_architecture_end_the_program():
    assert verdict("x86_64", 1, audit=0x40000003) == KILL  # 32 bit
    assert verdict("x86_64", 0x40000000 | 1) == ENOSYS  # x32
    assert verdict("aarch64", 64, audit=0x40000028) == KILL


def test_a_machine_nobody_wrote_a_filter_for_gets_no_sandbox():
    with pytest.raises(SandboxUnavailable):
        program("riscv64")
