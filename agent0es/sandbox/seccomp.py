"""System calls that no tool needs and that kernels have been broken through, as a BPF program.

A list of what is refused, not of what is allowed: it narrows the kernel that hostile code can reach, and namespaces and
Landlock remain the boundary. Refused calls answer EPERM, and are announced where somebody listens, so that the audit
can name them. clone3, whose flags lie in memory that a filter can't read, answers ENOSYS, upon which C libraries fall back
to clone.
"""

import platform
import struct

EPERM, ENOSYS = 1, 38
CLONE_NEWUSER, ALL_NAMESPACES = 0x10000000, 0x7E020080
X32_BIT = 0x40000000
CLONE3 = 435
LOAD, JUMP_EQUAL, JUMP_AT_LEAST, JUMP_IF_SET, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, ERRNO, NOTIFY = 0x7FFF0000, 0x00050000, 0x7FC00000
NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16
"""Offsets in `struct seccomp_data`; the low half of the argument, on a little-endian machine."""

AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
NAMES = """socket connect ptrace pivot_root mount umount2 add_key request_key keyctl perf_event_open open_by_handle_at
setns process_vm_readv process_vm_writev bpf userfaultfd shmget shmat semget msgget mq_open sched_setscheduler sched_setattr
acct swapon reboot init_module finit_module delete_module kexec_load clock_settime settimeofday clock_adjtime adjtimex
sethostname setdomainname personality quotactl syslog chroot clone unshare""".split()
NUMBERS = {
    "x86_64": [
        *(41, 42, 101, 155, 165, 166, 248, 249, 250, 298, 304, 308, 310, 311, 321, 323, 29, 30, 64, 68, 240, 144, 314),
        *(163, 167, 169, 175, 313, 176, 246, 227, 164, 305, 159, 170, 171, 135, 179, 103, 161, 56, 272),
    ],
    "aarch64": [
        *(
            198,
            203,
            117,
            41,
            40,
            39,
            217,
            218,
            219,
            241,
            265,
            268,
            270,
            271,
            280,
            282,
            194,
            196,
            190,
            186,
            180,
            119,
            274,
        ),
        *(89, 224, 142, 105, 273, 106, 104, 112, 170, 266, 171, 161, 162, 92, 60, 116, 51, 220, 97),
    ],
}
EVERYWHERE = {
    "pidfd_send_signal": 424,
    "io_uring_setup": 425,
    "io_uring_enter": 426,
    "io_uring_register": 427,
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "fspick": 433,
    "pidfd_open": 434,
    "pidfd_getfd": 438,
    "mount_setattr": 442,
}
"""New calls have one number on every architecture."""
OUTSIDE_NAMESPACES = {
    "x86_64": {
        "kill": 62,
        "tkill": 200,
        "chmod": 90,
        "fchmod": 91,
        "fchmodat": 268,
        "chown": 92,
        "fchown": 93,
        "lchown": 94,
        "fchownat": 260,
        "utime": 132,
        "utimes": 235,
        "utimensat": 280,
        "futimesat": 261,
        "setxattr": 188,
        "lsetxattr": 189,
        "fsetxattr": 190,
        "removexattr": 197,
        "fchmodat2": 452,
        "setpriority": 141,
    },
    "aarch64": {
        "kill": 129,
        "tkill": 130,
        "fchmod": 52,
        "fchmodat": 53,
        "fchown": 55,
        "fchownat": 54,
        "utimensat": 88,
        "setxattr": 5,
        "lsetxattr": 6,
        "fsetxattr": 7,
        "removexattr": 14,
        "fchmodat2": 452,
        "setpriority": 140,
    },
}
"""What no Landlock rule covers, and what only a namespace of one's own makes harmless."""


def refused(kernel_tier: bool, machine: str = "") -> dict[int, str]:
    """Number to name of every call that is refused whatever its arguments; empty on an unknown architecture."""
    machine = machine or platform.machine()
    if machine not in NUMBERS:
        return {}
    by_name = dict(zip(NAMES, NUMBERS[machine], strict=True)) | EVERYWHERE
    if kernel_tier:
        by_name |= OUTSIDE_NAMESPACES[machine]
    return {number: name for name, number in by_name.items() if name not in ("clone", "unshare")}


def program(kernel_tier: bool = False, announce: bool = True, machine: str = "") -> bytes:
    """The filter; empty on an architecture that is not listed. With `announce`, what is refused is announced."""
    machine = machine or platform.machine()
    if machine not in NUMBERS:
        return b""
    no = NOTIFY if announce else ERRNO | EPERM
    numbers = dict(zip(NAMES, NUMBERS[machine], strict=True))
    code = [_op(LOAD, ARCHITECTURE), _op(JUMP_EQUAL, AUDIT[machine], 1, 0), _op(RETURN, ERRNO | EPERM)]
    code += [_op(LOAD, NUMBER), _op(JUMP_AT_LEAST, X32_BIT, 0, 1), _op(RETURN, ERRNO | EPERM)]
    code += [_op(JUMP_EQUAL, CLONE3, 0, 1), _op(RETURN, ERRNO | ENOSYS)]
    for number in refused(kernel_tier, machine):
        code += [_op(JUMP_EQUAL, number, 0, 1), _op(RETURN, no)]
    for name in ("clone", "unshare"):
        code += [_op(JUMP_EQUAL, numbers[name], 0, 4), _op(LOAD, FIRST_ARGUMENT)]
        code += [_op(JUMP_IF_SET, ALL_NAMESPACES, 0, 1), _op(RETURN, no), _op(RETURN, ALLOW)]
    return b"".join([*code, _op(RETURN, ALLOW)])


def _op(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
