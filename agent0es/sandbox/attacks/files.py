"""Attacks through the file system: reading and writing outside, what is handed back, what can't be cleaned up."""

from agent0es.sandbox.attacks.base import Attack

_REACHES_THE_SECRET = "print('ESCAPED' if b'agent0es-secret-' in {} else 'denied')"


def _reads(expression: str) -> str:
    return _REACHES_THE_SECRET.format(expression)


FILES = (
    Attack("read a secret file", _reads("open(secret, 'rb').read()"), "1"),
    Attack("read /etc/passwd", "print('ESCAPED' if 'root:' in open('/etc/passwd').read() else 'denied')", "2"),
    Attack(
        "a secret through text that SymPy evaluates",
        "import sympy\nread = f\"__import__('pathlib').Path({secret!r}).read_bytes()\"\n"
        "sympy.sympify(f\"__import__('os').write(1, {read})\"); print('denied, unless it was printed')",
        "47",
        timeout_seconds=20.0,
    ),
    Attack(
        "a secret through names that don't look like it",
        "made = [kind for kind in ().__class__.__base__.__subclasses__() if kind.__name__ == '_wrap_close'][0]\n"
        + _reads("made.__init__.__globals__['fdopen'](eval('__ｉmport__(\"os\")').open(secret, 0), 'rb').read()"),
        "48",
    ),
    Attack("list a folder outside", "any_of(lambda: os.listdir(outside))"),
    Attack("write a file outside", "any_of(lambda: open(f'{outside}/new', 'w'))", "15"),
    Attack("write into /tmp", "open(f'/tmp/{mark}', 'w').write('x'); print('denied, unless it is seen outside')", "15"),
    Attack(
        "write into ../",
        "os.chdir(outside_beneath) if os.path.isdir(outside_beneath) else 0; open(f'../{mark}', 'w')\nprint('ESCAPED')",
        "16",
    ),
    Attack("overwrite a file outside", "open(victim_file, 'r+').write('x'); print('ESCAPED')", "15"),
    Attack("truncate a file outside", "any_of(lambda: os.truncate(victim_file, 0))", "42"),
    Attack(
        "remove or rename a file outside",
        "any_of(lambda: os.rename(victim_file, victim_file + '2'), lambda: os.unlink(victim_file))",
    ),
    Attack("symbolic link out", "os.symlink(secret, mark + 'l')\n" + _reads("open(mark + 'l', 'rb').read()"), "17"),
    Attack("hard link in", "os.link(secret, mark + 'h')\n" + _reads("open(mark + 'h', 'rb').read()"), "18"),
    Attack(
        "artifacts that are links, pipes and sockets",
        "import stat\nfor attempt in (lambda: os.symlink(secret, 'link'), lambda: os.link(secret, 'hard'), lambda: os.mkfifo('pipe'),\n"
        "    lambda: os.symlink('/proc/self/environ', 'environ'), lambda: os.symlink('/', 'root'),\n"
        "    lambda: os.mknod('device', 0o666 | stat.S_IFCHR, os.makedev(1, 5))):\n"
        "  try: attempt()\n  except OSError: pass\n"
        "print('denied, unless the secret is handed back')",
        "50",
        canary="none",
        no_canary="nothing is handed back outside",
        collect=True,
    ),
    Attack(
        "swap an artifact for a link while it is handed back",
        "open('good', 'w').close(); os.symlink(secret, 'bad')\nif os.fork() == 0:\n"
        "  while True: os.rename('good', 't'); os.rename('bad', 'good'); os.rename('t', 'bad')\n"
        "time.sleep(0.05); print('denied, unless the secret is handed back')",
        "50",
        canary="none",
        no_canary="nothing is handed back outside",
        collect=True,
    ),
    Attack(
        "file names that are not UTF-8, with newlines, with escapes",
        "for name in (b'\\xff\\xfe', b'a\\nb', b'\\x1b[2Jx', b'-rf', b'..x', b'x' * 255): open(name, 'w').write('x')\n"
        "print('denied, unless the call fails')",
        canary="none",
        no_canary="nothing is handed back outside",
        collect=True,
    ),
    Attack(
        "a tree that can't be listed",
        "os.umask(0)\nfor n in range(3): os.mkdir(mark + 'd', 0o300); os.chdir(mark + 'd'); open(mark, 'w').close(); os.mkdir('locked', 0)\n"
        "print('denied, unless it is left')",
        "50",
        canary="none",
        no_canary="nobody cleans up outside",
    ),
    Attack(
        "a tree deeper than any path is long",
        "for n in range(1500):\n  try: os.mkdir(mark + 'd' * 190); os.chdir(mark + 'd' * 190)\n  except OSError: break\n"
        "print('denied, unless it is left')",
        canary="none",
        no_canary="nobody cleans up outside",
    ),
    Attack(
        "a tree deeper than recursion goes",
        "for n in range(4000):\n  try: os.mkdir(mark + 'd'); os.chdir(mark + 'd')\n  except OSError: break\n"
        "print('denied, unless it is left')",
        "50",
        canary="none",
        no_canary="nobody cleans up outside",
    ),
    Attack(
        "files of 40 MB beneath paths too long to look at",
        "for n in range(30): os.mkdir('d' * 250); os.chdir('d' * 250)\n"
        "for n in range(40): open(str(n), 'wb').write(bytes(1 << 20))\ntime.sleep(0.5); print('ESCAPED')",
        "24",
        canary="outside",
    ),
    Attack(
        "40 MB in files without a name",
        "keep = []\nfor n in range(40): keep.append(open(str(n), 'wb')); os.unlink(str(n)); keep[-1].write(bytes(1 << 20)); keep[-1].flush()\n"
        "time.sleep(0.5); print('ESCAPED')",
        "24",
        canary="outside",
    ),
    Attack(
        "40 MB in a folder that can't be listed",
        "os.mkdir('locked', 0o300); os.chdir('locked')\n"
        "for n in range(40): open(str(n), 'wb').write(bytes(1 << 20))\ntime.sleep(0.5); print('ESCAPED')",
        "24",
        canary="outside",
    ),
    Attack("/dev/shm", "open(f'/dev/shm/{mark}', 'w'); print('ESCAPED')", "25"),
    Attack(
        "devices",
        "found = []\nfor name in ('mem', 'kmsg', 'kvm', 'fuse', 'tty', 'ptmx', 'full', 'loop-control', 'net/tun', 'vda', 'sda'):\n"
        "  try: os.close(os.open(f'/dev/{name}', os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY)); found.append(name)\n  except OSError: pass\n"
        "print('ESCAPED' if found else 'denied', found)",
    ),
    Attack(
        "write to files of the kernel",
        "any_of(*(lambda path=path: os.close(os.open(path, os.O_WRONLY)) for path in (\n"
        "  '/proc/sysrq-trigger', '/proc/sys/kernel/core_pattern', '/proc/sys/kernel/modprobe', '/sys/kernel/uevent_helper',\n"
        "  '/sys/power/state', '/sys/fs/cgroup/cgroup.procs', '/proc/sys/vm/drop_caches')))",
        canary_needs_root=True,
    ),
    Attack("look into /sys", "any_of(lambda: os.listdir('/sys/kernel'), lambda: os.listdir('/sys/class/net'))"),
    Attack("write /proc/self/mem", "os.close(os.open('/proc/self/mem', os.O_RDWR)); print('ESCAPED')", "41"),
    Attack(
        "change mode, times, owner and attributes of a file outside",
        "at = os.fsencode(victim_file); buffer = ctypes.create_string_buffer(64)\n"
        "any_of(lambda: os.chmod(victim_file, 0o600), lambda: os.utime(victim_file, (1, 1)), lambda: os.chown(victim_file, os.getuid(), -1),\n"
        "  lambda: os.setxattr(victim_file, 'user.a', b'x'), lambda: os.removexattr(victim_file, 'user.b'),\n"
        "  lambda: syscall(463, 463, -100, at, 0, b'user.c', (ctypes.c_uint64 * 2)(ctypes.addressof(buffer), 1), 16),\n"
        "  lambda: syscall(466, 466, -100, at, 0, b'user.d'), lambda: syscall(198, 15, at, b'user.e'))",
        "42",
    ),
    Attack(
        "fchmodat2 on a file outside",
        "any_of(lambda: syscall(452, 452, -100, os.fsencode(victim_file), 0o600, 0))",
        "42",
        canary="none",
        no_canary="the system call is newer (Linux 6.6) than many kernels",
    ),
    Attack(
        "file_setattr on a file outside",
        "gets_through(469, 469, -100, os.fsencode(victim_file), None, 0, 0)",
        canary="none",
        no_canary="the system call is newer (Linux 6.17) than most kernels",
    ),
    Attack(
        "attributes of a readable file by ioctl",
        "import fcntl\nfd = os.open(os.__file__, os.O_RDONLY); flags = bytearray(8)\n"
        "fcntl.ioctl(fd, 0x80086601, flags); fcntl.ioctl(fd, 0x40086602, flags); print('ESCAPED')",
        canary_needs_root=True,
        canary="none",
        no_canary="not every file system has attributes",
    ),
    Attack(
        "read attributes of a file outside",
        "at = os.fsencode(victim_file); buffer = ctypes.create_string_buffer(64); arguments = (ctypes.c_uint64 * 2)(ctypes.addressof(buffer), 64)\n"
        "any_of(lambda: os.getxattr(victim_file, 'user.b'), lambda: os.listxattr(victim_file), lambda: os.listxattr(victim_file, follow_symlinks=False),\n"
        "  lambda: syscall(464, 464, -100, at, 0, b'user.b', arguments, 16), lambda: syscall(465, 465, -100, at, 0, buffer, 64))",
    ),
    Attack(
        "40 MB in files on their way through a socket",
        "import socket\na, b = socket.socketpair(); kept = 0\nfor n in range(40):\n  with open(str(n), 'wb') as f: f.write(bytes(1 << 20)); f.flush(); os.unlink(str(n)); socket.send_fds(a, [b'x'], [f.fileno()])\n"
        "time.sleep(0.5); print('ESCAPED')",
        canary="outside",
    ),
    Attack(
        "40 MB in files without a name, held by a thread whose process has lost its first",
        "import threading\ndef hold():\n  keep = []; time.sleep(0.2)\n  for n in range(40): keep.append(open(str(n), 'wb')); os.unlink(str(n)); keep[-1].write(bytes(1 << 20)); keep[-1].flush()\n"
        "  time.sleep(0.5); os.write(1, b'ESCAPED')\nif os.fork() == 0: threading.Thread(target=hold).start(); syscall(60, 93, 0)\nos.wait()",
        canary="outside",
    ),
    Attack(
        "learn names outside by inotify",
        "fd = syscall(294, 26, 0)\nany_of(lambda: syscall(254, 27, fd, os.fsencode(outside), 0x100))",
    ),
    Attack(
        "leave code for the next Python",
        "def leave(folder):\n  path = f'{folder}/{mark}.pth'; os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)); os.unlink(path)\n"
        "any_of(*(lambda folder=folder: leave(folder) for folder in (*sys.path, os.path.dirname(os.__file__), sys.prefix)\n"
        "  if os.path.isabs(folder) and os.path.isdir(folder)))",
        "30",
        canary_needs_root=True,
    ),
    Attack(
        "import a package of the project",
        "try: import pydantic; print('ESCAPED')\nexcept ImportError: print('denied')",
        "30",
        canary="outside",
    ),
    Attack(
        "another call's files",
        "import glob\nuntil = time.monotonic() + 0.4; found = []\nwhile time.monotonic() < until and not found:\n"
        "  for pattern in ('/tmp/*/neighbour', '/tmp/neighbour', '/proc/*/cwd/neighbour', '/proc/*/root/tmp/neighbour'):\n"
        "    found += [path for path in glob.glob(pattern) if os.path.realpath(path) != os.path.realpath('neighbour')]\n"
        "  time.sleep(0.02)\nprint('ESCAPED' if found else 'denied', found)",
        beside="open('neighbour', 'w').write('x'); import time; time.sleep(0.6)",
    ),
    Attack(
        "read and write through arguments of programs",
        "import subprocess\nfor line in (['/usr/bin/grep', '-f', secret, secret], ['/usr/bin/cat', secret], ['/usr/bin/diff', '/dev/null', secret],\n"
        "    ['/usr/bin/tail', secret], ['/usr/bin/sort', '-o', f'{outside}/new', '/dev/null'], ['/usr/bin/date', '-f', secret]):\n"
        "  try: done = subprocess.run(line, capture_output=True)\n  except OSError: continue\n"
        "  if b'agent0es-secret-' in done.stdout + done.stderr: print('ESCAPED', line[0])\n"
        "print('denied, else')",
        "45",
    ),
    Attack(
        "a shell through find -exec",
        "import subprocess\nprint(subprocess.run(['/usr/bin/find', '.', '-maxdepth', '0', '-exec', '/bin/sh', '-c', 'echo ESCAPED', ';'],\n"
        "  capture_output=True, text=True).stdout or 'denied')",
        "43",
    ),
)
