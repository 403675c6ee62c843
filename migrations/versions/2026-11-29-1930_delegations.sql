-- Lent approval, and budgets beside those with `approval_above`. Run by 2026-11-29-1930_delegations.py.
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON public.delegation
    FOR EACH ROW EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON public.delegation
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
GRANT SELECT ON public.delegation TO loupe_owner;
GRANT SELECT, INSERT ON public.delegation TO loupe_app;

-- Open a budget with its four accounts and grant it `p_limit` minor units under `p_terms`.
CREATE OR REPLACE FUNCTION ledger.open_budget(
    p_workspace uuid, p_name text, p_currency text, p_limit bigint,
    p_terms jsonb DEFAULT '{}', p_key text DEFAULT NULL
) RETURNS uuid LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE
    guarded boolean;
    opened uuid;
BEGIN
    INSERT INTO chain (workspace_id) VALUES (p_workspace) ON CONFLICT DO NOTHING;
    -- Before the budget's foreign key shares the chain's row: two that share it would wait for each other.
    PERFORM FROM chain WHERE workspace_id = p_workspace FOR UPDATE;
    guarded := EXISTS (
        SELECT FROM budget_now WHERE (workspace_id = p_workspace) AND (approval_above_minor IS NOT NULL));
    -- Else one holder could go around the `approval_above` of one budget with another budget.
    IF guarded AND (p_terms ->> 'approval_above_minor' IS DISTINCT FROM '0') THEN
        RAISE EXCEPTION 'approval-above-needed' USING ERRCODE = 'LP418', DETAIL = p_currency;
    END IF;
    INSERT INTO budget (workspace_id, name, currency) VALUES (p_workspace, p_name, p_currency)
    RETURNING id INTO opened;
    INSERT INTO account (workspace_id, budget_id, currency, kind)
    SELECT p_workspace, opened, p_currency, kind
    FROM unnest(ARRAY['funding', 'available', 'reserved', 'spent']) AS kind;
    PERFORM add_terms(opened, 'opened',
        '{"period": "none", "enforcement": "block", "thresholds": [], "tags": {}}' || p_terms || jsonb_build_object(
            'limit_minor', p_limit, 'spent_before_minor', 0,
            'period_starts_on', coalesce(period_start(p_terms ->> 'period', today()), today())), p_key);
    PERFORM level(opened, 'fund', 'defund', 'budget:' || opened);
    RETURN opened;
END
$$;
