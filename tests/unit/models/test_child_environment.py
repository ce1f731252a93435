"""What child processes get to see."""

from agent0es.models.child_process import clean_environment


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
