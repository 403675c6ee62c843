-- Evidence of a key covers its role and its expiry. Run by 2026-11-29-1830_key_roles.py.
DROP TRIGGER evidence ON public.api_key;
CREATE TRIGGER evidence AFTER INSERT ON public.api_key FOR EACH ROW EXECUTE FUNCTION ledger.keep_evidence(
    'api_key', '2', 'workspace_id', '1', 'id', 'workspace_id', 'name', '#digest', 'holder', 'role', 'expires_at',
    'created_at');

CREATE OR REPLACE VIEW ledger.violations_of_evidence (invariant, subject) AS
SELECT 'I22 a workspace with transfers has a chain', t.workspace_id::text
FROM ledger.transfer t LEFT JOIN ledger.chain c USING (workspace_id)
WHERE c.workspace_id IS NULL GROUP BY t.workspace_id
UNION ALL
SELECT 'I23 a row has its evidence, and evidence its row',
    coalesce(e.kind, r.kind) || ' ' || coalesce(e.subject, r.subject)
FROM ledger.evidenced r FULL JOIN ledger.evidence e ON (e.kind, e.subject) = (r.kind, r.subject)
WHERE e.kind IS NULL OR r.kind IS NULL
UNION ALL
SELECT 'I24 a transfer names evidence of its workspace', t.workspace_id || ' ' || t.seq
FROM (
    SELECT workspace_id, seq, evidence, bool_or(evidence IS NOT NULL)
        OVER (PARTITION BY workspace_id ORDER BY seq) AS expected
    FROM ledger.transfer
) AS t
LEFT JOIN ledger.evidence e ON (e.workspace_id, e.hash) = (t.workspace_id, t.evidence)
WHERE t.expected AND e.hash IS NULL
UNION ALL
SELECT 'I25 a transfer is in the currency of its budget and accounts', t.workspace_id || ' ' || t.seq
FROM ledger.transfer t
JOIN ledger.budget b ON b.id = t.budget_id
JOIN ledger.account a ON a.budget_id = t.budget_id
WHERE t.currency <> b.currency OR a.currency <> b.currency
GROUP BY t.workspace_id, t.seq
UNION ALL
SELECT 'I25 an order is in the currency of its budget, plan and price list', o.id::text
FROM public."order" o
JOIN ledger.budget b ON b.id = o.budget_id
JOIN public.plan p ON p.id = o.plan_id
JOIN public.price_list l ON l.id = p.price_list_id
WHERE o.currency <> b.currency OR p.currency <> b.currency OR l.currency <> b.currency
UNION ALL
SELECT 'I26 an order is what its plan and its reservation say', o.id::text
FROM public."order" o
JOIN public.plan p ON p.id = o.plan_id
LEFT JOIN ledger.transfer t
    ON t.kind = 'reserve' AND t.workspace_id = o.workspace_id AND t.reference = 'order:' || o.id
WHERE (o.workspace_id, o.amount_minor, o.patches) <> (p.workspace_id, p.cost_minor, p.patches_bought)
    OR o.amount_minor <> coalesce(t.amount, 0)
    OR (t.hold_id, t.budget_id) <> (o.hold_id, o.budget_id)
    OR (t.hold_id IS NOT NULL AND o.hold_id IS NULL)
UNION ALL
SELECT 'I27 a period counts what was spent since it began', t.budget_id || '/' || t.version
FROM ledger.budget_terms t
LEFT JOIN ledger.budget_terms p ON (p.budget_id, p.version) = (t.budget_id, t.version - 1)
CROSS JOIN LATERAL (
    SELECT coalesce(sum(CASE kind WHEN 'refund' THEN -amount ELSE amount END), 0) AS minor
    FROM ledger.transfer
    WHERE budget_id = t.budget_id AND kind IN ('settle', 'charge', 'refund')
        AND at < CASE t.reason WHEN 'renewed' THEN t.at ELSE t.period_starts_on::timestamp AT TIME ZONE 'UTC' END
) AS spent
WHERE t.spent_before_minor <> CASE
        WHEN t.reason = 'changed' AND t.period = p.period THEN p.spent_before_minor
        WHEN t.reason = 'opened' THEN 0
        ELSE spent.minor
    END
    AND NOT EXISTS (
        SELECT FROM ledger.budget_terms c
        WHERE c.budget_id = t.budget_id AND c.reason = 'corrected' AND c.version > t.version
    )
UNION ALL
SELECT 'I28 an order from before there were labels has none', o.id::text
FROM public."order" o JOIN ledger.evidence e ON (e.kind, e.subject) = ('order', o.id::text)
WHERE e.form = 1 AND (o.tags <> '{}' OR o.cost_center IS NOT NULL)
UNION ALL
SELECT 'I29 an order expires when its history says', o.id::text
FROM public."order" o
CROSS JOIN LATERAL (
    SELECT expires_at FROM public.order_status_change c
    WHERE c.order_id = o.id AND c.expires_at IS NOT NULL ORDER BY seq DESC LIMIT 1
) AS last
WHERE o.expires_at <> last.expires_at
UNION ALL
SELECT 'I29 a step from before deadlines were recorded has none', c.order_id || '/' || c.seq
FROM public.order_status_change c
JOIN ledger.evidence e ON (e.kind, e.subject) = ('order_status_change', c.order_id || '/' || c.seq)
WHERE e.form = 1 AND c.expires_at IS NOT NULL
UNION ALL
SELECT 'I37 a key from before there were roles is an admin key that does not expire', k.id
FROM public.api_key k JOIN ledger.evidence e ON (e.kind, e.subject) = ('api_key', k.id)
WHERE e.form = 1 AND (k.role <> 'admin' OR k.expires_at IS NOT NULL);

GRANT UPDATE (last_used_at, operator) ON api_key TO loupe_app;
