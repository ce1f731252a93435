"""What a call uses, as its supervisor sees it from outside: memory, processes, files.

`own_proc` says what /proc shows: True where it is the call's own, False where it is that of the whole machine, None
where there is none.
"""

import os
import stat

from agent0es.sandbox.inside import folders

MOST_LOOKED = 64
"""Folders in folders in the kernel tier: only who wants to hide something goes deeper."""
MOST_MAPPINGS, MAPPING_BYTES = 1 << 14, 512
"""Of one process, and about what the kernel keeps for each. Python with SymPy and NumPy has some hundred."""
MAX_MAP_COUNT = 65530
"""What kernels allow a process."""


def memory_of(own_proc: bool | None, most: int) -> tuple[int, int, bool]:
    """(bytes that the call's processes share out among them, how many processes, whether it is more than `most`).

    Stops when it is, and where one process has so many mappings that to look at them takes long.
    """
    total, count, many = 0, 0, False
    for pid in family(own_proc):
        count += 1
        if total <= most and not many:
            used, many = memory_of_process(f"/proc/{pid}")
            total += used
    return total, count, many or total > most


def memory_of_process(place: str) -> tuple[int, bool]:
    """(its share of what it has in memory and what the kernel keeps for its mappings, whether these are too many)."""
    used, many = memory_of_task(place)
    if used == 0:  # its first thread has ended, or all have; the others have its memory still
        try:
            tasks = os.listdir(f"{place}/task")
        except OSError:
            tasks = []
        for task in tasks:
            used, many = memory_of_task(f"{place}/task/{task}")
            if used:
                break
    return used, many


def memory_of_task(place: str) -> tuple[int, bool]:
    """The same, as one of its threads tells; (0, False) where that has none any more."""
    try:
        mappings = count_mappings(place)
        if mappings > MOST_MAPPINGS:
            return mappings * MAPPING_BYTES, True
        with open(f"{place}/smaps_rollup", "rb") as file:
            for row in file:
                if row.startswith(b"Pss:"):
                    return int(row.split()[1]) * 1024 + mappings * MAPPING_BYTES, False
    except OSError:
        try:  # this one everybody may read: each mapping has one page at least
            with open(f"{place}/statm", "rb") as file:
                size, resident = map(int, file.read().split()[:2])
                return resident * 4096 + min(size, MAX_MAP_COUNT) * MAPPING_BYTES, False
        except OSError:
            pass
    return 0, False


def count_mappings(place: str) -> int:
    """How many mappings a process has, counted no further than to the bound."""
    count = 0
    with open(f"{place}/maps", "rb", buffering=0) as file:
        while count <= MOST_MAPPINGS and (piece := file.read(1 << 16)):
            count += piece.count(b"\n")
    return count


def family(own_proc: bool | None) -> list[int]:
    """Process ids of the call: all there are in a /proc of its own, else this process's descendants."""
    if own_proc is not False:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()] if own_proc else []
    parents: dict[int, int] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    parents[int(name)] = int(file.read().rpartition(b")")[2].split()[1])
            except OSError:
                pass
    found: list[int] = []
    left = [os.getpid()]
    while left:
        parent = left.pop()
        below = [pid for pid, above in parents.items() if above == parent]
        found += below
        left += below
    return found


def tasks_of_user() -> int:
    """Processes and threads that this user has: outside a namespace of its own the limit counts them all."""
    count = 0
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and os.stat(f"/proc/{name}").st_uid == os.getuid():
                count += len(os.listdir(f"/proc/{name}/task"))
        except OSError:
            pass
    return count


def too_large(folder: str, most_bytes: int, most_files: int) -> bool:
    """Whether there is more beneath a folder than allowed, or something there that hides from being looked at.

    Goes down by descriptors and follows no link, whatever is moved meanwhile: paths may be too long to be opened.
    """
    size, count = 0, 0

    def look(place: int, depth: int) -> None:
        nonlocal size, count
        with os.scandir(place) as entries:
            for entry in entries:
                count += 1
                if count > most_files or size > most_bytes:
                    return
                try:
                    size += entry.stat(follow_symlinks=False).st_blocks * 512
                    if not entry.is_dir(follow_symlinks=False):
                        continue
                    below = os.open(entry.name, folders.DIRECTORY, dir_fd=place)
                except PermissionError:
                    count = most_files + 1
                    return
                except OSError:
                    continue
                try:
                    if depth == MOST_LOOKED:
                        count = most_files + 1
                    else:
                        look(below, depth + 1)
                finally:
                    os.close(below)

    try:
        top = os.open(folder, folders.DIRECTORY)
    except OSError:
        return True
    try:
        look(top, 0)
    except PermissionError:
        return True
    finally:
        os.close(top)
    return count > most_files or size + nameless() > most_bytes


def nameless() -> int:
    """Bytes in files that the call holds open and has unlinked."""
    sizes: dict[tuple[int, int], int] = {}
    for pid in family(False):
        try:
            tasks = os.listdir(f"/proc/{pid}/task")  # not the process: its first thread may have ended
        except OSError:
            continue
        for task in tasks:
            try:
                for number in os.listdir(f"/proc/{pid}/task/{task}/fd"):
                    status = os.stat(f"/proc/{pid}/task/{task}/fd/{number}")
                    if stat.S_ISREG(status.st_mode) and status.st_nlink == 0:
                        sizes[status.st_dev, status.st_ino] = status.st_blocks * 512
            except OSError:
                pass
    return sum(sizes.values())
