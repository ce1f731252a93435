"""System calls that no tool needs and that kernels have been broken through, as a BPF program.

A list of what is refused, not of what is allowed: it narrows the kernel that hostile code can reach, and namespaces and
Landlock remain the boundary. Refused calls answer EPERM, and are announced where somebody listens, so that the audit
can name them. clone3, whose flags lie in memory that a filter can't read, answers ENOSYS, upon which C libraries fall
back to clone.
"""

import platform
import struct
from typing import NamedTuple

EPERM, ENOSYS = 1, 38
CLONE_NEWUSER, ALL_NAMESPACES = 0x10000000, 0x7E020080
X32_BIT = 0x40000000
CLONE3 = 435
LOAD, JUMP_EQUAL, JUMP_AT_LEAST, JUMP_IF_SET, AND, RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
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
    "landlock_create_ruleset": 444,
    "landlock_add_rule": 445,
    "landlock_restrict_self": 446,
    "cachestat": 451,
    "listns": 470,
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
        "io_setup": 206,
        "inotify_init": 253,
        "inotify_init1": 294,
        "inotify_add_watch": 254,
        "flock": 73,
        "msgsnd": 69,
        "msgrcv": 70,
        "msgctl": 71,
        "semop": 65,
        "semctl": 66,
        "semtimedop": 220,
        "shmctl": 31,
        "shmdt": 67,
        "bind": 49,
        "setsockopt": 54,
        "sendmmsg": 307,
        "vmsplice": 278,
        "seccomp": 317,
        "sync": 162,
        "syncfs": 306,
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
        "io_setup": 0,
        "inotify_init1": 26,
        "inotify_add_watch": 27,
        "flock": 32,
        "msgsnd": 189,
        "msgrcv": 188,
        "msgctl": 187,
        "semop": 193,
        "semctl": 191,
        "semtimedop": 192,
        "shmctl": 195,
        "shmdt": 197,
        "bind": 200,
        "setsockopt": 208,
        "sendmmsg": 269,
        "vmsplice": 75,
        "seccomp": 277,
        "sync": 81,
        "syncfs": 267,
    },
}
"""Some of them take memory that is counted for no process: memory files that nobody maps, pages given to
a pipe (`vmsplice`), sockets with larger buffers, rules of Landlock. `sendmsg` can put open files into a socket, where
nobody sees them. inotify and cachestat tell what others do with files that may be read; flock keeps others from theirs.
"""
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
        "getxattr": 191,
        "lgetxattr": 192,
        "fgetxattr": 193,
        "listxattr": 194,
        "llistxattr": 195,
        "flistxattr": 196,
        "getxattrat": 464,
        "listxattrat": 465,
        "file_getattr": 468,
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
        "getxattr": 8,
        "lgetxattr": 9,
        "fgetxattr": 10,
        "listxattr": 11,
        "llistxattr": 12,
        "flistxattr": 13,
        "getxattrat": 464,
        "listxattrat": 465,
        "file_getattr": 468,
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


class ByArgument(NamedTuple):
    """A call that is refused, or allowed, for some values of one of its arguments. One rule for each call."""

    name: str
    numbers: dict[str, int]
    argument: int
    values: tuple[int, ...]
    allowed: bool = False
    """True: only these values are allowed; False: only these are refused."""
    mask: int = 0xFFFFFFFF
    """The bits that are looked at."""


LISTENER_BY = 255
"""The only descriptor by which a message with descriptors goes out: that of what is refused here to the supervisor.
No call can open one of that number, because its limit is lower."""

BY_ARGUMENT = (
    ByArgument("sendmsg", {"x86_64": 46, "aarch64": 211}, 0, (LISTENER_BY,), allowed=True),
    ByArgument("prlimit64", {"x86_64": 302, "aarch64": 261}, 0, (0,), allowed=True),
    ByArgument(
        "fcntl",
        {"x86_64": 72, "aarch64": 25},
        1,
        (8, 10, 15, 5, 6, 7, 36, 37, 38, 1024, 1026, 1031, 1036, 1038),
    ),
    ByArgument(
        "ioctl",
        {"x86_64": 16, "aarch64": 29},
        1,
        (0x5412, 0x541C, 0x8901, 0x8902, 0x40086602, 0x401C5820, 0x40806685),
    ),
    ByArgument("mmap", {"x86_64": 9, "aarch64": 222}, 3, (0x21, 0x23), mask=0x2F),
    ByArgument("prctl", {"x86_64": 157, "aarch64": 167}, 0, (22, 41)),
)
"""Limits of other processes, which kill. F_SETOWN, F_SETSIG, F_SETOWN_EX, FIOSETOWN and SIOCSPGRP, which signal others.
Locks by fcntl, leases, F_NOTIFY and hints, which reach others that use the file; F_SETPIPE_SZ. TIOCSTI and TIOCLINUX;
FS_IOC_SETFLAGS, FS_IOC_FSSETXATTR, FS_IOC_ENABLE_VERITY. Memory that is shared and belongs to no file: what of it is
not mapped at the moment is counted for nobody. A filter of one's own, which would hide from ours what was tried, and
huge pages, where one small part keeps all in memory but only the part is counted."""

SOCKETPAIR = {"x86_64": 53, "aarch64": 199}
"""Announced whenever it is called: whoever listens allows so many as their buffers may take memory, and only unix ones
that are no datagram sockets. Each of those can write to any unix socket by its path without connect. The arguments are
numbers, so that nothing can change them after they were looked at."""


def refused(kernel_tier: bool, machine: str = "") -> dict[int, str]:
    """Number to name of every call that is refused whatever its arguments; empty on an unknown architecture."""
    machine = machine or platform.machine()
    if machine not in NUMBERS:
        return {}
    by_name = dict(zip(NAMES, NUMBERS[machine], strict=True)) | EVERYWHERE | MORE[machine]
    if kernel_tier:
        by_name |= OUTSIDE_NAMESPACES[machine]
    return {number: name for name, number in by_name.items() if name not in ("clone", "unshare")}


def not_supported(machine: str = "") -> frozenset[int]:
    """Those among them that are answered ENOTSUP, as by a file system that lacks what is asked for: `ls -l` asks."""
    machine = machine or platform.machine()
    reads = ("getxattr", "lgetxattr", "fgetxattr", "listxattr", "llistxattr", "flistxattr", "getxattrat", "listxattrat")
    return frozenset(OUTSIDE_NAMESPACES[machine][name] for name in reads) if machine in NUMBERS else frozenset()


def names(kernel_tier: bool, machine: str = "") -> dict[int, str]:
    """Number to name of every call that may be refused."""
    machine = machine or platform.machine()
    if machine not in NUMBERS:
        return {}
    by_argument = {rule.numbers[machine]: rule.name for rule in BY_ARGUMENT} | {SOCKETPAIR[machine]: "socketpair"}
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
    for rule in BY_ARGUMENT:
        caught, otherwise = (ALLOW, no) if rule.allowed else (no, ALLOW)
        count = len(rule.values)
        block = [_op(LOAD, FIRST_ARGUMENT + 8 * rule.argument), _op(AND, rule.mask)]
        block += [_op(JUMP_EQUAL, value, count - n, 0) for n, value in enumerate(rule.values)]
        block += [_op(RETURN, otherwise), _op(RETURN, caught)]
        code += [_op(JUMP_EQUAL, rule.numbers[machine], 0, len(block)), *block]
    code += [_op(JUMP_EQUAL, SOCKETPAIR[machine], 0, 1), _op(RETURN, no)]
    return b"".join([*code, _op(RETURN, ALLOW)])


def _op(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
