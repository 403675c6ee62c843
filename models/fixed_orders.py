"""Orders of a tile's patches that ignore what the tile shows. Plain Python: the planner imports it too."""

# Patches are numbered column-major: id = 4 col + row. Only so are the first eight of Fixed-H two rows.
FIXED_H = (5, 6, 9, 10, 13, 14, 1, 2, 0, 3, 4, 7, 8, 11, 12, 15)
"""The centre, then the two middle rows outwards. The paper prints 15 ids; 12, paired with 15, is ours."""

FIXED_V = (4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3)
"""The two middle columns, then the right one, then the left one."""
