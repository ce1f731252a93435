"""What child processes get to see, and what their last words mean."""

import pytest

from agent0es.models.child_process import clean_environment, out_of_memory


def test_keys_and_tokens_stay_behind() -> None:
    given = {
        "PATH": "/bin",
        "OPENAI_API_KEY": "k",
        "HF_TOKEN": "t",
        "AWS_SECRET_ACCESS_KEY": "s",
        "OMP_NUM_THREADS": "2",
        "AGENT0ES_CRASH_AT": "merge.tensor",
    }
    seen = clean_environment(given)
    assert seen["PATH"] == "/bin" and seen["OMP_NUM_THREADS"] == "2" and seen["HF_HUB_OFFLINE"] == "1"
    assert seen["AGENT0ES_CRASH_AT"] == "merge.tensor", "some of the places at which a test kills are in the trainer"
    assert not any(name.endswith(("KEY", "TOKEN")) for name in seen)


@pytest.mark.parametrize(
    ("words", "lacked"),
    [
        ("MemoryError: std::bad_alloc", True),
        ("ImportError: libtorch_cpu.so: failed to map segment from shared object", True),
        ("OpenBLAS error: Memory allocation still failed after 10 retries, giving up.", True),
        ("memory allocation of 1048576 bytes failed", True),
        ("SystemError: error return without exception set", True),
        ("SystemError: <function _find_and_load at 0x7fa1> returned NULL without setting an exception", True),
        ("RuntimeError: CUDA error: out of memory", True),
        ("RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`", True),
        ("RuntimeError: CUDA error: device-side assert triggered", False),
        ("OSError: [Errno 12] Cannot allocate memory", True),
        ("SystemError: bad argument to internal function", False),
        ("ValueError: the loss is nan", False),
    ],
)
def test_a_lack_of_memory_is_known_by_the_words_of_whoever_met_it(words: str, lacked: bool) -> None:
    assert out_of_memory(words) == lacked
