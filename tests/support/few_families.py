"""`python -m tests.support.few_families`: the command `agent0es`, whose math domain has so few families that a whole
run, its evaluation included, takes a minute. Nothing else of it is changed."""

from collections.abc import Iterable, Sequence

from agent0es import taskdomains
from agent0es.cli.main import main
from agent0es.taskdomains import Domains
from agent0es.taskdomains.base import Family, Split
from agent0es.taskdomains.math import MathDomain

FAMILIES = {
    "practised": ("product", "sum_of_three", "remainder", "gcd", "word_reversal", "upper_case"),
    "held_out": ("difference", "quotient"),
    "validation": (),
}


class FewFamilies(MathDomain):
    def families(self, split: Split) -> Sequence[Family]:
        return [self.family(name) for name in FAMILIES[split]]


def load_few_families(names: Iterable[str], families: Iterable[str] = ()) -> Domains:
    """In place of `load_task_domains`."""
    return {"math": FewFamilies()}


if __name__ == "__main__":
    taskdomains.load_task_domains = load_few_families
    main()
