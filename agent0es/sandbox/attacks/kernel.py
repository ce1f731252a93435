"""Attempts to reach parts of the kernel that no tool needs: each call with arguments that it complains about once reached."""

from agent0es.sandbox.attacks.base import Attack

_NUMBERS = """
# row name x86-64 aarch64 arguments canary: u unsafe, r unsafe as root, - none (why is said below)
33 keyctl 250 219 0,-3,0 u
33 add_key 248 217 1,1,1,1,-3 u
33 request_key 249 218 1,1,1,-3 u
34 io_uring_setup 425 425 1,None r
34 io_uring_enter 426 426 -1,1,0,0 u
34 io_uring_register 427 427 -1,0,0,0 u
34 userfaultfd 323 282 0xffff r
35 bpf 321 280 -1,None,0 r
36 perf_event_open 298 241 None,0,-1,-1,0 r
38 open_by_handle_at 304 265 -1,None,0 r
- name_to_handle_at 303 264 -100,None,None,None,0 u
- fanotify_init 300 262 -1,0 r
- fanotify_mark 301 263 -1,0,0,-1,None u
- init_module 175 105 None,0,None -
- finit_module 313 273 -1,b'',0 -
- delete_module 176 106 1,0 -
- kexec_load 246 104 0,1,None,0xffff -
- kexec_file_load 320 294 -1,-1,0,None,0xffff -
- reboot 169 142 0,0,0,None r
- swapon 167 224 1,0 r
- swapoff 168 225 1 r
- acct 163 89 1 r
50 clock_settime 227 112 0,bad_time u
- settimeofday 164 170 bad_time,None u
- clock_adjtime 305 266 0,1 u
- adjtimex 159 171 1 u
- sethostname 170 161 None,-1 r
- setdomainname 171 162 None,-1 r
- quotactl 179 60 -1,None,0,None u
- quotactl_fd 443 443 -1,-1,0,None u
- syslog 103 116 10,None,0 r
- chroot 161 51 1 u
- pivot_root 155 41 1,1 r
- mount 165 40 1,1,1,0,0 u
- umount2 166 39 1,0xffff u
- setns 308 268 -1,0 u
- fsopen 430 430 1,0 r
- fsconfig 431 431 -1,0,None,None,0 u
- fsmount 432 432 -1,0,0 r
- fspick 433 433 -1,1,0 r
- open_tree 428 428 -1,1,-1 u
- open_tree_attr 467 467 -1,1,-1,None,0 -
- move_mount 429 429 -1,1,-1,1,-1 r
- mount_setattr 442 442 -1,1,-1,None,0 u
- statmount 457 457 None,None,0,0 -
- listmount 458 458 None,None,0,0 -
- mq_open 240 180 1,0,0,None u
25 shmget 29 194 0,0,0x200 u
- semget 64 190 0,-1,0 u
- msgget 68 186 0x41304553,0 u
38 sched_setscheduler 144 119 0,99,None u
- sched_setparam 142 118 0,None u
- sched_setattr 314 274 0,None,0 u
- personality 135 92 -1 u
- memfd_create 319 279 1,0 u
- memfd_secret 447 447 0xffff -
- kcmp 312 272 -1,-1,99,0,0 u
- move_pages 279 239 0,0,None,None,None,0xff u
- migrate_pages 256 238 0,-1,None,None u
- process_madvise 440 440 -1,None,0,0,1 u
- process_mrelease 448 448 -1,0 u
- pidfd_open 434 434 -1,0 u
- pidfd_getfd 438 438 -1,-1,0 u
- pidfd_send_signal 424 424 -1,9,None,-1 u
- process_vm_writev 311 271 -1,None,1,None,1,99 u
- vhangup 153 58 0 -
- lookup_dcookie 212 18 0,None,0 -
- io_setup 206 0 0,None u
- inotify_init 253 -1 0 -
- inotify_init1 294 26 -1 u
- inotify_add_watch 254 27 -1,1,0 u
- flock 73 32 -1,2 u
- msgsnd 69 189 -1,None,0,0 u
- msgrcv 70 188 -1,None,0,0,0 u
- msgctl 71 187 -1,99,None u
- semop 65 193 -1,None,0 u
- semctl 66 191 -1,0,99,0 u
- semtimedop 220 192 -1,None,0,None u
- shmctl 31 195 -1,99,None u
- shmdt 67 197 1 u
- bind 49 200 -1,None,0 u
- setsockopt 54 208 -1,1,7,None,0 u
- sendmsg 46 211 -1,None,0 u
- sendmmsg 307 269 -1,None,1,0 u
- vmsplice 278 75 -1,None,0,0 u
- seccomp 317 277 99,0,None u
- sync 162 81 0 u
- syncfs 306 267 -1 u
- cachestat 451 451 -1,None,None,0 -
- listns 470 470 None,None,0,0 -
- landlock_create_ruleset 444 444 None,1,0 -
- landlock_add_rule 445 445 -1,0,None,0 -
- landlock_restrict_self 446 446 -1,0 -
- iopl 172 -1 99 -
- ioperm 173 -1 -1,-1,0 -
- modify_ldt 154 -1 0,None,0 -
"""
_WHY_NOT = {
    "open_tree_attr": "newer (Linux 6.15) than most kernels",
    "statmount": "newer (Linux 6.8) than many kernels",
    "listmount": "newer (Linux 6.8) than many kernels",
    "memfd_secret": "off unless the kernel was started with it",
    "vhangup": "it would hang up the terminal",
    "lookup_dcookie": "Linux 6.7 has removed it",
    **dict.fromkeys(("init_module", "finit_module", "delete_module"), "kernels may be built without modules"),
    **dict.fromkeys(("kexec_load", "kexec_file_load"), "kernels may be built without kexec"),
    "cachestat": "newer (Linux 6.5) than many kernels",
    "listns": "newer (Linux 6.19) than most kernels",
    **dict.fromkeys(
        ("landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"),
        "kernels may be built without Landlock",
    ),
    "inotify_init": "x86-64 only",
    "iopl": "x86-64 only",
    "ioperm": "x86-64 only",
    "modify_ldt": "x86-64 only",
}


