-- Who may do what. Run by 2026-11-24-2300_roles.py. Everything is found in the catalog, so nothing that the
-- migrations before this one made is missed. Later migrations grant what they add themselves;
-- service/ledger/schema.sql has the grants of today.
--
-- Refusals are codes with the role as DETAIL; service/database/roles.py writes the sentences.
--
-- loupe_owner owns the schema ledger, and its functions run with its rights; nobody logs in as it.
-- loupe_app is what a server's login role is a member of: it reads, adds rows to the tables of public, and
-- moves money by the functions of ledger, and in no other way. Roles belong to the whole cluster.

DO $$
DECLARE
    wanted text;
    task text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['loupe_owner', 'loupe_app'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I', wanted);
            EXCEPTION
                WHEN duplicate_object OR unique_violation THEN
                    NULL;  -- another database of this cluster was first
                WHEN insufficient_privilege THEN
                    RAISE EXCEPTION 'role-cannot-create-roles'
                        USING ERRCODE = 'insufficient_privilege', DETAIL = quote_ident(current_user);
            END;
        END IF;
    END LOOP;
    SELECT rolname INTO wanted FROM pg_roles
    WHERE rolname IN ('loupe_owner', 'loupe_app') AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcanlogin);
    IF FOUND THEN
        RAISE EXCEPTION 'role-too-powerful' USING ERRCODE = 'insufficient_privilege', DETAIL = quote_ident(wanted);
    END IF;
    -- The migrating role hands things over, and changes them in later migrations.
    IF NOT pg_has_role(current_user, 'loupe_owner', 'USAGE') THEN
        BEGIN
            EXECUTE format('GRANT loupe_owner TO %I', current_user);
        EXCEPTION
            WHEN unique_violation THEN
                NULL;
            WHEN insufficient_privilege THEN
                RAISE EXCEPTION 'role-not-a-member'
                    USING ERRCODE = 'insufficient_privilege', DETAIL = quote_ident(current_user);
        END;
    END IF;

    -- ------------------------------------------------------------ owning
    ALTER SCHEMA ledger OWNER TO loupe_owner;
    FOR task IN
        SELECT format('ALTER %s %s OWNER TO loupe_owner',
            CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END, oid::regclass)
        FROM pg_class WHERE relnamespace = 'ledger'::regnamespace AND relkind IN ('r', 'p', 'v', 'm')
        UNION ALL
        SELECT format('ALTER ROUTINE %s OWNER TO loupe_owner', oid::regprocedure)
        FROM pg_proc WHERE pronamespace = 'ledger'::regnamespace
        UNION ALL
        -- The inner functions have the rights of whoever calls them: the owner's inside a function that is
        -- SECURITY DEFINER, which is how a function says that the application may call it; else none.
        SELECT format('ALTER ROUTINE %s SECURITY INVOKER', oid::regprocedure)
        FROM pg_proc WHERE pronamespace = 'ledger'::regnamespace AND proname IN (
            'post', 'count_hold', 'move_balance', 'add_terms', 'level', 'let_through', 'refundable')
    LOOP
        EXECUTE task;
    END LOOP;

    -- ------------------------------------------------------------ granting, from nothing
    REVOKE CREATE ON SCHEMA public FROM PUBLIC;
    REVOKE ALL ON SCHEMA ledger, public FROM loupe_app;
    REVOKE ALL ON ALL TABLES IN SCHEMA ledger FROM PUBLIC, loupe_app;
    REVOKE ALL ON ALL ROUTINES IN SCHEMA ledger FROM PUBLIC, loupe_app;
    GRANT USAGE ON SCHEMA ledger, public TO loupe_app;
    GRANT USAGE ON SCHEMA public TO loupe_owner;
    -- ledger.adjust locks its order, and a row that is to be locked must have a column that might change.
    GRANT UPDATE (id) ON public."order" TO loupe_owner;
    GRANT SELECT ON ALL TABLES IN SCHEMA ledger TO loupe_app;
    FOR task IN
        SELECT format('GRANT EXECUTE ON ROUTINE %s TO loupe_app', oid::regprocedure)
        FROM pg_proc WHERE pronamespace = 'ledger'::regnamespace
            AND (prosecdef OR proname = 'transfer_hash')  -- the view ledger.violations calls the hash
        UNION ALL
        SELECT unnest(ARRAY[
            format('REVOKE ALL ON %s FROM PUBLIC, loupe_app', ours.oid::regclass),
            format('GRANT SELECT ON %s TO loupe_owner, loupe_app', ours.oid::regclass),
            CASE WHEN ours.relname <> 'alembic_version'
                THEN format('GRANT INSERT ON %s TO loupe_app', ours.oid::regclass) END
        ])
        FROM pg_class ours
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
            AND pg_has_role(current_user, relowner, 'USAGE')
        UNION ALL
        -- What the application changes. A plan never changes (its trigger says so), but a row that is to be
        -- locked must have a column that might.
        SELECT format('GRANT UPDATE (%I) ON %s TO loupe_app', attname, attrelid::regclass)
        FROM pg_attribute JOIN pg_class changing ON changing.oid = attrelid
        WHERE relnamespace = 'public'::regnamespace AND attnum > 0 AND NOT attisdropped
            AND (relname, attname) IN (
                ('order', 'status'), ('order', 'hold_id'), ('idempotency', 'status'), ('idempotency', 'body'),
                ('api_key', 'revoked_at'), ('plan', 'id'))
    LOOP
        IF task IS NOT NULL THEN
            EXECUTE task;
        END IF;
    END LOOP;
END
$$;
