-- Bills of expired orders once more, after patches came late. What an order holds
-- again counts for its approval. Run by 2026-11-29-1400_late_bills.py.
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON public.late_bill
FOR EACH ROW EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON public.late_bill
FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER evidence AFTER INSERT ON public.late_bill FOR EACH ROW EXECUTE FUNCTION ledger.keep_evidence(
    'late_bill', '1', 'order_id', '2', 'order_id', 'number', 'patches', 'billed_minor', 'settled_minor',
    'basis', 'key_id', 'created_at');

REVOKE ALL ON public.late_bill FROM PUBLIC, loupe_app;
GRANT SELECT ON public.late_bill TO loupe_owner, loupe_app;
GRANT INSERT ON public.late_bill TO loupe_app;

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
    WHERE t.kind = 'reserve' AND t.at > clock_timestamp() - interval '24 hours' AND o.status <> 'held'
        AND NOT (t.reference ~ '^(order|late):' AND EXISTS (
            SELECT FROM public.order_status_change c WHERE c.order_id = o.id AND c.reason_code = 'approved'
        ))
    GROUP BY t.budget_id, h.id, k.holder
    UNION ALL
    SELECT t.budget_id, k.holder, t.amount
    FROM ledger.transfer t
    JOIN ledger.adjustment a ON a.transfer_id = t.id
    JOIN public.api_key k ON k.id = a.key_id
    WHERE t.kind = 'charge' AND t.at > clock_timestamp() - interval '24 hours' AND a.proposal_id IS NULL
) AS lately
GROUP BY budget_id, holder;

CREATE OR REPLACE VIEW ledger.violations_of_transfers (invariant, subject) AS
SELECT 'I1 a transfer has two entries that sum to zero', transfer_id::text
FROM ledger.entry GROUP BY transfer_id HAVING sum(amount) <> 0 OR count(*) <> 2
UNION ALL
SELECT 'I2 a transfer has entries', t.id::text
FROM ledger.transfer t WHERE NOT EXISTS (SELECT FROM ledger.entry e WHERE e.transfer_id = t.id)
UNION ALL
SELECT 'I3 a balance is the sum of its entries', a.id::text
FROM ledger.account a LEFT JOIN ledger.entry e ON e.account_id = a.id
GROUP BY a.id HAVING a.balance <> coalesce(sum(e.amount), 0) OR a.version <> count(e.account_id)
UNION ALL
SELECT 'I4 running balances are exact and versions have no gap', account_id || '/' || version
FROM (
    SELECT account_id, version, balance_after,
        sum(amount) OVER running AS total, row_number() OVER running AS place
    FROM ledger.entry WINDOW running AS (PARTITION BY account_id ORDER BY version)
) AS e
WHERE total <> balance_after OR place <> version
UNION ALL
SELECT 'I5 no guarded account was ever negative', e.account_id || '/' || e.version
FROM ledger.entry e JOIN ledger.account a ON a.id = e.account_id
WHERE a.kind <> 'funding' AND e.balance_after < 0
UNION ALL
SELECT 'I6 the books of a workspace sum to zero per currency', workspace_id || ' ' || currency
FROM ledger.account GROUP BY workspace_id, currency HAVING sum(balance) <> 0
UNION ALL
SELECT 'I7 reserved money is what open holds have left', a.budget_id::text
FROM ledger.account a LEFT JOIN ledger.hold h USING (budget_id) WHERE a.kind = 'reserved'
GROUP BY a.budget_id, a.balance HAVING a.balance <> coalesce(sum(h.amount - h.settled - h.released), 0)
UNION ALL
SELECT 'I8 the counters of a hold are the sums of its transfers', h.id::text
FROM ledger.hold h LEFT JOIN ledger.transfer t ON t.hold_id = h.id
GROUP BY h.id
HAVING h.amount <> coalesce(sum(t.amount) FILTER (WHERE t.kind = 'reserve'), 0)
    OR h.settled <> coalesce(sum(t.amount) FILTER (WHERE t.kind = 'settle'), 0)
    OR h.released <> coalesce(sum(t.amount) FILTER (WHERE t.kind = 'release'), 0)
