-- Beside a budget with `approval_above`, no holder loosens another budget alone, or accepts a price alone.
-- Run by 2026-11-30-0355_ways_around.py.

-- Holds that were made larger: for accepted prices and for late patches. `cost_minor` is what the order paid and
-- held then, and `minor` what the hold added beyond the amount that another holder approved (everything if none).
-- `accepted_by` is the holder who accepted a price for an order of another: nobody else has seen that price.
CREATE OR REPLACE VIEW ledger.enlarged_hold (
    budget_id, order_id, holder, reference, at, cost_minor, minor, delivered_by, accepted_by, form
) AS
SELECT t.budget_id, o.id, k.holder, t.reference, t.at, cost.minor,
    least(t.amount, greatest(0, cost.minor - CASE WHEN EXISTS (
        SELECT FROM public.order_status_change c WHERE c.order_id = o.id AND c.reason_code = 'approved'
    ) THEN o.amount_minor ELSE 0 END)),
    d.holder,
    CASE WHEN l.basis IS DISTINCT FROM 'terms' AND d.holder IS DISTINCT FROM k.holder THEN d.holder END,
    e.form
FROM ledger.transfer t
JOIN public."order" o ON o.hold_id = t.hold_id
LEFT JOIN public.api_key k ON k.id = o.key_id
LEFT JOIN public.late_bill l ON l.order_id = o.id AND t.reference = 'late:' || l.order_id || '#' || l.number
LEFT JOIN public.delivered_file f ON f.order_id = o.id AND f.version = 1
    AND t.reference = 'price:' || f.order_id || '/' || f.tile || '/' || f.patch
LEFT JOIN public.api_key d ON d.id = coalesce(l.key_id, f.key_id)
LEFT JOIN ledger.evidence e ON (e.kind, e.subject) IN (
    ('late_bill', l.order_id || '/' || l.number),
    ('delivered_file', f.order_id || '/' || f.tile || '/' || f.patch || '/1'))
CROSS JOIN LATERAL (
    SELECT sum(CASE m.kind WHEN 'reserve' THEN m.amount WHEN 'release' THEN -m.amount ELSE 0 END)::bigint AS minor
    FROM ledger.transfer m
    WHERE m.hold_id = t.hold_id AND m.seq <= t.seq
) AS cost
WHERE t.kind = 'reserve' AND t.reference ~ '^(price|late):';

-- What each holder has ordered and charged in a budget within 24 hours without the approval of another. Money
-- that an order gave back since does not count; refunds count nothing, so that none makes room for a charge. Late
-- patches of an approved order count where the order then costs more than was approved. A price counts for the
-- holder who accepted it too. The day ends with the transaction's start, for which the index can be used.
CREATE OR REPLACE VIEW ledger.unapproved (budget_id, holder, minor) AS
SELECT budget_id, holder, sum(minor)
FROM (
    SELECT t.budget_id, k.holder, greatest(0, sum(t.amount) - (
        SELECT coalesce(sum(r.amount), 0) FROM ledger.transfer r
        WHERE r.hold_id = h.id AND r.kind = 'release' AND r.seq > min(t.seq)
    )) AS minor
    FROM ledger.transfer t
    JOIN ledger.hold h ON h.id = t.hold_id
    JOIN public."order" o ON o.hold_id = h.id
    JOIN public.api_key k ON k.id = o.key_id
    WHERE t.kind = 'reserve' AND t.at > now() - interval '24 hours' AND o.status <> 'held'
        AND t.reference !~ '^late:'
        AND NOT (t.reference ~ '^order:' AND EXISTS (
            SELECT FROM public.order_status_change c WHERE c.order_id = o.id AND c.reason_code = 'approved'
        ))
    GROUP BY t.budget_id, h.id, k.holder
    UNION ALL
    SELECT budget_id, holder, minor
    FROM ledger.enlarged_hold
    WHERE at > now() - interval '24 hours' AND reference ~ '^late:'
    UNION ALL
    SELECT budget_id, accepted_by, minor
    FROM ledger.enlarged_hold
    WHERE at > now() - interval '24 hours' AND accepted_by IS NOT NULL
    UNION ALL
    SELECT t.budget_id, k.holder, t.amount
    FROM ledger.transfer t
    JOIN ledger.adjustment a ON a.transfer_id = t.id
    JOIN public.api_key k ON k.id = a.key_id
    WHERE t.kind = 'charge' AND t.at > now() - interval '24 hours' AND a.proposal_id IS NULL
) AS lately
GROUP BY budget_id, holder;

-- Whether one holder's purchases in a workspace need another holder, because a budget of it has `approval_above`.
CREATE FUNCTION ledger.needs_two(p_workspace uuid)
RETURNS boolean LANGUAGE sql STABLE SET search_path = ledger, pg_temp AS $$
    SELECT EXISTS (SELECT FROM budget_now WHERE (workspace_id = p_workspace) AND (approval_above_minor IS NOT NULL))
$$;
ALTER FUNCTION ledger.needs_two OWNER TO loupe_owner;
REVOKE ALL ON FUNCTION ledger.needs_two FROM PUBLIC;

