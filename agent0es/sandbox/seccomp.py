"""System calls that no tool needs and that kernels have been broken through, as a BPF program.

A list of what is refused, not of what is allowed: it narrows the kernel that hostile code can reach, and namespaces and
Landlock remain the boundary. Refused calls answer EPERM, and are announced where somebody listens, so that the audit
can name them. clone3, whose flags lie in memory that a filter can't read, answers ENOSYS, upon which C libraries fall
back to clone.
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
setns process_vm_readv process_vm_writev bpf userfaultfd shmget shmat semget msgget mq_open sched_setscheduler
sched_setattr acct swapon reboot init_module finit_module delete_module kexec_load clock_settime settimeofday
clock_adjtime adjtimex sethostname setdomainname personality quotactl syslog chroot clone unshare""".split()
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
    "process_madvise": 440,
    "mount_setattr": 442,
    "quotactl_fd": 443,
    "memfd_secret": 447,
    "process_mrelease": 448,
    "statmount": 457,
    "listmount": 458,
    "open_tree_attr": 467,
    "file_setattr": 469,
}
"""New calls have one number on every architecture."""
MORE = {
    "x86_64": {
        "memfd_create": 319,
        "sched_setparam": 142,
        "name_to_handle_at": 303,
        "fanotify_init": 300,
        "fanotify_mark": 301,
        "kexec_file_load": 320,
        "swapoff": 168,
        "vhangup": 153,
        "kcmp": 312,
        "move_pages": 279,
        "migrate_pages": 256,
        "lookup_dcookie": 212,
        "iopl": 172,
        "ioperm": 173,
        "modify_ldt": 154,
    },
    "aarch64": {
        "memfd_create": 279,
        "sched_setparam": 118,
        "name_to_handle_at": 264,
        "fanotify_init": 262,
        "fanotify_mark": 263,
        "kexec_file_load": 294,
        "swapoff": 225,
        "vhangup": 58,
        "kcmp": 272,
        "move_pages": 239,
        "migrate_pages": 238,
        "lookup_dcookie": 18,
    },
}
"""Memory files are among them: as long as nobody maps them, their memory is counted for no process."""
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
        "lremovexattr": 198,
        "fremovexattr": 199,
        "setxattrat": 463,
        "removexattrat": 466,
        "inotify_add_watch": 254,
        "tgkill": 234,
        "rt_sigqueueinfo": 129,
        "rt_tgsigqueueinfo": 297,
        "sched_setaffinity": 203,
        "ioprio_set": 251,
        "setsid": 112,
        "setpgid": 109,
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
        "lremovexattr": 15,
        "fremovexattr": 16,
        "setxattrat": 463,
        "removexattrat": 466,
        "inotify_add_watch": 27,
        "tgkill": 131,
        "rt_sigqueueinfo": 138,
        "rt_tgsigqueueinfo": 240,
        "sched_setaffinity": 122,
        "ioprio_set": 30,
        "setsid": 157,
        "setpgid": 154,
    },
}
"""What no Landlock rule covers, and what only a namespace of one's own makes harmless. Landlock keeps signals in from
ABI 6 on. Without setsid and setpgid all of a call stays in one group, which one signal kills at once: processes that
fork on and on can't be killed one by one."""
BY_ARGUMENT: tuple[tuple[str, dict[str, int], int, bool, tuple[int, ...]], ...] = (
    ("prlimit64", {"x86_64": 302, "aarch64": 261}, 0, True, (0,)),
    ("socketpair", {"x86_64": 53, "aarch64": 199}, 0, True, (1,)),
    (
        "socketpair",
        {"x86_64": 53, "aarch64": 199},
        1,
        False,
        tuple(kind | flags for kind in (2, 3) for flags in (0, 0x800, 0x80000, 0x80800)),
    ),
    ("fcntl", {"x86_64": 72, "aarch64": 25}, 1, False, (8, 10, 15)),
    (
        "ioctl",
        {"x86_64": 16, "aarch64": 29},
        1,
        False,
        (0x5412, 0x541C, 0x8901, 0x8902, 0x40086602, 0x401C5820, 0x40806685),
    ),
)
"""(name, numbers, which argument, whether these values alone are allowed, else they are refused). Limits of other
processes, which kill; pairs of sockets that are not unix ones, and of datagram sockets (also said as raw ones, with any
flags), each of which can write to any unix socket by its path without connect; F_SETOWN, F_SETSIG, F_SETOWN_EX,
FIOSETOWN and SIOCSPGRP, which signal others; TIOCSTI and TIOCLINUX; FS_IOC_SETFLAGS, FS_IOC_FSSETXATTR,
FS_IOC_ENABLE_VERITY."""


def refused(kernel_tier: bool, machine: str = "") -> dict[int, str]:
    """Number to name of every call that is refused whatever its arguments; empty on an unknown architecture."""
    machine = machine or platform.machine()
    if machine not in NUMBERS:
        return {}
    by_name = dict(zip(NAMES, NUMBERS[machine], strict=True)) | EVERYWHERE | MORE[machine]
    if kernel_tier:
        by_name |= OUTSIDE_NAMESPACES[machine]
    return {number: name for name, number in by_name.items() if name not in ("clone", "unshare")}


def names(kernel_tier: bool, machine: str = "") -> dict[int, str]:
    """Number to name of every call that may be refused."""
    machine = machine or platform.machine()
    if machine not in NUMBERS:
        return {}
    by_argument = {numbers[machine]: name for name, numbers, *_ in BY_ARGUMENT}
    namespaces = {number: name for name, number in zip(NAMES, NUMBERS[machine], strict=True)}
    return namespaces | refused(kernel_tier, machine) | by_argument


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
    for _, calls, argument, alone, values in BY_ARGUMENT:
        to_yes = [_op(JUMP_EQUAL, value, len(values) - n, 0) for n, value in enumerate(values)]
        to_no = [_op(JUMP_EQUAL, value, len(values) - n + 1, 0) for n, value in enumerate(values)]
        tests = [*to_yes, _op(RETURN, no)] if alone else to_no
        code += [_op(JUMP_EQUAL, calls[machine], 0, len(tests) + (2 if alone else 4))]
        code += [_op(LOAD, FIRST_ARGUMENT + 8 * argument), *tests, _op(LOAD, NUMBER)]
        code += [] if alone else [_op(JUMP_EQUAL, calls[machine], 1, 1), _op(RETURN, no)]
    return b"".join([*code, _op(RETURN, ALLOW)])


def _op(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
