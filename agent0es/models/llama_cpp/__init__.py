"""llama.cpp in a process of ours: `backend.py` is the port, `process.py` the batch, `library.py` the C library."""
