-- Row-level security on every table with a workspace. Run by 2026-11-29-1940_row_security.py.
-- A transaction says for which workspace it works: SET LOCAL loupe.workspace. Rows of others do not exist for
-- it. Without the setting every access fails; '*' means all workspaces, for work that serves no request.
-- The ledger's functions see every row, since each is told its workspace.

-- It has no search path of its own, so that it is inlined; its names are bound when it is made.
CREATE FUNCTION ledger.sees(workspace uuid) RETURNS boolean LANGUAGE sql STABLE
RETURN current_setting('loupe.workspace') = '*'
    OR workspace = nullif(current_setting('loupe.workspace'), '*')::uuid;
ALTER FUNCTION ledger.sees OWNER TO loupe_owner;
REVOKE ALL ON FUNCTION ledger.sees FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.sees TO loupe_app;

DO $$
DECLARE
    protected text;
    visible text;
BEGIN
    FOR protected, visible IN
        SELECT format('%I.%I', n.nspname, c.relname), 'ledger.sees(workspace_id)'
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname IN ('public', 'ledger') AND c.relkind = 'r'
            AND a.attname = 'workspace_id' AND NOT a.attisdropped
        UNION ALL VALUES ('public.workspace', 'ledger.sees(id)')
        UNION ALL SELECT unnest(ARRAY['delivery', 'delivered_file', 'delivered_part', 'order_status_change',
                'final_bill', 'late_bill', 'ledger.adjustment']),
            'EXISTS (SELECT FROM public."order" o WHERE o.id = order_id)'
        UNION ALL SELECT unnest(ARRAY['ledger.budget_terms', 'ledger.hold', 'ledger.proposal']),
            'EXISTS (SELECT FROM ledger.budget b WHERE b.id = budget_id)'
        UNION ALL VALUES
            ('ledger.decision', 'EXISTS (SELECT FROM ledger.proposal p WHERE p.id = proposal_id)'),
            ('ledger.entry', 'EXISTS (SELECT FROM ledger.account a WHERE a.id = account_id)')
    LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', protected);
        EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', protected);
        EXECUTE format('CREATE POLICY own_workspace ON %s USING (%s)', protected,
            CASE WHEN visible LIKE 'EXISTS%' THEN 'current_setting(''loupe.workspace'') = ''*'' OR ' ELSE '' END
            || visible);
        EXECUTE format('CREATE POLICY ledger_functions ON %s TO loupe_owner USING (true)', protected);
    END LOOP;
    -- A view would show its owner's rows otherwise.
    FOR protected IN
        SELECT oid::regclass FROM pg_class WHERE relnamespace = 'ledger'::regnamespace AND relkind = 'v'
    LOOP
        EXECUTE format('ALTER VIEW %s SET (security_invoker = true)', protected);
    END LOOP;
END
$$;
