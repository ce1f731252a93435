"""What all backends share that ask a server: one client, which tries again, keeps to limits, and says what went wrong.

`client.py` asks and reads; `faults.py` decides what follows from a fault; `asking.py` does it, whoever sends the
request; `pacing.py` holds back; `reading.py` cuts a stream into its events; `cut.py` sees that a prompt was not cut;
`keys.py` finds the key and keeps it out of every message; `options.py` is what a user can set.
"""

from agent0es.models.http.asking import Asking, ServerRefused
from agent0es.models.http.client import HttpClient
from agent0es.models.http.faults import Fault, ServerFault
from agent0es.models.http.keys import Key
from agent0es.models.http.options import HttpOptions, options_of

__all__ = ["Asking", "Fault", "HttpClient", "HttpOptions", "Key", "ServerFault", "ServerRefused", "options_of"]
