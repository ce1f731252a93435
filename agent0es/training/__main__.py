"""The trainer's process: `python -m agent0es.training PARENT JOB.json`, started by `trainer.ProcessTrainer`."""

import sys
from pathlib import Path

from agent0es.models.child_process import end_with_parent

end_with_parent(int(sys.argv[1]))  # before torch is imported, which takes seconds
from agent0es.training.process import main  # noqa: E402

main(Path(sys.argv[2]))
