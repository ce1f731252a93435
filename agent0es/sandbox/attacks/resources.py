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
