"""What the router knows and is bound by: signals of how sure a model is, what the log remembers, budgets and prices.

Nobody is asked here, and nothing is decided: that is `decisions/route.py`, and who acts on it `rollouts/routing.py`.
"""
