-- Plans are found by any text that they hold. Run by 2026-11-30-0930_text_search.py.

-- Runs of one to three characters of a text, those of `p_least` and longer: a text that holds another has all of
-- the other's runs. The indexes below find plans by them, so that a text that no plan holds is known at once.
CREATE FUNCTION ledger.grams(p_text text, p_least integer) RETURNS text[] LANGUAGE sql
IMMUTABLE STRICT PARALLEL SAFE COST 1000 AS $$
    SELECT coalesce(array_agg(DISTINCT gram), '{}') FROM (
        SELECT unnest((ARRAY[one, one || lead(one) OVER w, one || lead(one) OVER w || lead(one, 2) OVER w])[p_least:])
        FROM string_to_table(p_text, NULL) WITH ORDINALITY AS c (one, place) WINDOW w AS (ORDER BY place)
    ) AS runs (gram) WHERE gram IS NOT NULL
$$;

-- Nearly every digest holds each run of two hexadecimal digits, so shorter runs are of the names only.
CREATE FUNCTION ledger.grams_of_plan(p_id uuid, p_provenance jsonb) RETURNS text[] LANGUAGE sql
IMMUTABLE STRICT PARALLEL SAFE COST 2000 AS $$
    SELECT ledger.grams(lower(concat_ws(E'\n', p_id::text, p_provenance ->> 'input_sha256')), 3)
        || ledger.grams(lower(concat_ws(E'\n', p_provenance -> 'price_list' ->> 'name',
            p_provenance -> 'bundle' ->> 'name')), 1)
$$;

CREATE FUNCTION ledger.grams_of_names(p_name text, p_external_id text, p_tags jsonb) RETURNS text[] LANGUAGE sql
IMMUTABLE PARALLEL SAFE COST 2000 AS $$
    SELECT ledger.grams(lower(concat_ws(E'\n', p_name, p_external_id, p_tags::text)), 1)
$$;

-- Few rows wait outside the index for their place, because a search reads them all.
CREATE INDEX ix_plan_grams ON public.plan USING gin (ledger.grams_of_plan(id, provenance))
    WITH (gin_pending_list_limit = 256);
CREATE INDEX ix_plan_naming_grams ON public.plan_naming USING gin (ledger.grams_of_names(name, external_id, tags))
    WITH (gin_pending_list_limit = 256);

-- Plans that may hold a text, up to a number. Row-level security keeps its readers from these indexes: it
-- lets them use only operators that reveal nothing, and none of GIN does. So the owner of the ledger looks.
CREATE FUNCTION ledger.plans_holding(p_workspace uuid, p_text text, p_most integer) RETURNS SETOF uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = ledger, public, pg_temp SET enable_seqscan = off AS $$
DECLARE
    wanted text[] := grams(lower(p_text), least(3, length(p_text)));
BEGIN
    RETURN QUERY SELECT id FROM plan
        WHERE workspace_id = p_workspace AND grams_of_plan(id, provenance) @> wanted LIMIT p_most;
    RETURN QUERY SELECT plan_id FROM plan_naming
        WHERE workspace_id = p_workspace AND grams_of_names(name, external_id, tags) @> wanted LIMIT p_most;
END
$$;

ALTER FUNCTION ledger.grams OWNER TO loupe_owner;
ALTER FUNCTION ledger.grams_of_plan OWNER TO loupe_owner;
ALTER FUNCTION ledger.grams_of_names OWNER TO loupe_owner;
ALTER FUNCTION ledger.plans_holding OWNER TO loupe_owner;
REVOKE ALL ON FUNCTION ledger.grams, ledger.grams_of_plan, ledger.grams_of_names, ledger.plans_holding FROM PUBLIC;
-- Whoever adds a plan computes its entry in the index.
GRANT EXECUTE ON FUNCTION ledger.grams, ledger.grams_of_plan, ledger.grams_of_names, ledger.plans_holding TO loupe_app;
