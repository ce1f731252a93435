"""Matrices, mazes and graphs.

None is practised: MiniLM sees no difference between two grids of digits, so that the curriculum would take the second
task of such a family for the first one again; and no program is as short as what a student may write by default.
"""

import re

from agent0es.taskdomains.reasoning_gym.families.common import Item, field, make, quoted


def _island(item: Item) -> dict[str, str] | None:
    grid = item["metadata"]["grid"]
    return {"grid": str(grid)} if any(map(any, grid)) else None


def _maze(item: Item) -> dict[str, str] | None:
    data = item["metadata"]
    if not re.fullmatch(r"[A-Za-z0-9#.*+@_]*", "".join(data["grid"])):
        return None  # quotes, brackets and backslashes for walls are no part of the question
    return {"rows": quoted(data["grid"]), **{name: quoted(data[name]) for name in ("wall", "start", "goal")}}


def _star(item: Item) -> dict[str, str]:
    edges, _, ends = item["question"].strip().splitlines()[-1].partition("/")
    pairs = [tuple(map(int, edge.split())) for edge in edges.strip("|").split("|")]
    return {"edges": str(pairs), "goal": ends.split()[1]}


FAMILIES = (
    make(
        "spiral_matrix",
        "held_out",
        "grids",
        "peel = lambda rows: [*rows[0], *peel([*zip(*rows[1:])][::-1])] if rows else []; "
        "' '.join(map(str, peel({matrix})))",
        field("matrix"),
        top=4,
        settings=lambda level, rng: {"min_n": 2 + level, "max_n": 3 + level},
        compare="text",
    ),
    make(
        "largest_island",
        "held_out",
        "grids",
        "g = {grid}; land = {{(r, c) for r, row in enumerate(g) for c, cell in enumerate(row) if cell}}; "
        "size = lambda r, c: 0 if (r, c) not in land else land.discard((r, c)) or "
        "1 + size(r + 1, c) + size(r - 1, c) + size(r, c + 1) + size(r, c - 1); max(size(*at) for at in sorted(land))",
        _island,
        top=4,
        settings=lambda level, rng: {
            **dict.fromkeys(("min_rows", "min_cols"), 3 + level),
            **dict.fromkeys(("max_rows", "max_cols"), 4 + level),
            "min_num_islands": 1,
            "max_num_islands": 2 + level,
            "min_island_size": 1,
            "max_island_size": 4 + 2 * level,
        },
    ),
    make(
        "maze",
        "held_out",
        "grids",
        "free = {{(r, c): cell for r, row in enumerate({rows}) for c, cell in enumerate(row) if cell != {wall}}}; "
        "walk = lambda reached, steps: steps if any(free[at] == {goal} for at in reached) else walk("
        "{{(r + i, c + j) for r, c in reached for i, j in ((0, 0), (0, 1), (1, 0), (0, -1), (-1, 0)) "
        "if (r + i, c + j) in free}}, steps + 1); walk({{at for at in free if free[at] == {start}}}, 0)",
        _maze,
        top=3,
        settings=lambda level, rng: {
            "min_dist": 2 + level,
            "max_dist": 4 + 2 * level,
            "min_grid_size": 6 + level,
            "max_grid_size": 7 + level,
        },
    ),
    make(
        "path_star",
        "held_out",
        "graphs",
        "before = {{b: a for a, b in {edges}}}; way = lambda n: [*way(before[n]), n] if n in before else [n]; "
        "' '.join(map(str, way({goal})))",
        _star,
        top=3,
        settings=lambda level, rng: {
            "degree": 2,
            "node_range": 100,
            "min_path_length": 2 + level,
            "max_path_length": 3 + level,
        },
        compare="text",
    ),
    make(
        "course_schedule",
        "held_out",
        "graphs",
        "left = lambda pairs: not pairs if (rest := [(a, b) for a, b in pairs if b in {{x for x, y in pairs}}]) "
        "== pairs else left(rest); left({pairs})",
        lambda item: {"pairs": str(item["metadata"]["prerequisites"])},
        top=3,
        settings=lambda level, rng: {
            "min_num_courses": 4 + level,
            "max_num_courses": 5 + 2 * level,
            "min_num_prerequisites": 1,
            "max_num_prerequisites": 2,
            "max_cycle_length": 3 + level,
        },
        compare="text",
    ),
)
