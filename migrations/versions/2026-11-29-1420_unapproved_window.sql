-- The index finds what was ordered and charged within 24 hours. Run by 2026-11-29-1420_unapproved_window.py.
-- What each holder has ordered and charged in a budget within 24 hours without the approval of another. Money
-- that an order gave back since does not count; refunds count nothing, so that none makes room for a charge. The
-- day ends with the transaction's start, for which the index can be used.
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
        AND NOT (t.reference ~ '^(order|late):' AND EXISTS (
            SELECT FROM public.order_status_change c WHERE c.order_id = o.id AND c.reason_code = 'approved'
        ))
    GROUP BY t.budget_id, h.id, k.holder
    UNION ALL
    SELECT t.budget_id, k.holder, t.amount
    FROM ledger.transfer t
    JOIN ledger.adjustment a ON a.transfer_id = t.id
    JOIN public.api_key k ON k.id = a.key_id
    WHERE t.kind = 'charge' AND t.at > now() - interval '24 hours' AND a.proposal_id IS NULL
) AS lately
GROUP BY budget_id, holder;