-- Whether a change of terms gives orders more freedom.
CREATE OR REPLACE FUNCTION ledger.loosens(t_old ledger.budget_terms, t_new ledger.budget_terms)
RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(t_new.approval_above_minor > t_old.approval_above_minor, t_old.approval_above_minor IS NOT NULL)
        OR t_new.limit_minor > t_old.limit_minor
        OR t_new.period <> t_old.period
        OR array_position('{block,warn,off}', t_new.enforcement) > array_position('{block,warn,off}', t_old.enforcement)
        OR coalesce(t_new.ends_on, 'infinity') > coalesce(t_old.ends_on, 'infinity')
        OR coalesce(t_old.starts_on, '-infinity') > coalesce(t_new.starts_on, '-infinity')
$$;

-- Open a budget with its four accounts and grant it `p_limit` minor units under `p_terms`.
CREATE OR REPLACE FUNCTION ledger.open_budget(
    p_workspace uuid, p_name text, p_currency text, p_limit bigint,
    p_terms jsonb DEFAULT '{}', p_key text DEFAULT NULL
) RETURNS uuid LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE
    opened uuid;
BEGIN
    INSERT INTO chain (workspace_id) VALUES (p_workspace) ON CONFLICT DO NOTHING;
    -- Before the budget's foreign key shares the chain's row: two that share it would wait for each other.
    PERFORM FROM chain WHERE workspace_id = p_workspace FOR UPDATE;
    -- Else one holder could go around the `approval_above` of one budget with another budget.
    IF needs_two(p_workspace) AND (p_terms ->> 'approval_above_minor' IS DISTINCT FROM '0') THEN
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

-- Change a budget's limit and terms, or propose it where another holder has to approve: also of a budget without
-- `approval_above` beside one that has it, or else one holder could buy from the first what the second does not allow.
CREATE OR REPLACE FUNCTION ledger.change_budget(p_workspace uuid, p_budget uuid, p_limit bigint, p_terms jsonb, p_key text)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE
    t budget_terms;
    wanted jsonb := p_terms || jsonb_build_object('limit_minor', p_limit);
BEGIN
    PERFORM lock_budget(p_workspace, p_budget);
    SELECT * INTO t FROM budget_terms WHERE budget_id = p_budget ORDER BY version DESC LIMIT 1;
    IF needs_two(p_workspace) AND loosens(t, jsonb_populate_record(t, wanted)) THEN
        INSERT INTO proposal (id, budget_id, terms, key_id, at)
        SELECT gen_random_uuid(), p_budget, jsonb_object_agg(key, value), p_key, clock_timestamp()
        FROM jsonb_each(wanted) WHERE value <> to_jsonb(t) -> key;
    ELSE
        PERFORM put_in_force(p_budget, wanted, p_key, NULL);
    END IF;
END
$$;

DROP TRIGGER evidence ON public.delivered_file;
CREATE TRIGGER evidence AFTER INSERT ON public.delivered_file FOR EACH ROW EXECUTE FUNCTION ledger.keep_evidence(
    'delivered_file', '2', 'order_id', '4', 'order_id', 'tile', 'patch', 'version', 'sha256', 'size',
    '#pixels', 'checks', 'key_id', 'created_at');

DROP TRIGGER evidence ON public.late_bill;
CREATE TRIGGER evidence AFTER INSERT ON public.late_bill FOR EACH ROW EXECUTE FUNCTION ledger.keep_evidence(
    'late_bill', '2', 'order_id', '2', 'order_id', 'number', 'patches', 'billed_minor', 'settled_minor',
    'basis', 'key_id', 'created_at');

DROP TRIGGER evidence ON ledger.budget_terms;
CREATE TRIGGER evidence AFTER INSERT ON ledger.budget_terms FOR EACH ROW EXECUTE FUNCTION ledger.keep_evidence(
    'budget_terms', '3', 'budget_id', '2', 'budget_id', 'version', 'reason', 'limit_minor', 'period',
    'starts_on', 'ends_on', 'enforcement', 'thresholds', 'tags', 'approval_above_minor',
    'period_starts_on', 'spent_before_minor', 'key_id', 'at', 'proposal_id');

-- What must never be, of approvals. Rows from before there were proposals, and from before these rules, have
-- evidence of earlier forms.
CREATE OR REPLACE VIEW ledger.violations_of_approvals (invariant, subject) AS
SELECT 'I30 an order above `approval_above` was approved by another holder', o.id::text
FROM public."order" o
JOIN ledger.transfer t
    ON t.kind = 'reserve' AND t.workspace_id = o.workspace_id AND t.reference = 'order:' || o.id
CROSS JOIN LATERAL (
    SELECT approval_above_minor FROM ledger.budget_terms
    WHERE budget_id = t.budget_id AND at <= t.at ORDER BY version DESC LIMIT 1
) AS terms
LEFT JOIN public.api_key buying ON buying.id = o.key_id
WHERE o.amount_minor > terms.approval_above_minor
    AND EXISTS (SELECT FROM public.order_status_change c WHERE c.order_id = o.id AND c.status = 'accepted')
    AND NOT EXISTS (
        SELECT FROM public.order_status_change c JOIN public.api_key deciding ON deciding.id = c.key_id
        WHERE c.order_id = o.id AND c.reason_code = 'approved' AND deciding.holder IS DISTINCT FROM buying.holder
    )
