"""A short list of system calls that no tool needs and that kernels have been broken through, as a BPF program.

A list of what is refused, not of what is allowed: it narrows the kernel that hostile code can reach, and the namespaces
remain the boundary. It is also what forbids nested user namespaces when the sandbox is started by real root, where
bubblewrap's `--disable-userns` does not apply. Refused calls answer EPERM; clone3, whose flags lie in memory that a
filter can't read, answers ENOSYS, upon which C libraries fall back to clone.
"""

import platform
import struct

EPERM, ENOSYS = 1, 38
CLONE_NEWUSER = 0x10000000
X32_BIT = 0x40000000
# io_uring_setup, _enter, _register; open_tree, move_mount, fsopen, fsconfig, fsmount, fspick; pidfd_getfd,
# mount_setattr: new calls have one number on every architecture.
EVERYWHERE = (425, 426, 427, 428, 429, 430, 431, 432, 433, 438, 442)
CLONE3 = 435
LOAD, JUMP_EQUAL, JUMP_AT_LEAST, JUMP_IF_SET, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, ERRNO = 0x7FFF0000, 0x00050000
NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16
"""Offsets in `struct seccomp_data`; the low half of the argument, on a little-endian machine."""

# architecture: (audit number, clone, unshare, refused calls)
MACHINES = {
    "x86_64": (
        0xC000003E,
        56,
        272,
        # ptrace, pivot_root, mount, umount2, add_key, request_key, keyctl, perf_event_open, open_by_handle_at, setns,
        # process_vm_readv, process_vm_writev, bpf, userfaultfd
        (101, 155, 165, 166, 248, 249, 250, 298, 304, 308, 310, 311, 321, 323),
    ),
    "aarch64": (
        0xC00000B7,
        220,
        97,
        (117, 41, 40, 39, 217, 218, 219, 241, 265, 268, 270, 271, 280, 282),
    ),
}


def program(machine: str = "") -> bytes:
    """The filter for `bwrap --seccomp`; empty on an architecture that is not listed."""
    numbers = MACHINES.get(machine or platform.machine())
    if numbers is None:
        return b""
    audit, clone, unshare, refused = numbers
    code = [_op(LOAD, ARCHITECTURE), _op(JUMP_EQUAL, audit, 1, 0), _op(RETURN, ERRNO | EPERM), _op(LOAD, NUMBER)]
    code += [_op(JUMP_AT_LEAST, X32_BIT, 0, 1), _op(RETURN, ERRNO | EPERM)]
    code += [_op(JUMP_EQUAL, CLONE3, 0, 1), _op(RETURN, ERRNO | ENOSYS)]
    for number in (*refused, *EVERYWHERE):
        code += [_op(JUMP_EQUAL, number, 0, 1), _op(RETURN, ERRNO | EPERM)]
    for number in (clone, unshare):
        code += [_op(JUMP_EQUAL, number, 0, 4), _op(LOAD, FIRST_ARGUMENT), _op(JUMP_IF_SET, CLONE_NEWUSER, 0, 1)]
        code += [_op(RETURN, ERRNO | EPERM), _op(RETURN, ALLOW)]
    return b"".join([*code, _op(RETURN, ALLOW)])


def _op(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
