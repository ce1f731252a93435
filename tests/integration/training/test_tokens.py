"""A model is trained on the tokens that it is then given: those of the engine."""

import random
import struct
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from agent0es.models.gguf_file import HEADER, MAGIC, GgufFile
from agent0es.models.gguf_tokenizer import write_tokenizer
from agent0es.models.weights import find_weights

HOSTILE = [
    *(
        " ",
        "  ",
        "\n",
        "\n\n",
        " \n ",
        "\t\t x",
        "a\r\nb\r\r\nc",
        "   \t\n\t\n   x",
        " hello  world   ",
        "x\u00a0\u3000y",
    ),
    *("I'm, you'RE, they'Ll, it'S, we'd've", "don’t ‘quoted’ “text”", "if (a&&b||!c){d+=1;}//x", "a_b-c.d/e\\f"),
    *("123456789", "3.14159e-10", "x1y22z333", "٣٤٥ १२३ ⅷ ² ½", "１２３ＡＢＣ", "𝔘𝔫𝔦 𝟙𝟚𝟛", "$100.00 €5 #tag @me 50%"),
    *(
        "caf\u00e9 cafe\u0301 \u212b A\u030a \ufb01",
        "e\u0301" * 5,
        "\u0301\u0301",
        "Ǆ ǅ ǆ ſ ß ẞ İ ı",
        "한글 \u1112\u1161\u11ab",
    ),
    *(
        "北京大学 東京",
        "สวัสดี हिन्दी العربية עברית",
        "👩‍👩‍👧‍👦 🇩🇪 👍🏽",
        "\u200b\u200d\ufeff\u2028\u2029\u0085",
        "\x1b[31m",
        "\U0010ffff",
    ),
    *(
        "def f(x):\n    return x**2\n\n\n    # comment\n",
        "```python\nprint(1)\n```",
        "\\frac{1}{2}",
        "!!!???...\n\n\n....",
    ),
    *(
        "<|im_start|>user\nhi<|im_end|>\n",
        "<|im_end|",
        "<repo_name>x<file_sep>",
        "<|im_end|>\n\n<|im_end|>",
        "<unk></s>",
    ),
]


def other_texts(count: int) -> list[str]:
    """Without control characters: SmolLM2's vocabulary lacks some of those bytes, and each engine does with them what
    it likes."""
    chosen = random.Random(1)
    ranges = [(0x20, 0x7F), (0xA0, 0x250), (0x300, 0x370), (0x600, 0x700), (0x2000, 0x2070), (0x4E00, 0x4F00)]
    return [
        "".join(chr(chosen.randrange(*chosen.choice(ranges))) for _ in range(chosen.randrange(1, 30)))
        for _ in range(count)
    ]


def with_cuts(file: GgufFile, cuts: str, path: Path) -> Path:
    """The head of a GGUF, with another rule for how a text is cut."""
    at, data = file.value_at["tokenizer.ggml.pre"], file.metadata_bytes
    length = len(file.metadata["tokenizer.ggml.pre"])
    changed = data[:at] + struct.pack("<Q", len(cuts)) + cuts.encode() + data[at + 8 + length :]
    path.write_bytes(HEADER.pack(MAGIC, 3, 0, len(file.metadata)) + changed + bytes(64))
    return path


@pytest.mark.parametrize("cuts", ["smollm", "qwen2"])
def test_texts_are_cut_as_the_engine_cuts_them(tmp_path: Path, cuts: str) -> None:
    """With SmolLM2's vocabulary, which makes the same cuts visible."""
    import openvino_genai

    path = with_cuts(GgufFile.open(find_weights("smollm2-135m-instruct").path), cuts, tmp_path / f"{cuts}.gguf")
    write_tokenizer(GgufFile.open(path), tmp_path)
    ours, engine = Tokenizer.from_file(str(tmp_path / "tokenizer.json")), openvino_genai.Tokenizer(str(path))
    different = {}
    for text in [*HOSTILE, *other_texts(200)]:
        expected = engine.encode(text, add_special_tokens=False).input_ids.data.tolist()[0]
        if (found := ours.encode(text, add_special_tokens=False).ids) != expected:
            different[text] = found, expected
    assert different == {}


def test_words_that_a_file_adds_are_whole_but_not_special(tiny_qwen2_gguf: Path, tmp_path: Path) -> None:
    """As `<tool_call>` is in Qwen2.5: a text that is decoded keeps it."""
    file = GgufFile.open(tiny_qwen2_gguf)
    file.metadata["tokenizer.ggml.tokens"][280] = "<tool_call>"
    file.metadata["tokenizer.ggml.token_type"][280] = 4
    write_tokenizer(file, tmp_path)
    tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    ids = tokenizer.encode("a<tool_call>b<|im_end|>", add_special_tokens=False).ids
    assert ids[1] == 280 and len(ids) == 4
    assert tokenizer.decode(ids, skip_special_tokens=True) == "a<tool_call>b"