UNION ALL
SELECT 'I30 what one holder charged, accepted and paid late above `approval_above` was approved by another',
    alone.subject
FROM (
    SELECT subject, budget_id, at, sum(minor) OVER (
        PARTITION BY budget_id, holder ORDER BY at RANGE BETWEEN interval '24 hours' PRECEDING AND CURRENT ROW
    ) AS minor
    FROM (
        SELECT a.order_id || '/' || a.number AS subject, t.budget_id, k.holder, t.at, t.amount AS minor
        FROM ledger.adjustment a
        JOIN ledger.transfer t ON t.id = a.transfer_id
        JOIN ledger.evidence e ON e.kind = 'adjustment' AND e.subject = a.order_id || '/' || a.number
        LEFT JOIN public.api_key k ON k.id = a.key_id
        WHERE a.kind = 'charge' AND a.proposal_id IS NULL AND e.form > 1
        UNION ALL
        SELECT reference, budget_id, delivered_by, at, minor
        FROM ledger.enlarged_hold
        WHERE minor > 0 AND (delivered_by = holder AND reference ~ '^late:' OR accepted_by IS NOT NULL AND form > 1)
    ) AS spending
) AS alone
CROSS JOIN LATERAL (
    SELECT approval_above_minor FROM ledger.budget_terms
    WHERE budget_id = alone.budget_id AND at <= alone.at ORDER BY version DESC LIMIT 1
) AS terms
WHERE alone.minor > terms.approval_above_minor
UNION ALL
SELECT 'I30 a price or late patch that brought an order above `approval_above` was delivered by another holder',
    h.reference
FROM ledger.enlarged_hold h
CROSS JOIN LATERAL (
    SELECT approval_above_minor FROM ledger.budget_terms
    WHERE budget_id = h.budget_id AND at <= h.at ORDER BY version DESC LIMIT 1
) AS terms
WHERE h.delivered_by = h.holder AND h.minor > 0 AND h.cost_minor > terms.approval_above_minor
UNION ALL
SELECT 'I31 terms that give more freedom were approved by another holder', t.budget_id || '/' || t.version
FROM ledger.budget_terms t
JOIN ledger.budget_terms p ON (p.budget_id, p.version) = (t.budget_id, t.version - 1)
JOIN ledger.evidence e ON e.kind = 'budget_terms' AND e.subject = t.budget_id || '/' || t.version
WHERE t.reason = 'changed' AND t.proposal_id IS NULL AND ledger.loosens(p, t)
    -- Form 2 is from when only the terms of the budget itself counted.
    AND (e.form = 2 AND p.approval_above_minor IS NOT NULL OR e.form > 2 AND EXISTS (
        SELECT FROM ledger.budget b JOIN ledger.budget other USING (workspace_id)
        CROSS JOIN LATERAL (
            SELECT approval_above_minor FROM ledger.budget_terms
            WHERE budget_id = other.id AND at < t.at ORDER BY version DESC LIMIT 1
        ) AS before
        WHERE b.id = t.budget_id AND before.approval_above_minor IS NOT NULL
    ))
UNION ALL
SELECT 'I32 a charge is the approved one, and an approved one is charged', coalesce(p.id, a.proposal_id)::text
FROM (SELECT * FROM ledger.approved WHERE terms IS NULL) AS p
FULL JOIN (SELECT * FROM ledger.adjustment WHERE proposal_id IS NOT NULL) AS a ON a.proposal_id = p.id
WHERE (p.order_id, p.amount, p.reason, p.key_id, 'charge') IS DISTINCT FROM
    (a.order_id, a.amount, a.reason, a.key_id, a.kind)
UNION ALL
SELECT 'I32 terms are the approved ones, and approved ones are in force', coalesce(p.id, t.proposal_id)::text
FROM (SELECT * FROM ledger.approved WHERE terms IS NOT NULL) AS p
FULL JOIN (SELECT * FROM ledger.budget_terms WHERE proposal_id IS NOT NULL) AS t ON t.proposal_id = p.id
WHERE (p.budget_id, p.key_id) IS DISTINCT FROM (t.budget_id, t.key_id) OR NOT to_jsonb(t) @> p.terms
UNION ALL
SELECT 'I36 an order was accepted before anything of it was delivered', o.id::text
FROM public."order" o
WHERE (o.patches > 0 AND o.status IN ('processing', 'completed')
        OR EXISTS (SELECT FROM public.delivery d WHERE d.order_id = o.id))
    AND NOT EXISTS (SELECT FROM public.order_status_change c WHERE c.order_id = o.id AND c.status = 'accepted');

ALTER VIEW ledger.enlarged_hold SET (security_invoker = true);
ALTER VIEW ledger.unapproved SET (security_invoker = true);
ALTER VIEW ledger.violations_of_approvals SET (security_invoker = true);
