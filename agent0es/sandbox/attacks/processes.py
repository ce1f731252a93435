"""Attacks on other processes, on what the sandbox is made of, and on who judges its result."""

from agent0es.sandbox.attacks.base import Attack

_SECRET = "agent0es-secret-"

PROCESSES = (
    Attack(
        "an API key in the environment",
        "import glob\nfound = []\nfor path in ('/proc/self/environ', *glob.glob('/proc/[0-9]*/environ')):\n"
        f"  try: found += [path] if b'{_SECRET}' in open(path, 'rb').read() else []\n  except OSError: pass\n"
        f"print('ESCAPED' if found or '{_SECRET}' in str(os.environ) else 'denied')",
        "3-4",
        canary="outside",
    ),
    Attack(
        "another process's memory",
        "row = next(r for r in open(f'/proc/{victim}/maps') if '[stack]' in r); start, end = (int(x, 16) for x in row.split()[0].split('-'))\n"
        "fd = os.open(f'/proc/{victim}/mem', os.O_RDONLY); os.pread(fd, 4096, end - 4096); print('ESCAPED')",
        "5",
    ),
    Attack("ptrace another process", "any_of(lambda: syscall(101, 117, 0x4206, victim, 0, 0))", "6"),
    Attack(
        "process_vm_readv of another process",
        "try: syscall(310, 270, victim, (ctypes.c_uint64 * 2)(), 1, (ctypes.c_uint64 * 2)(8, 8), 1, 0)\n"
        "except OSError as error:\n  if error.errno != errno.EFAULT: raise\nprint('ESCAPED')",
        "7",
    ),
    Attack(
        "pidfd_getfd from another process", "any_of(lambda: syscall(438, 438, syscall(434, 434, victim, 0), 1, 0))", "8"
    ),
    Attack("signal another process", "os.kill(victim, signal.SIGKILL); print('ESCAPED')", "9"),
    Attack("signal another process's group", "os.killpg(os.getpgid(victim), 0); print('ESCAPED')", "9"),
    Attack("look through another process's root", "any_of(lambda: os.listdir(f'/proc/{victim}/root/etc'))", "5"),
    Attack(
        "signal another process by other calls",
        "info = ctypes.create_string_buffer(128); ctypes.c_int.from_buffer(info, 8).value = -1\n"
        "any_of(lambda: syscall(234, 131, victim, victim, 0), lambda: syscall(200, 130, victim, 0), lambda: syscall(129, 138, victim, 0, info),\n"
        "  lambda: syscall(297, 240, victim, victim, 0, info), lambda: os.killpg(victim, 0))",
        "9",
    ),
    Attack(
        "signal another process by asynchronous I/O",
        "import fcntl\nr, w = os.pipe(); fcntl.fcntl(r, 8, victim); fcntl.fcntl(r, 10, signal.SIGKILL)\n"
        "fcntl.fcntl(r, fcntl.F_SETFL, os.O_ASYNC); os.write(w, b'x'); print('ESCAPED')",
        "9",
    ),
    Attack(
        "take another process's limits away",
        "import resource\nresource.prlimit(victim, resource.RLIMIT_CPU, (0, 0)); print('ESCAPED')",
    ),
    Attack(
        "slow another process down",
        "any_of(lambda: os.setpriority(os.PRIO_PROCESS, victim, 19), lambda: os.sched_setaffinity(victim, {0}),\n"
        "  lambda: syscall(251, 30, 1, victim, 3 << 13))",
    ),
    Attack(
        "list processes",
        "print('ESCAPED' if victim in [int(p) for p in os.listdir('/proc') if p.isdigit()] else 'denied')",
        "37",
    ),
    Attack("read about a process", "open(f'/proc/{victim}/cmdline').read(); print('ESCAPED')", "37"),
    Attack(
        "kill the supervisor",
        "import resource\nabove = os.getppid()\nif above == 0: raise ProcessLookupError('there is nobody above')\n"
        "any_of(lambda: os.kill(above, 9), lambda: syscall(234, 131, above, above, 9), lambda: resource.prlimit(above, resource.RLIMIT_CPU, (0, 0)),\n"
        "  lambda: syscall(101, 117, 0x4206, above, 0, 0), lambda: open(f'/proc/{above}/mem', 'r+b'), lambda: open(f'/proc/{above}/environ').read())",
        canary="none",
        no_canary="it would kill who runs this",
    ),
    Attack(
        "process 1",
        "any_of(lambda: os.kill(1, 0) if os.getpid() != 1 else os.kill(-1, 0), lambda: syscall(101, 117, 0x4206, 1, 0, 0),\n"
        "  lambda: open('/proc/1/mem', 'rb') if os.getpid() != 1 else os.kill(victim, 0))",
        canary_needs_root=True,
    ),
    Attack(
        "a daemon",
        "def away():\n  try: os.setsid()\n  except OSError: pass\n"
        "if os.fork() == 0:\n  away()\n  if os.fork() == 0:\n    away(); [os.close(n) for n in (0, 1, 2)]; time.sleep(20)\n  os._exit(0)\n"
        "time.sleep(0.1); print('denied, unless it is left')",
        "28",
        canary="outside",
    ),
    Attack(
        "a daemon that forks on and on",
        "if os.fork() == 0:\n  [os.close(n) for n in (0, 1, 2)]\n  until = time.monotonic() + 8\n"
        "  while time.monotonic() < until:\n    if os.fork(): os._exit(0)\n  os._exit(0)\n"
        "time.sleep(0.1); print('denied, unless it is left')",
        "28",
        canary="outside",
    ),
    Attack(
        "ignore every signal and spin",
        "for n in range(1, 65):\n  try: signal.signal(n, signal.SIG_IGN)\n  except (OSError, ValueError): pass\n"
        "until = time.monotonic() + 2\nwhile time.monotonic() < until: pass\nprint('ESCAPED')",
        "29",
        timeout_seconds=0.5,
        canary="outside",
    ),
    Attack(
        "not dying with the parent",
        "libc.prctl(1, 0, 0, 0, 0); libc.prctl(4, 0, 0, 0, 0); libc.prctl(36, 1, 0, 0, 0)\n"
        "if os.fork() == 0:\n  [os.close(n) for n in (0, 1, 2)]; time.sleep(20); os._exit(0)\n"
        "print('denied, unless it is left')",
        canary="outside",
    ),
    Attack(
        "a leaked descriptor",
        "open_ones = []\nfor n in range(3, 1024):\n  try: os.fstat(n); open_ones.append(n)\n  except OSError: pass\n"
        "print('ESCAPED' if open_ones else 'denied', open_ones)",
        "27",
        canary="outside",
    ),
    Attack(
        "write a forged report to every descriptor",
        'forged = b\'{"ending": "exited", "status": 0, "refused": [], "files": []}\\n\'\nsent = 0\n'
        "for n in range(3, 1024):\n  try: os.write(n, forged); sent += 1\n  except OSError: pass\n"
        "os.write(2, forged); print('ESCAPED' if sent else 'denied')",
        "50",
        canary="none",
        no_canary="there is no supervisor outside",
    ),
    Attack(
        "the supervisor's socket through Python's frames",
        "frame = sys._getframe(); sent = 0\nwhile frame is not None:\n  for thing in [*frame.f_locals.values(), *frame.f_globals.values()]:\n"
        "    if type(thing).__name__ == 'socket':\n      try: thing.send(b'f'); sent += 1\n      except OSError: pass\n  frame = frame.f_back\n"
        "print('ESCAPED' if sent else 'denied')",
        "50",
        canary="none",
        no_canary="there is no supervisor outside",
    ),
    Attack(
        "fake the exit status of a killed call",
        "signal.signal(signal.SIGTERM, lambda *_: os._exit(0))\nif os.fork() == 0:\n  os._exit(0)\nos.write(1, b'denied, by the clock\\n')\ntime.sleep(5); print('ESCAPED')",
        "50",
        timeout_seconds=0.3,
        canary="none",
        no_canary="a plain process has no clock",
    ),
    Attack(
        "close the standard descriptors",
        "os.write(1, b'denied, unless the call fails\\n'); [os.close(n) for n in (0, 1, 2)]; os.open('/dev/null', os.O_RDWR); os._exit(0)",
        canary="none",
        no_canary="it harms nobody outside",
    ),
    Attack(
        "a setuid program",
        "import glob, subprocess\nready = libc.prctl(39, 0, 0, 0, 0) == 0\n"
        "for path in ('/usr/bin/su', '/usr/bin/passwd', '/usr/bin/mount', '/usr/bin/newgrp', '/bin/su'):\n"
        "  try: subprocess.run([path, '--help'], capture_output=True)\n  except OSError: continue\n"
        "  if ready: print('ESCAPED'); break\nelse: print('denied')",
        "19",
        canary="outside",
    ),
    Attack(
        "become root",
        "any_of(lambda: os.setuid(0), lambda: os.setresgid(0, 0, 0), lambda: os.setgroups([0]))",
        "19",
        canary_needs_root=True,
    ),
    Attack(
        "capabilities",
        "header = (ctypes.c_uint32 * 2)(0x20080522, 0); data = (ctypes.c_uint32 * 6)(); libc.capget(header, data)\n"
        "print('ESCAPED' if [b for b in range(64) if data[0 if b < 32 else 3] >> b % 32 & 1 and b != 2] else 'denied')",
        canary_needs_root=True,
    ),
    Attack(
        "raise a hard limit",
        "import resource\nany_of(*(lambda n=n: resource.setrlimit(n, (resource.RLIM_INFINITY,) * 2) for n in (resource.RLIMIT_AS, resource.RLIMIT_CPU)))",
        "39",
        canary="none",
        no_canary="who may raise limits must be root with CAP_SYS_RESOURCE, which containers often take away",
    ),
    Attack(
        "real-time scheduling",
        "any_of(lambda: os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1)))",
        "38",
        canary_needs_root=True,
    ),
    Attack(
        "mknod",
        "import stat\nany_of(lambda: os.mknod('mem', 0o600 | stat.S_IFCHR, os.makedev(1, 1)))",
        "38",
        canary_needs_root=True,
    ),
    Attack("user namespace", "in_a_child(lambda: syscall(272, 97, 0x10000000))", "31"),
    Attack(
        "user namespace by clone",
        "sys.stdout.flush()\npid = syscall(56, 220, 0x10000011, 0, 0, 0, 0)\nif pid == 0: os._exit(0)\nos.wait(); print('ESCAPED')",
        "31",
    ),
    Attack(
        "user namespace by clone3",
        "arguments = (ctypes.c_uint64 * 11)(0x10000000, 0, 0, 0, 17)\nsys.stdout.flush()\n"
        "pid = syscall(435, 435, arguments, 88)\nif pid == 0: os._exit(0)\nos.wait(); print('ESCAPED')",
        "31",
    ),
    Attack(
        "mount",
        "def attempt():\n  try: syscall(272, 97, 0x00020000); libc.mount(b'none', b'/', None, 0x44000, None)\n  except OSError: pass\n"
        "  syscall(165, 40, b'none', os.getcwd().encode(), b'tmpfs', 0, 0)\nin_a_child(attempt)",
        "32",
        canary_needs_root=True,
    ),
    Attack(
        "leave a chroot",
        "def attempt():\n  os.mkdir(f'{mark}c'); os.chroot(f'{mark}c')\n  for n in range(64): os.chdir('..')\n  os.chroot('.'); open(secret).read()\nin_a_child(attempt)",
        canary_needs_root=True,
    ),
    Attack(
        "a 32-bit system call",
        "import mmap\nif os.uname().machine != 'x86_64': raise OSError(38, 'x86-64 only')\n"
        "code = mmap.mmap(-1, 4096, prot=7); code.write(bytes([0x53, 0xb8, 20, 0, 0, 0, 0xcd, 0x80, 0x5b, 0xc3]))\n"
        "run = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))\n"
        "print('ESCAPED' if run() == os.getpid() else 'denied')",
        "40",
        canary="none",
        no_canary="kernels may be built without 32-bit calls",
    ),
    Attack(
        "an x32 system call",
        "gets_through(0x40000000 + 39, -1)",
        "40",
        canary="none",
        no_canary="kernels may be built without x32",
    ),
)
