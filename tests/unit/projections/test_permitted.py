"""What a query may name: it reads the tables and computes, learns nothing of the machine, and does nothing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent0es.errors import QueryError
from agent0es.projections import Projections, database
from tests.unit.projections.test_fold import small_log

TELLING = (
    "FROM duckdb_settings()",
    "from DuckDB_Settings ()",
    'FROM system.main."duckdb_settings"()',
    "FROM pg_catalog.pg_settings",
    'FROM "pg_settings"',
    "FROM duckdb_databases()",
    "FROM duckdb_databases",
    "FROM pragma_database_list",
    "FROM pragma_database_size()",
    "FROM duckdb_extensions()",
    "FROM duckdb_extension_repositories()",
    "FROM duckdb_secrets()",
    "FROM duckdb_logs()",
    "FROM duckdb_temporary_files()",
    "FROM duckdb_memory()",
    "FROM which_secret('s3://x', 's3')",
    "SHOW temp_directory",
    "SHOW secret_directory",
    "FROM (SHOW temp_directory)",
    "SELECT getenv('HOME')",
)
FILES = (
    "FROM read_text('/etc/passwd')",
    "FROM read_blob('{own}')",
    "FROM read_csv('/etc/passwd')",
    "FROM read_json('/etc/passwd')",
    "FROM read_duckdb('{own}')",
    "FROM glob('{own}')",
    "FROM '{own}'",
    "FROM sniff_csv('/etc/passwd')",
    "FROM parquet_metadata('{own}')",
)
OTHERS = (
    "FROM query('FROM duckdb_settings()')",
    "FROM query_table('duckdb_databases')",
    "FROM histogram(duckdb_databases, path)",
    "FROM json_execute_serialized_sql(json_serialize_sql('FROM runs'))",
    "SELECT json_serialize_plan('FROM runs')",
)
DOING = (
    "FROM checkpoint()",
    "FROM truncate_duckdb_logs()",
    "FROM enable_logging()",
    "FROM enable_profiling(save_location := '/tmp/agent0es-profile.json')",
    "SELECT write_log('x')",
    "FROM create_external_resource('x')",
)
WITH_A_SETTING = (
    "SELECT {f}",
    "EXPLAIN SELECT {f}",
    "EXPLAIN ANALYZE SELECT {f}",
    "DESCRIBE SELECT {f}",
    "SUMMARIZE SELECT {f} AS a",
    "SELECT ('temp_directory').current_setting()",
    "SELECT CURRENT_SETTING ('temp_directory')",
    "SELECT \"current_setting\"('temp_directory')",
    "SELECT current_setting/**/('temp_directory')",
    "SELECT [{f} FOR x IN [1]]",
    "SELECT list_transform([1], lambda x: {f})",
    "SELECT count(*) FILTER (WHERE {f} > '')",
    "SELECT sum(1) OVER (PARTITION BY {f})",
    "SELECT 1 ORDER BY {f}",
    "SELECT 1 LIMIT (SELECT length({f}))",
    "SELECT 1 AS a QUALIFY row_number() OVER (ORDER BY {f}) = 1",
    "SELECT CASE WHEN true THEN {f} END",
    "SELECT {{'a': {f}}}",
    "SELECT MAP {{'a': {f}}}",
    "SELECT ({f})[1:2]",
    "SELECT {f} COLLATE nocase",
    "SELECT CAST({f} AS BLOB)",
    "SELECT (SELECT (SELECT {f}))",
    "WITH x AS MATERIALIZED (SELECT {f}) FROM x",
    "WITH RECURSIVE x AS (SELECT 1 AS a UNION ALL SELECT a + length({f}) FROM x WHERE a < 2) FROM x",
    "VALUES ({f})",
    "FROM range(3) t(a) JOIN range(3) u(b) ON {f} > ''",
    "FROM range(3) t(a), LATERAL (SELECT {f})",
    "FROM unnest([{f}])",
    "FROM range(3) t(a) WHERE a IN (SELECT length({f}))",
    "SELECT 1 UNION SELECT {f}",
    "SELECT 1 GROUP BY GROUPING SETS (({f}), ())",
    "SELECT 1 GROUP BY ALL HAVING {f} > ''",
    "PIVOT (SELECT 1 AS a, {f} AS b) ON a USING max(b)",
    "FROM (PIVOT (SELECT 1 AS a, 2 AS b) ON a USING max({f}))",
    "PIVOT (FROM query('FROM duckdb_databases')) ON type USING max(path)",
    "PIVOT (FROM duckdb_databases) ON type USING max(path)",
    "UNPIVOT (SELECT {f} AS a) ON a",
    "SELECT * REPLACE ({f} AS a) FROM range(3) t(a)",
    "SELECT COLUMNS(*) || {f} FROM (SELECT 'a')",
)
ALLOWED = (
    "FROM runs",
    "SHOW runs",
    "SHOW TABLES",
    "DESCRIBE runs",
    "SUMMARIZE runs",
    "FROM duckdb_tables() SELECT table_name",
    "FROM duckdb_columns",
    "FROM duckdb_functions()",
    "FROM information_schema.tables",
    "FROM range(3) t(query) WHERE query > 1",
    "SELECT 'FROM duckdb_settings()' AS current_setting, 'query(' AS query",
    """SELECT '"function_name":"current_setting"' AS a, '"table_name":"pg_settings"' AS b""",
    "SELECT histogram(a) FROM range(3) t(a)",
    "PIVOT (FROM range(3) t(a)) ON a USING count(*)",
    "PIVOT (FROM runs) ON status USING histogram(run)",
    "FROM json_each('[1, 2]')",
    "FROM generate_series(1, 3)",
    "EXPLAIN PIVOT (FROM runs) ON status USING count(*)",
)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store") / "projections.duckdb"


@pytest.fixture(scope="module")
def tables(own: Path) -> Iterator[Projections]:
    with Projections.open(small_log(), own) as opened:
        opened.catch_up()
        yield opened


def rows(tables: Projections, sql: str) -> list[tuple[Any, ...]]:
    return list(tables.query(sql).rows)


@pytest.mark.parametrize("sql", [*TELLING, *FILES, *OTHERS, *DOING])
def test_the_machine_stays_unknown_and_nothing_is_done(tables: Projections, own: Path, sql: str) -> None:
    with pytest.raises(QueryError) as raised:
        rows(tables, sql.replace("{own}", str(own)))
    assert str(own) not in str(raised.value) or "{own}" in sql


@pytest.mark.parametrize("sql", WITH_A_SETTING)
def test_no_place_of_a_query_hides_a_function(tables: Projections, sql: str) -> None:
    asked = sql.format(f="current_setting('temp_directory')")
    with pytest.raises(QueryError, match="may not use"):
        rows(tables, asked)
    with pytest.raises(QueryError, match="may not use"):
        tables.arrow(asked)


@pytest.mark.parametrize("sql", ALLOWED)
def test_the_tables_can_be_asked_anything(tables: Projections, sql: str) -> None:
    assert rows(tables, sql)
    assert rows(tables, sql), "the second time it is remembered"


def test_no_other_function_without_arguments_tells_a_path(tables: Projections, own: Path) -> None:
    """Of those that the installed DuckDB has: a later one may have more."""
    names = rows(
        tables,
        "SELECT DISTINCT function_name FROM duckdb_functions() WHERE len(parameters) = 0 AND function_type IN "
        "('scalar', 'table', 'macro', 'table_macro') AND regexp_full_match(function_name, '\\w+')",
    )
    views = rows(tables, "SELECT DISTINCT view_name FROM duckdb_views() WHERE internal")
    told = {}
    for asked in (
        [f"SELECT {n}()" for (n,) in names] + [f"FROM {n}()" for (n,) in names] + [f"FROM {n}" for (n,) in views]
    ):
        try:
            told[asked] = str(rows(tables, asked))
        except QueryError as error:
            told[asked] = str(error)
    assert len(told) > 100
    assert {asked: said for asked, said in told.items() if str(own.parent) in said or str(Path.home()) in said} == {}


def test_a_query_that_needs_too_much_is_told_so_without_advice_that_is_not_possible(tables: Projections) -> None:
    with pytest.raises(QueryError, match="needs more memory"):
        rows(tables, "SELECT list(a) FROM range(1000000000) t(a)")


def test_what_is_too_large_for_memory_does_not_fill_the_disk(tmp_path: Path) -> None:
    with database.connect(tmp_path / "own.duckdb") as connection:
        assert connection.execute("SELECT current_setting('max_temp_directory_size')").fetchall() == [("3.7 GiB",)]
