"""The families of the long-horizon domain: data in files, stages that write files, an answer from the last of them.

A call of Python in one line does a stage: that much a small model can write.
"""

from agent0es.taskdomains.base import Family
from agent0es.taskdomains.long_horizon.families import numbers, records, texts

FAMILIES: tuple[Family, ...] = (*numbers.FAMILIES, *records.FAMILIES, *texts.FAMILIES)
