"""What the standard library has no word for: namespaces, mounts, capabilities, Landlock, seccomp. Raises OSError."""

import ctypes
import fcntl
import os
import struct
from collections.abc import Callable, Iterable

libc = ctypes.CDLL(None, use_errno=True)

NEWNS, NEWUSER, NEWPID = 0x00020000, 0x10000000, 0x20000000
NOSUID, NODEV, NOEXEC, RECURSIVE, PRIVATE = 2, 4, 8, 0x4000, 0x40000
PDEATHSIG, DUMPABLE, KEEPCAPS, CAPBSET_DROP, SUBREAPER, NO_NEW_PRIVS, NO_HUGE_PAGES = 1, 4, 8, 24, 36, 38, 41
CREATE_RULESET, ADD_RULE, RESTRICT_SELF, SECCOMP = 444, 445, 446, {"x86_64": 317, "aarch64": 277}
HUGE_PAGE, COLLAPSE = 2 << 20, 25
NOTIFY_RECEIVE, NOTIFY_SEND, NOTIFY_CONTINUE = 0xC0502100, 0xC0182101, 1
UNIX, KINDS = 1, (1, 5)
"""AF_UNIX; SOCK_STREAM and SOCK_SEQPACKET."""

# Landlock's rights on files, as its ABIs added them: bit 13 REFER (2), 14 TRUNCATE (3), 15 IOCTL_DEV (5).
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, TRUNCATE = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 14
READ = EXECUTE | READ_FILE | READ_DIR
RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1, 5: (1 << 16) - 1}
OF_A_FILE = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | 1 << 15


def checked(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def prctl(option: int, value: int, what: str) -> None:
    checked(libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0), what)


def use_huge_pages() -> None:
    """Put what this process has in memory into pages of 2 MB, so that a fork has fewer to copy the table of.

    Where the kernel can't (before Linux 6.1, or no page is free), all stays as it was.
    """
    with open("/proc/self/maps") as file:
        lines = [line.split() for line in file]
    for line in lines:
        start, end = (int(bound, 16) for bound in line[0].split("-"))
        start, end = -(-start // HUGE_PAGE) * HUGE_PAGE, end // HUGE_PAGE * HUGE_PAGE
        if "w" in line[1] and (len(line) == 5 or line[5] == "[heap]") and start < end:
            libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), COLLAPSE)


def unshare(flags: int) -> None:
    checked(libc.unshare(flags), "unshare")


def unshare_user() -> None:
    """A user namespace of one's own, in which one is who one was."""
    uid, gid = os.getuid(), os.getgid()
    unshare(NEWUSER)
    for name, line in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(line)


def mount(source: str, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    data = None if options is None else options.encode()
    checked(
        libc.mount(source.encode(), target.encode(), kind and kind.encode(), ctypes.c_ulong(flags), data),
        f"mount {target}",
    )


def drop_capabilities() -> None:
    """All of them, for ever."""
    for capability in range(64):
        if libc.prctl(CAPBSET_DROP, capability, 0, 0, 0) < 0:
            break
    header, data = struct.pack("=Ii", 0x20080522, 0), struct.pack("=6I", *[0] * 6)
    checked(libc.capset(header, data), "capset")


def become(uid: int, may_read: bool) -> None:
    """Go on as another user; with `may_read`, one that permission bits don't keep from reading. Landlock still does."""
    libc.prctl(KEEPCAPS, int(may_read), 0, 0, 0)
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    if may_read:
        header, bit = struct.pack("=Ii", 0x20080522, 0), 1 << 2  # CAP_DAC_READ_SEARCH
        checked(libc.capset(header, struct.pack("=6I", bit, bit, 0, 0, 0, 0)), "capset")


def landlock_abi() -> int:
    """0 where the kernel has no Landlock."""
    return max(0, int(libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), 1)))


def landlock(readable: Iterable[str], writable: Iterable[str]) -> None:
    """From here on only these paths, and no TCP, no abstract socket and no signal out of this process's family."""
    abi = landlock_abi()
    if abi == 0:
        raise OSError(38, "the kernel has no Landlock")
    rights = RIGHTS[min(abi, 5)]
    network, scope = (3 if abi >= 4 else 0), (3 if abi >= 6 else 0)
    attributes = struct.pack("=QQQ", rights, network, scope)[: 24 if abi >= 6 else 16 if abi >= 4 else 8]
    rules = checked(
        libc.syscall(CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0), "landlock_create_ruleset"
    )
    try:
        for paths, allowed in ((readable, READ), (writable, rights)):
            for path in paths:
                place = os.open(path, os.O_PATH | os.O_CLOEXEC)
                granted = allowed & rights if os.path.isdir(path) else allowed & rights & OF_A_FILE
                checked(
                    libc.syscall(ADD_RULE, rules, 1, struct.pack("=Qi", granted, place), 0), f"landlock_add_rule {path}"
                )
                os.close(place)
        checked(libc.syscall(RESTRICT_SELF, rules, 0), "landlock_restrict_self")
    finally:
        os.close(rules)


def seccomp(program: bytes, listen: bool) -> int:
    """Put the filter on; with `listen`, returns the descriptor on which refused calls are announced."""
    buffer = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("=HxxxxxxQ", len(program) // 8, ctypes.addressof(buffer))
    return checked(libc.syscall(SECCOMP[os.uname().machine], 1, 8 if listen else 0, header), "seccomp")


def answer_announced(listener: int, complaint: Callable[[int, tuple[int, ...]], int]) -> int | None:
    """Answer the system call that waits: it goes on where `complaint(number, arguments)` is 0, else it gets that errno.

    Returns the number of one that was refused; None where it was allowed, or is gone already.
    """
    notice = bytearray(80)
    try:
        fcntl.ioctl(listener, NOTIFY_RECEIVE, notice)
        [notice_id] = struct.unpack_from("=Q", notice)
        [number] = struct.unpack_from("=i", notice, 16)
        error = complaint(number, struct.unpack_from("=6Q", notice, 32))
        answer = struct.pack("=QqiI", notice_id, 0, -error, 0 if error else NOTIFY_CONTINUE)
        fcntl.ioctl(listener, NOTIFY_SEND, bytearray(answer))
    except OSError:
        return None
    return number if error else None
