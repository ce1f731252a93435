"""Removes what a call left in its folder; for its supervisor, and for the guard when there is none any more."""

import os

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove(folder: str) -> None:
    """A folder and all in it, however deep and whatever its permissions. Nothing hostile runs any more.

    What lies deeper is first moved to the top: neither the length of a path nor the depth of recursion is a bound.
    """
    os.chmod(folder, 0o700)
    top = os.open(folder, DIRECTORY)
    moved = 0
    while names := os.listdir(top):
        for name in names:
            try:
                os.unlink(name, dir_fd=top)
                continue
            except IsADirectoryError:
                os.chmod(name, 0o700, dir_fd=top)
            place = os.open(name, DIRECTORY, dir_fd=top)
            for below in os.listdir(place):
                try:
                    os.unlink(below, dir_fd=place)
                except IsADirectoryError:
                    os.chmod(below, 0o700, dir_fd=place)
                    moved += 1
                    os.rename(below, f"{os.urandom(8).hex()}-{moved}", src_dir_fd=place, dst_dir_fd=top)
            os.close(place)
            os.rmdir(name, dir_fd=top)
    os.close(top)
    os.rmdir(folder)
