-- Payments of the provider's bill for what came of an order that ended early. Run by 2026-11-29-0400_final_bills.py.
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON public.final_bill
FOR EACH ROW EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON public.final_bill
FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER evidence AFTER INSERT ON public.final_bill FOR EACH ROW EXECUTE FUNCTION ledger.keep_evidence(
    'final_bill', '1', 'order_id', '1', 'order_id', 'patches', 'billed_minor', 'settled_minor', 'basis',
    'created_at');

REVOKE ALL ON public.final_bill FROM PUBLIC, loupe_app;
GRANT SELECT ON public.final_bill TO loupe_owner, loupe_app;
GRANT INSERT ON public.final_bill TO loupe_app;

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
WHERE t.kind = 'settle' AND coalesce(d.settled_minor, f.settled_minor) IS DISTINCT FROM t.amount
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
SELECT 'I21 a final bill is of an order that ended, and its difference is what was not settled', f.order_id::text
FROM public.final_bill f JOIN public."order" o ON o.id = f.order_id
CROSS JOIN LATERAL (
    SELECT count(*) AS patches, coalesce(sum(settled_minor), 0)::bigint AS minor
    FROM public.delivery d WHERE d.order_id = f.order_id
) AS came
WHERE o.status NOT IN ('user_cancelled', 'expired') OR came.patches <> f.patches
    OR f.settled_minor <> greatest(0, f.billed_minor - came.minor);

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
SELECT 'final_bill', order_id::text FROM public.final_bill
UNION ALL
SELECT 'budget', id::text FROM ledger.budget
UNION ALL
SELECT 'budget_terms', budget_id || '/' || version FROM ledger.budget_terms
UNION ALL
SELECT 'adjustment', order_id || '/' || number FROM ledger.adjustment;
