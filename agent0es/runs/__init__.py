"""What a user can do with a run, as functions that any face calls: the command line today, a service or pages tomorrow.

Values go in and come out; nothing is printed and no signal is handled here. Who wants to see a run while it goes on is
a `driving.Watcher`. What goes wrong is one of `agent0es.errors`. Modules import what is heavy when they are asked.
"""
