"""The catalog of a database as lines of text, one for each object, so that two can be compared."""

from sqlalchemy import text
from sqlalchemy.orm import Session

_NAMESPACES = "(SELECT oid FROM pg_namespace WHERE nspname IN ('ledger', 'public'))"
_OURS = f"relnamespace IN {_NAMESPACES} AND relname NOT LIKE 'alembic_version%'"


def _acl(column: str, kind: str, owner: str) -> str:
    """Return SQL for the sorted privileges of an object; `kind` is the object type of acldefault()."""
    return f"""(
        SELECT string_agg(a.line, ', ' ORDER BY a.line) FROM (
            SELECT format('%s %s%s by %s', CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END,
                privilege_type, CASE WHEN is_grantable THEN ' grantable' END, grantor::regrole) AS line
            FROM aclexplode(coalesce({column}, acldefault('{kind}', {owner})))
        ) AS a
    )"""


_LINES = {
    "schema": f"""
        SELECT format('%s owner %s, %s', nspname, nspowner::regrole, {_acl("nspacl", "n", "nspowner")})
        FROM pg_namespace WHERE oid IN {_NAMESPACES}
    """,
    "relation": f"""
        SELECT format('%s %s %s owner %s, %s, options %s, row security %s', relkind, relpersistence,
            oid::regclass, relowner::regrole,
            {_acl("relacl", "r", "relowner")}, reloptions, (relrowsecurity, relforcerowsecurity))
        FROM pg_class WHERE {_OURS} AND relkind NOT IN ('i', 'S')
    """,
    "sequence": f"""
        SELECT format('%s owner %s, %s', oid::regclass, relowner::regrole, {_acl("relacl", "s", "relowner")})
        FROM pg_class WHERE {_OURS} AND relkind = 'S'
    """,
    # The place of a column matters only in the ledger, whose functions insert whole rows.
    "column": f"""
        SELECT format('%s.%s %s %s not null %s default %s identity "%s" generated "%s" collation %s, %s',
            attrelid::regclass, attname,
            CASE WHEN relnamespace = 'ledger'::regnamespace THEN attnum END,
            format_type(atttypid, atttypmod), attnotnull, pg_get_expr(adbin, adrelid), attidentity,
            attgenerated, attcollation::regcollation,
            (SELECT string_agg(acl.line, ', ' ORDER BY acl.line) FROM (
                SELECT format('%s %s', grantee::regrole, privilege_type) AS line FROM aclexplode(attacl)
            ) AS acl))
        FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid
        LEFT JOIN pg_attrdef d ON d.adrelid = attrelid AND d.adnum = attnum
        WHERE {_OURS} AND relkind IN ('r', 'v') AND attnum > 0 AND NOT attisdropped
    """,
    "view": f"""
        SELECT format('%s %s', oid::regclass, pg_get_viewdef(oid))
        FROM pg_class WHERE {_OURS} AND relkind = 'v'
    """,
    "constraint": f"""
        SELECT format('%s %s %s valid %s deferrable %s', conrelid::regclass, conname,
            pg_get_constraintdef(k.oid), convalidated, condeferrable)
        FROM pg_constraint k JOIN pg_class c ON c.oid = conrelid WHERE {_OURS}
    """,
    "index": f"""
        SELECT format('%s %s', pg_get_indexdef(indexrelid), indisvalid)
        FROM pg_index JOIN pg_class c ON c.oid = indrelid WHERE {_OURS}
    """,
    "trigger": f"""
        SELECT format('%s enabled %s', pg_get_triggerdef(t.oid), tgenabled)
        FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid WHERE {_OURS} AND NOT tgisinternal
    """,
    "policy": f"""
        SELECT format('%s %s permissive %s for %s to %s using %s check %s', polrelid::regclass, polname,
            polpermissive, polcmd, polroles::regrole[], pg_get_expr(polqual, polrelid),
            pg_get_expr(polwithcheck, polrelid))
        FROM pg_policy JOIN pg_class c ON c.oid = polrelid WHERE {_OURS}
    """,
    "function": f"""
        SELECT format('%s owner %s, %s', pg_get_functiondef(oid), proowner::regrole,
            {_acl("proacl", "f", "proowner")})
        FROM pg_proc WHERE pronamespace IN {_NAMESPACES} AND prokind IN ('f', 'p')
    """,
    "type": f"""
        SELECT format('%s %s owner %s', typtype, oid::regtype, typowner::regrole) FROM pg_type
        WHERE typnamespace IN {_NAMESPACES} AND typrelid = 0 AND typelem = 0
    """,
    "movement": "SELECT format('%s %s %s', kind, from_kind, to_kind) FROM ledger.movement",
}  # fmt: skip


def catalog_of(session: Session) -> set[str]:
    """Return every property of every object in the schemas `ledger` and `public`, except Alembic's table."""
    return {
        f"{kind}: {line}" for kind, query in _LINES.items() for line in session.execute(text(query)).scalars()
    }
