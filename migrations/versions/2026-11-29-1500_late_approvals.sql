-- What exceeds an approval counts in its holder's sum, and an order that was never accepted takes nothing.
-- Run by 2026-11-29-1500_late_approvals.py.

-- Holds that were made larger: for accepted prices and for late patches. `cost_minor` is what the order paid and
-- held then, and `minor` what the hold added beyond the amount that another holder approved (everything if none).
CREATE VIEW ledger.enlarged_hold (budget_id, order_id, holder, reference, at, cost_minor, minor) AS
SELECT t.budget_id, o.id, k.holder, t.reference, t.at, cost.minor,
    least(t.amount, greatest(0, cost.minor - CASE WHEN EXISTS (
        SELECT FROM public.order_status_change c WHERE c.order_id = o.id AND c.reason_code = 'approved'
    ) THEN o.amount_minor ELSE 0 END))
FROM ledger.transfer t
JOIN public."order" o ON o.hold_id = t.hold_id
LEFT JOIN public.api_key k ON k.id = o.key_id
CROSS JOIN LATERAL (
    SELECT sum(CASE m.kind WHEN 'reserve' THEN m.amount WHEN 'release' THEN -m.amount ELSE 0 END)::bigint AS minor
    FROM ledger.transfer m
    WHERE m.hold_id = t.hold_id AND m.seq <= t.seq
) AS cost
WHERE t.kind = 'reserve' AND t.reference ~ '^(price|late):';

-- What each holder has ordered and charged in a budget within 24 hours without the approval of another. Money
-- that an order gave back since does not count; refunds count nothing, so that none makes room for a charge. Late
-- patches of an approved order count where the order then costs more than was approved. The day ends with the
-- transaction's start, for which the index can be used.
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
    SELECT t.budget_id, k.holder, t.amount
    FROM ledger.transfer t
    JOIN ledger.adjustment a ON a.transfer_id = t.id
    JOIN public.api_key k ON k.id = a.key_id
    WHERE t.kind = 'charge' AND t.at > now() - interval '24 hours' AND a.proposal_id IS NULL
) AS lately
GROUP BY budget_id, holder;

-- What must never be, of approvals. Adjustments and terms from before there were proposals have evidence of form 1.
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
SELECT 'I30 what one holder charged and paid late above `approval_above` was approved by another', alone.subject
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
        SELECT h.reference, h.budget_id, h.holder, h.at, h.minor
        FROM ledger.enlarged_hold h
        JOIN public.late_bill l ON l.order_id = h.order_id AND h.reference = 'late:' || l.order_id || '#' || l.number
        JOIN public.api_key k ON k.id = l.key_id
        WHERE k.holder = h.holder AND h.minor > 0
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
LEFT JOIN public.late_bill l ON l.order_id = h.order_id AND h.reference = 'late:' || l.order_id || '#' || l.number
LEFT JOIN public.delivered_file f ON f.order_id = h.order_id AND f.version = 1
    AND h.reference = 'price:' || f.order_id || '/' || f.tile || '/' || f.patch
JOIN public.api_key k ON k.id = coalesce(l.key_id, f.key_id)
CROSS JOIN LATERAL (
    SELECT approval_above_minor FROM ledger.budget_terms
    WHERE budget_id = h.budget_id AND at <= h.at ORDER BY version DESC LIMIT 1
) AS terms
WHERE k.holder = h.holder AND h.minor > 0 AND h.cost_minor > terms.approval_above_minor
UNION ALL
SELECT 'I31 terms that give more freedom were approved by another holder', t.budget_id || '/' || t.version
FROM ledger.budget_terms t
JOIN ledger.budget_terms p ON (p.budget_id, p.version) = (t.budget_id, t.version - 1)
JOIN ledger.evidence e ON e.kind = 'budget_terms' AND e.subject = t.budget_id || '/' || t.version
WHERE t.reason = 'changed' AND t.proposal_id IS NULL AND e.form > 1 AND ledger.loosens(p, t)
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

ALTER VIEW ledger.enlarged_hold OWNER TO loupe_owner;
REVOKE ALL ON ledger.enlarged_hold FROM PUBLIC;
GRANT SELECT ON ledger.enlarged_hold TO loupe_app;
