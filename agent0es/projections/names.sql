-- How names are read in SQL. `agent0es/domain/names.py` says what they are, and writes them.

-- The task of an attempt, of a draft or of what a retraction names: 12 of 12, 12/3, 12/3.1 and 12/draft-0; else NULL.
CREATE MACRO facts.task_of(name) AS try_cast(split_part(name, '/', 1) AS INTEGER);

-- Who answers in an attempt of an evaluation: eval/base-zero-shot/17, or eval/base-zero-shot/17.1 after a crash.
CREATE MACRO facts.arm_of(name) AS regexp_extract(name, '^[^/]+/(.+)/[0-9.]+$', 1);

-- The held-out problem that is answered in it.
CREATE MACRO facts.problem_of(name) AS try_cast(regexp_extract(name, '/([0-9]+)(\.[0-9]+)?$', 1) AS INTEGER);

-- Whether a name is an attempt's; without a slash it is a task's.
CREATE MACRO facts.is_attempt(name) AS contains(name, '/');

-- Whether retracting `what` retracts `source`: a task stands for its attempts (`domain/retraction.py`).
CREATE MACRO facts.covers(what, source) AS source = what OR starts_with(source, what || '/');

-- Whether a stream is one of attempts in an evaluation.
CREATE MACRO facts.is_evaluation(stream) AS stream LIKE 'attempt/%/eval%';