def _attacks() -> tuple[Attack, ...]:
    found = []
    for line in _NUMBERS.splitlines():
        if not line or line.startswith("#"):
            continue
        row, name, x86, arm, arguments, canary = line.split()
        found.append(
            Attack(
                name=f"system call {name}",
                row=row.strip("-"),
                program=f"bad_time = (ctypes.c_long * 2)(0, 1 << 40)\ngets_through({x86}, {arm}, {arguments})",
                canary="none" if canary == "-" else "unsafe",
                no_canary=_WHY_NOT[name] if canary == "-" else "",
                canary_needs_root=canary == "r",
            )
        )
    return tuple(found)


KERNEL = (
    *_attacks(),
    Attack(
        "push a character into a terminal",
        "import fcntl\nfcntl.ioctl(0, 0x5412, b'x'); print('ESCAPED')",
        "50",
        canary="none",
        no_canary="Linux 6.2 and newer may refuse it",
    ),
    Attack("new time namespace", "in_a_child(lambda: syscall(272, 97, 0x80))", canary_needs_root=True),
    Attack(
        "new mount, pid, network and ipc namespaces",
        "any_of(*(lambda flag=flag: syscall(272, 97, flag) for flag in (0x00020000, 0x40000000, 0x08000000, 0x04000000)))",
        canary_needs_root=True,
    ),
    Attack(
        "locks, leases and notices on a file outside by fcntl",
        "import fcntl, struct\nfd = os.open(os.__file__, os.O_RDONLY); top = os.open(os.path.dirname(os.__file__), os.O_RDONLY)\n"
        "lock = struct.pack('hhqqi4x', fcntl.F_RDLCK, 0, 0, 0, 0)\n"
        "any_of(*(lambda command=command: fcntl.fcntl(fd, command, lock) for command in (5, 6, 7, 36, 37, 38)),\n"
        "  lambda: fcntl.fcntl(fd, 1024, fcntl.F_RDLCK), lambda: fcntl.fcntl(top, 1026, 2), lambda: fcntl.fcntl(fd, 1036, bytes(8)),\n"
        "  lambda: fcntl.fcntl(fd, 1038, bytes(8)))",
    ),
    Attack(
        "a lock on a file outside by flock", "import fcntl; fcntl.flock(os.open(os.__file__, 0), 6); print('ESCAPED')"
    ),
    Attack(
        "notices about folders that may be read",
        "any_of(lambda: syscall(254, 27, syscall(294, 26, 0), os.path.dirname(os.__file__).encode(), 0x20))",
    ),
    Attack(
        "all asynchronous I/O of this machine",
        "events = ctypes.c_ulong()\nany_of(lambda: syscall(206, 0, 8, ctypes.byref(events)))",
    ),
    Attack(
        "a filter that hides what is tried",
        "code = (ctypes.c_uint64 * 1)(0x7fff000000000006); head = (ctypes.c_uint64 * 2)(1, ctypes.addressof(code))\n"
        "def attempt():\n  if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, head, 0, 0): raise OSError(ctypes.get_errno(), 'prctl')\n"
        "in_a_child(attempt)",
    ),
    Attack("limits of another process by prlimit64", "gets_through(302, 261, -1, 99, None, None)"),
)
