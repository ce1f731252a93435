"""The contract, kept by the scripted backend and by the embedded model."""

import random
from pathlib import Path

import pytest
from contract import BackendContract

from agent0es.models.base import Deployment
from agent0es.models.openvino import OpenVinoBackend
from agent0es.models.scripted import ScriptedBackend
from agent0es.models.weights import find_weights


def script(prompt: str, seed: int, adapter: str | None) -> str:
    if "JSON" in prompt:
        return '{"n": 4}'
    return ", ".join(random.Random(seed).sample(["one", "two", "three", "four", "five", "six", "seven"], 7))


class TestScripted(BackendContract):
    @pytest.fixture
    def backend(self) -> ScriptedBackend:
        return ScriptedBackend(script)

    @pytest.fixture
    def deployment(self) -> Deployment:
        return Deployment("student-1", Path("adapter"))


class TestOpenVino(BackendContract):
    @pytest.fixture
    def backend(self, openvino: OpenVinoBackend) -> OpenVinoBackend:
        return openvino

    @pytest.fixture
    def deployment(self) -> Deployment:
        return Deployment("student-1", Path("adapter"), find_weights("smollm2-135m-instruct").path)
