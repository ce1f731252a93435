"""A fresh store is served, and the embedded model answers a client of OpenAI's."""

from pathlib import Path

import openai

from tests.support.serving import served

QUESTION = "What is 17% of 2,340?"


def test_a_client_of_openai_s_gets_an_answer_of_the_embedded_model(tmp_path: Path) -> None:
    with served(tmp_path / "store", "--router") as service:
        client = openai.OpenAI(base_url=f"{service.url}/v1", api_key="none")
        pieces = list(
            client.chat.completions.create(
                model="router", messages=[{"role": "user", "content": QUESTION}], stream=True
            )
        )
        assert "".join(piece.choices[0].delta.content or "" for piece in pieces) == "397.8"
        said = pieces[-1].model_extra["agent0es"]
        assert said["candidate"] == "local" and said["cost_usd"] == 0.0 and 0.0 < said["confidence"] < 1.0
        assert said["calls"][0]["tool"] == "python" and said["calls"][0]["output"] == "397.8"
        whole = client.chat.completions.create(model="router", messages=[{"role": "user", "content": QUESTION}])
        assert whole.choices[0].message.content == "397.8"
        assert whole.model_extra["agent0es"]["cached"] == said["route"]
        assert service.stop() == (0, "")