UNION ALL
SELECT 'I9 the seq of a workspace has no gap', workspace_id || ' ' || seq
FROM (
    SELECT workspace_id, seq, row_number() OVER (PARTITION BY workspace_id ORDER BY seq) AS place
    FROM ledger.transfer
) AS t
WHERE place <> seq
UNION ALL
SELECT 'I10 the hash chain recomputes', workspace_id || ' ' || seq
FROM (
    SELECT t.workspace_id, t.seq, t.previous_hash, t.hash, ledger.transfer_hash(t) AS computed,
        lag(t.hash, 1, decode(repeat('00', 32), 'hex'))
            OVER (PARTITION BY t.workspace_id ORDER BY t.seq) AS predecessor
    FROM ledger.transfer t
) AS t
WHERE previous_hash <> predecessor OR hash <> computed
UNION ALL
SELECT 'I11 the head of the chain is the last transfer', c.workspace_id::text
FROM ledger.chain c LEFT JOIN LATERAL (
    SELECT seq, hash FROM ledger.transfer t WHERE t.workspace_id = c.workspace_id ORDER BY seq DESC LIMIT 1
) AS last ON true
WHERE c.seq <> coalesce(last.seq, 0) OR c.hash <> coalesce(last.hash, decode(repeat('00', 32), 'hex'))
UNION ALL
SELECT 'I12 a claimed idempotency key has an answer', key
FROM public.idempotency WHERE status IS NULL
UNION ALL
SELECT 'I13 a payment has its delivery or final bill, of the same amount', t.reference
FROM ledger.transfer t
LEFT JOIN public.delivery d ON t.reference = 'delivery:' || d.order_id || '/' || d.tile || '/' || d.patch
LEFT JOIN public.final_bill f ON t.reference = 'bill:' || f.order_id
LEFT JOIN public.late_bill l ON t.reference = 'bill:' || l.order_id || '#' || l.number
WHERE t.kind = 'settle'
    AND coalesce(d.settled_minor, f.settled_minor, l.settled_minor) IS DISTINCT FROM t.amount
UNION ALL
SELECT 'I13 a delivery that costs something is paid', d.order_id || '/' || d.tile || '/' || d.patch
FROM public.delivery d LEFT JOIN ledger.transfer t
    ON t.kind = 'settle' AND t.reference = 'delivery:' || d.order_id || '/' || d.tile || '/' || d.patch
WHERE d.settled_minor > 0 AND t.id IS NULL
UNION ALL
SELECT 'I13 the difference to a final bill is paid', f.order_id::text
FROM public.final_bill f LEFT JOIN ledger.transfer t
    ON t.kind = 'settle' AND t.reference = 'bill:' || f.order_id
WHERE f.settled_minor > 0 AND t.id IS NULL
UNION ALL
SELECT 'I13 the difference to a late bill is paid', l.order_id || '#' || l.number
FROM public.late_bill l LEFT JOIN ledger.transfer t
    ON t.kind = 'settle' AND t.reference = 'bill:' || l.order_id || '#' || l.number
WHERE l.settled_minor > 0 AND t.id IS NULL
UNION ALL
SELECT 'I14 a transfer joins the accounts that its kind names', t.id::text
FROM ledger.transfer t
JOIN ledger.movement m USING (kind)
JOIN ledger.account source ON source.id = t.from_account
JOIN ledger.account target ON target.id = t.to_account
WHERE source.kind <> m.from_kind OR target.kind <> m.to_kind;

