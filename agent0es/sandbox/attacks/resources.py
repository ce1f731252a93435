"""Attacks on the machine's memory, disk and process table, and on the network."""

from agent0es.sandbox.attacks.base import Attack

_MEMORY = "it would take the machine's memory"

RESOURCES = (
    Attack(
        "fork bomb",
        "r, w = os.pipe()\nfor i in range(60):\n  if os.fork() == 0: os.close(w); os.read(r, 1); os._exit(0)\nprint('ESCAPED')",
        "20",
        canary="outside",
    ),
    Attack(
        "thread bomb",
        "import threading\nstop = threading.Event()\ntry:\n  for i in range(60): threading.Thread(target=stop.wait, daemon=True).start()\n"
        "  print('ESCAPED')\nexcept RuntimeError as error: print('denied', error)\nstop.set()",
        "20",
        canary="outside",
    ),
    Attack("one allocation of 3 GB", "import mmap; mmap.mmap(-1, 3 << 30); print('ESCAPED')", "21", canary="outside"),
    Attack(
        "800 MB in four children",
        "for i in range(4):\n  if os.fork() == 0: x = b'x' * (200 << 20); time.sleep(3); os._exit(0)\ntime.sleep(2); print('ESCAPED')",
        "22",
        canary="none",
        no_canary=_MEMORY,
    ),
    Attack(
        "800 MB in four children that can't be looked at",
        "for i in range(4):\n  if os.fork() == 0: libc.prctl(4, 0, 0, 0, 0); x = b'x' * (200 << 20); time.sleep(3); os._exit(0)\n"
        "time.sleep(2); print('ESCAPED')",
        "22",
        canary="none",
        no_canary=_MEMORY,
    ),
    Attack(
        "a file of 200 MB",
        "f = open(mark + 'big', 'wb')\nfor i in range(200): f.write(bytes(1 << 20)); f.flush()\nprint('ESCAPED')",
        "23",
        canary="outside",
    ),
    Attack(
        "a sparse file of 1 TB",
        "os.truncate(os.open(mark + 'sparse', os.O_RDWR | os.O_CREAT), 1 << 40); print('ESCAPED')",
        "23",
        canary="outside",
    ),
    Attack(
        "forty files of 1 MB",
        "for i in range(40): open(f'{mark}{i}', 'wb').write(bytes(1 << 20))\ntime.sleep(0.5); print('ESCAPED')",
        "24",
        canary="outside",
    ),
    Attack(
        "three thousand files",
        "for i in range(3000): open(f'{mark}{i}', 'wb').close()\ntime.sleep(0.5); print('ESCAPED')",
        "24",
        canary="outside",
    ),
    Attack(
        "a memory file of 1.5 GB",
        "os.truncate(os.memfd_create('x'), 3 << 29); print('ESCAPED')",
        "26",
        canary="outside",
    ),
    Attack(
        "600 MB in memory files that nobody maps",
        "keep = []\nfor i in range(40):\n  keep.append(os.memfd_create('x'))\n  for j in range(15): os.write(keep[-1], bytes(1 << 20))\nprint('ESCAPED')",
        "26",
        canary="none",
        no_canary=_MEMORY,
    ),
    Attack(
        "900 MB held by threads whose processes have lost their first",
        "import threading\ndef hold(): time.sleep(0.1); x = b'x' * (300 << 20); time.sleep(2); os.write(1, b'ESCAPED')\n"
        "for i in range(3):\n  if os.fork() == 0: threading.Thread(target=hold).start(); syscall(60, 93, 0)\ntime.sleep(3)",
        canary="none",
        no_canary=_MEMORY,
    ),
    Attack(
        "600 MB in buffers of unix sockets",
        "import socket\nr, w = os.pipe()\nfor i in range(8):\n  if os.fork() == 0:\n    keep = []; sent = 0\n"
        "    try:\n      for j in range(28):\n        keep.append(socket.socketpair()); keep[-1][0].setblocking(False); keep[-1][1].setblocking(False)\n"
        "        for end in keep[-1]:\n          try: end.setsockopt(1, 7, 1 << 22)\n          except OSError: pass\n"
        "          try:\n            while True: sent += end.send(bytes(32768))\n          except BlockingIOError: pass\n"
        "    except OSError: pass\n    os.write(w, sent.to_bytes(8, 'little')); time.sleep(3); os._exit(0)\n"
        "held = sum(int.from_bytes(os.read(r, 8), 'little') for i in range(8)) >> 20\n"
        "print('ESCAPED' if held > 80 else 'denied', held, 'MB in all')",
        canary="none",
        no_canary=_MEMORY,
    ),
    Attack(
        "800 MB of shared memory that is not mapped any more",
        "libc.mmap.restype = ctypes.c_void_p; libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]\n"
        "libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]\n"
        "for i in range(8):\n  at = libc.mmap(None, 100 << 20, 3, 0x21 + 2 * (i % 2), -1, 0)\n"
        "  if at in (None, 2 ** 64 - 1): raise OSError(ctypes.get_errno(), 'mmap')\n"
        "  ctypes.memset(at, 1, 100 << 20); libc.munmap(at + 4096, (100 << 20) - 4096)\nprint('ESCAPED')",
        canary="none",
        no_canary=_MEMORY,
    ),
    Attack(
        "huge pages of which a small part is counted",
        "import resource\nlibc.mmap.restype = ctypes.c_void_p; libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]\n"
        "libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]; libc.prctl(41, 0, 0, 0, 0)\n"
        "at = libc.mmap(None, 64 << 20, 3, 0x22, -1, 0); libc.madvise(at, 64 << 20, 14)\nbefore = resource.getrusage(0).ru_minflt\n"
        "ctypes.memset(at, 1, 64 << 20); print('ESCAPED' if resource.getrusage(0).ru_minflt - before < 8000 else 'denied')",
        canary="none",
        no_canary="machines may have no huge pages",
    ),
    Attack(
        "a hundred thousand small mappings",
        "libc.mmap.restype = ctypes.c_void_p; libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]\n"
        "for i in range(5):\n  if os.fork() == 0:\n    for j in range(20000): libc.mmap(None, 4096, 1 + 2 * (j % 2), 0x22, -1, 0)\n"
        "    time.sleep(5); os._exit(0)\ntime.sleep(4); print('ESCAPED')",
        canary="none",
        no_canary=_MEMORY,
        timeout_seconds=8.0,
    ),
    Attack(
        "five thousand timers",
        "timer = ctypes.c_void_p(); event = (ctypes.c_int * 16)(0, 0, 10)\n"
        "for i in range(5000): syscall(222, 107, 0, event, ctypes.byref(timer))\nprint('ESCAPED')",
        canary="outside",
    ),
    Attack(
        "a hundred megabytes on standard output",
        "for i in range(100): os.write(1, b'x' * (1 << 20))\nos.write(2, b'ESCAPED')",
        "49",
        canary="outside",
    ),
    Attack(
        "a hundred megabytes on standard error",
        "for i in range(100): os.write(2, b'x' * (1 << 20))\nos.write(2, b'ESCAPED')",
        "49",
        canary="outside",
    ),
    Attack(
        "lock memory",
        "print('ESCAPED' if libc.mlock(ctypes.create_string_buffer(1 << 20), 1 << 20) == 0 else 'denied')",
        canary_needs_root=True,
    ),
    Attack(
        "shared memory between two calls",
        "until = time.monotonic() + 0.4\nwhile True:\n  try: syscall(29, 194, 0x41304553, 4096, 0); print('ESCAPED'); break\n"
        "  except OSError as error:\n    if error.errno == errno.EPERM or time.monotonic() > until: raise\n  time.sleep(0.02)",
        "",
        canary="unsafe",
        beside="import ctypes, time; l = ctypes.CDLL(None); n = l.shmget(0x41304553, 4096, 0o1666); time.sleep(0.6); l.shmctl(n, 0, None)",
    ),
    Attack(
        "TCP to this machine",
        "import socket; socket.create_connection(('127.0.0.1', tcp_port), 2); print('ESCAPED')",
        "10",
    ),
    Attack(
        "listen on TCP",
        "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(); print('ESCAPED')",
        "10",
    ),
    Attack(
        "UDP to this machine",
        "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', udp_port)); print('ESCAPED')",
        "11",
    ),
    Attack(
        "DNS",
        "import socket; socket.getaddrinfo('example.org', 80); print('ESCAPED')",
        "11",
        canary="none",
        no_canary="there may be no network",
    ),
    Attack("unix socket", "import socket; socket.socket(socket.AF_UNIX).connect(unix_path); print('ESCAPED')", "12"),
    Attack(
        "abstract unix socket",
        "import socket; socket.socket(socket.AF_UNIX).connect('\\0' + abstract); print('ESCAPED')",
        "13",
    ),
    Attack(
        "carry a descriptor to a unix socket",
        "import socket; a, b = socket.socketpair(); c = socket.socket(socket.AF_UNIX); c.connect(unix_path)\n"
        "socket.send_fds(c, [b'x'], [a.fileno()]); print('ESCAPED')",
        "12",
    ),
    Attack(
        "datagrams to a unix socket without connect",
        "import socket\ndef send(kind): socket.socketpair(socket.AF_UNIX, kind)[0].sendto(b'x', socket.MSG_DONTWAIT, datagram_path)\n"
        "any_of(*(lambda kind=kind | flag: send(kind) for kind in (2, 3) for flag in (0, socket.SOCK_NONBLOCK)))",
        "12",
    ),
    Attack(
        "a pair of sockets of another family",
        "gets_through(53, 199, 2, 1, 0, (ctypes.c_int * 2)())",
    ),
    Attack(
        "take an abstract name",
        "import socket; a, b = socket.socketpair(); any_of(lambda: a.bind('\\0' + mark), lambda: a.bind(''))",
    ),
    Attack(
        "three hundred pairs of sockets",
        "import socket\nfor i in range(300): [end.close() for end in socket.socketpair()]\nprint('ESCAPED')",
    ),
    Attack("netlink", "import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0); print('ESCAPED')", "14"),
    Attack(
        "raw, packet, vsock and crypto sockets",
        "import socket\nany_of(lambda: socket.socket(2, 3, 1), lambda: socket.socket(17, 3, 768), lambda: socket.socket(40, 1, 0), lambda: socket.socket(38, 5, 0))",
        canary_needs_root=True,
    ),
    Attack(
        "interfaces of this machine",
        "import socket\nprint('ESCAPED' if len(socket.if_nameindex()) > 1 else 'denied')",
        canary="none",
        no_canary="there may be one alone",
    ),
)
