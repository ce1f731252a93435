"""The process that holds a model of the backend `transformers`, started by `models/engine.py: Engine`.

python -m agent0es.models.transformers.process WEIGHTS SHA256 CACHE SETTINGS END_OF_TURN FD PARENT
"""

import json
import os
import sys
from pathlib import Path

from agent0es.errors import ModelNotFound
from agent0es.models import engine_child
from agent0es.models.base import WrongWeights
from agent0es.models.engine_child import run
from agent0es.models.made_once import sha256_of
from agent0es.models.transformers.settings import Settings
from agent0es.models.transformers.source import sha256_of_folder
from agent0es.models.weights import base_model_dir


def checked(weights: Path, sha256: str, cache: Path) -> Path:
    """The Hugging Face folder of weights that have this hash; a GGUF's is made once in `cache`. Raises WrongWeights
    and ModelNotFound."""
    try:
        found = sha256_of_folder(weights) if weights.is_dir() else sha256_of(weights)
        if found != sha256:
            raise WrongWeights(f"{weights}: its sha256 is {found}, but should be {sha256}")
        return weights if weights.is_dir() else base_model_dir(cache, weights)
    except OSError as error:
        raise ModelNotFound(f"{weights}: can't be read, or written in {cache}: {error.strerror or error}") from error


def main() -> None:
    """Run the engine that the arguments describe."""
    weights, sha256, cache, options, end_of_turn, descriptor, parent = sys.argv[1:]
    # Threads that wait by turning take the cores from one another, and from the sandbox: on a busy machine a step then
    # takes ten times as long.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

    def load() -> engine_child.Batch:
        folder = checked(Path(weights), sha256, Path(cache))
        from agent0es.models.transformers.batch import Batch
        from agent0es.models.transformers.loading import load

        settings = Settings(**json.loads(options))
        return Batch(load(folder, settings, end_of_turn), settings)

    run(descriptor, parent, load)


if __name__ == "__main__":
    main()