CREATE OR REPLACE VIEW ledger.violations_of_orders (invariant, subject) AS
SELECT 'I15 available is what the limit leaves of held and spent', id::text
FROM ledger.budget_now WHERE available_minor <> room_minor
UNION ALL
SELECT 'I16 a budget has terms whose versions have no gap', b.id::text
FROM ledger.budget b LEFT JOIN ledger.budget_terms t ON t.budget_id = b.id
GROUP BY b.id HAVING count(t.version) = 0 OR count(t.version) <> max(t.version)
UNION ALL
SELECT 'I17 an order that ended holds nothing', o.id::text
FROM public."order" o JOIN ledger.hold h ON h.id = o.hold_id
WHERE o.status IN ('completed', 'user_cancelled', 'rejected', 'expired') AND h.settled + h.released < h.amount
UNION ALL
SELECT 'I18 an order stands where its history ends', o.id::text
FROM public."order" o LEFT JOIN LATERAL (
    SELECT status FROM public.order_status_change c WHERE c.order_id = o.id ORDER BY seq DESC LIMIT 1
) AS last ON true
WHERE o.status IS DISTINCT FROM last.status
UNION ALL
SELECT 'I19 a refund or charge has its adjustment, of the same amount', coalesce(t.reference, a.order_id::text)
FROM (SELECT * FROM ledger.transfer WHERE kind IN ('refund', 'charge')) AS t
FULL JOIN ledger.adjustment a ON a.transfer_id = t.id
WHERE (t.kind, t.amount) IS DISTINCT FROM (a.kind, a.amount)
UNION ALL
SELECT 'I20 no more came back than was paid', m.order_id::text
FROM ledger.order_money m WHERE m.refunded_minor > m.settled_minor + m.charged_minor
UNION ALL
SELECT 'I20 no more came back than was paid', d.order_id || '/' || d.tile || '/' || d.patch
FROM public.delivery d JOIN ledger.adjustment a USING (order_id, tile, patch)
GROUP BY d.order_id, d.tile, d.patch, d.settled_minor HAVING sum(a.amount) > d.settled_minor
UNION ALL
SELECT 'I21 the newest bill of an order that ended is for what came, and its difference was not settled before',
    b.order_id::text
FROM (
    SELECT DISTINCT ON (order_id) order_id, number, patches, billed_minor, settled_minor,
        sum(settled_minor) OVER (PARTITION BY order_id) - settled_minor AS before_minor
    FROM (
        SELECT order_id, 0 AS number, patches, billed_minor, settled_minor FROM public.final_bill
        UNION ALL
        SELECT order_id, number, patches, billed_minor, settled_minor FROM public.late_bill
    ) AS bills
    ORDER BY order_id, number DESC
) AS b
JOIN public."order" o ON o.id = b.order_id
CROSS JOIN LATERAL (
    SELECT count(*) AS patches, coalesce(sum(settled_minor), 0)::bigint AS minor
    FROM public.delivery d WHERE d.order_id = b.order_id
) AS came
WHERE came.patches <> b.patches
    OR b.settled_minor <> greatest(0, b.billed_minor - came.minor - b.before_minor)
    OR o.status NOT IN ('expired', CASE b.number WHEN 0 THEN 'user_cancelled' ELSE 'completed' END)
UNION ALL
SELECT 'I21 late bills have no gap and are of an order that expired', l.order_id::text
FROM public.late_bill l
GROUP BY l.order_id
HAVING count(*) <> max(l.number) OR NOT EXISTS (
    SELECT FROM public.order_status_change c WHERE c.order_id = l.order_id AND c.status = 'expired'
);

CREATE OR REPLACE VIEW ledger.evidenced (kind, subject) AS
SELECT 'scene', id::text FROM public.scene
UNION ALL
SELECT 'api_key', id::text FROM public.api_key
UNION ALL
SELECT 'price_list', id::text FROM public.price_list
UNION ALL
SELECT 'plan', id::text FROM public.plan
UNION ALL
SELECT 'order', id::text FROM public."order"
UNION ALL
SELECT 'order_status_change', order_id || '/' || seq FROM public.order_status_change
UNION ALL
SELECT 'delivery', order_id || '/' || tile || '/' || patch FROM public.delivery
UNION ALL
SELECT 'delivered_file', order_id || '/' || tile || '/' || patch || '/' || version FROM public.delivered_file
UNION ALL
SELECT 'delivered_part', order_id || '/' || tile || '/' || patch || '/' || number FROM public.delivered_part
UNION ALL
SELECT 'classification', id::text FROM public.classification
UNION ALL
SELECT 'true_labels', order_id || '/' || version FROM public.true_labels
UNION ALL
SELECT 'final_bill', order_id::text FROM public.final_bill
UNION ALL
SELECT 'late_bill', order_id || '/' || number FROM public.late_bill
UNION ALL
SELECT 'invoice', id::text FROM public.invoice
UNION ALL
SELECT 'invoice_line', invoice_id || '/' || position FROM public.invoice_line
UNION ALL
SELECT 'budget', id::text FROM ledger.budget
UNION ALL
SELECT 'budget_terms', budget_id || '/' || version FROM ledger.budget_terms
UNION ALL
SELECT 'adjustment', order_id || '/' || number FROM ledger.adjustment
UNION ALL
SELECT 'proposal', id::text FROM ledger.proposal
UNION ALL
SELECT 'decision', proposal_id::text FROM ledger.decision;
