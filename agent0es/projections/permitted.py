"""What a query may name. Pure.

DuckDB's settings lock keeps a query from files, but some of its functions and views tell about the machine, write, or
run a text as another query. Table functions are refused unless they stand here, so those of a later DuckDB are too.
"""

import re
from collections.abc import Collection

from agent0es.errors import QueryError

TABLE_FUNCTIONS = frozenset(
    "duckdb_columns duckdb_constraints duckdb_functions duckdb_indexes duckdb_keywords duckdb_schemas duckdb_tables "
    "duckdb_types duckdb_views generate_series icu_calendar_names json_each json_tree pg_timezone_names pragma_show "
    "pragma_table_info pragma_version range repeat repeat_row summary test_all_types unnest".split()
)
"""That compute rows, or tell what tables there are."""
FUNCTIONS = frozenset("current_setting getenv json_serialize_plan write_log".split())
"""That are refused: they tell of the machine, plan another query, or write."""
VIEWS = re.compile(r"(duckdb|pragma|pg)_\w*", re.IGNORECASE)
"""DuckDB's own; those of `information_schema` tell of tables only."""

ROWS_OF = re.compile(r'"type":"TABLE_FUNCTION".*?"function_name":"((?:[^"\\]|\\.)*)"', re.DOTALL)
CALLED = re.compile(r'"function_name":"((?:[^"\\]|\\.)*)"')
TABLE = re.compile(r'"table_name":"((?:[^"\\]|\\.)*)"')
WORD = re.compile(r"\w+")


def must_be_permitted(tree: str) -> None:
    """Raises QueryError for a query that names what it may not. `tree` is what `json_serialize_sql` makes of it: a text
    in it has its quotes escaped, so it can't look like a name, and none of it is too deep."""
    for found in ROWS_OF.finditer(tree):
        _refuse_unless(found[1].lower() in TABLE_FUNCTIONS, found[1])
    for found in CALLED.finditer(tree):
        _refuse_unless(found[1].lower() not in FUNCTIONS, found[1])
    for found in TABLE.finditer(tree):
        _refuse_unless(not VIEWS.fullmatch(found[1]) or found[1].lower() in TABLE_FUNCTIONS, found[1])


def must_say_only_permitted(sql: str, others: Collection[str]) -> None:
    """The same of a text that DuckDB gives no tree of, a PIVOT: none of its words may be such a name. `others` are
    names of table functions that are nothing else."""
    for word in WORD.findall(sql):
        name = word.lower()
        refused = name in FUNCTIONS or name in others or VIEWS.fullmatch(name)
        _refuse_unless(not refused or name in TABLE_FUNCTIONS, word)


def _refuse_unless(permitted: bool, name: str) -> None:
    if not permitted:
        raise QueryError(f"a query may not use {name[:100]}: it reads the tables and computes with them, and no more")
