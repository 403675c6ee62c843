-- Months that are closed, with their balances. Run by 2026-11-29-1430_closed_months.py.

-- Months (of UTC) in which no entry is made any more. `seq` is the newest transfer when the month was closed.
CREATE TABLE ledger.closed_month (
    workspace_id uuid NOT NULL REFERENCES ledger.chain ON DELETE RESTRICT,
    month date NOT NULL,
    seq bigint NOT NULL,
    key_id text NOT NULL REFERENCES public.api_key ON DELETE RESTRICT,
    at timestamptz NOT NULL,
    CONSTRAINT month_is_its_first_day CHECK (extract(day FROM month) = 1),
    CONSTRAINT month_seq_positive CHECK (seq > 0),
    PRIMARY KEY (workspace_id, month)
);

-- Balances of the accounts that moved before the end of a closed month: when it began and when it ended.
CREATE TABLE ledger.month_balance (
    workspace_id uuid NOT NULL,
    month date NOT NULL,
    account_id bigint NOT NULL REFERENCES ledger.account ON DELETE RESTRICT,
    opening bigint NOT NULL,
    closing bigint NOT NULL,
    CONSTRAINT month_balance_of_its_month FOREIGN KEY (workspace_id, month)
        REFERENCES ledger.closed_month (workspace_id, month) ON DELETE RESTRICT,
    PRIMARY KEY (workspace_id, month, account_id)
);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['ledger.closed_month', 'ledger.month_balance'] LOOP
        EXECUTE format('ALTER TABLE %s OWNER TO loupe_owner', name);
        EXECUTE format('GRANT SELECT ON %s TO loupe_app', name);
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON %s
                        FOR EACH ROW EXECUTE FUNCTION ledger.refuse_change()', name);
        EXECUTE format('CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON %s
                        FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change()', name);
    END LOOP;
END
$$;
CREATE TRIGGER evidence AFTER INSERT ON ledger.closed_month FOR EACH ROW EXECUTE FUNCTION ledger.keep_evidence(
    'closed_month', '1', 'workspace_id', '2', 'workspace_id', 'month', 'seq', 'key_id', 'at');
CREATE TRIGGER evidence AFTER INSERT ON ledger.month_balance FOR EACH ROW EXECUTE FUNCTION ledger.keep_evidence(
    'month_balance', '1', 'workspace_id', '3', 'workspace_id', 'month', 'account_id', 'opening', 'closing');

CREATE OR REPLACE FUNCTION ledger.post(
    p_kind text, p_budget uuid, p_amount bigint, p_hold uuid, p_reference text, p_id uuid DEFAULT gen_random_uuid()
)
RETURNS uuid LANGUAGE plpgsql SET search_path = ledger, pg_temp AS $$
DECLARE
    move movement;
    head chain;
    source account;
    target account;
    t transfer;
    closed date;
BEGIN
    SELECT * INTO STRICT move FROM movement WHERE kind = p_kind;
    SELECT c.* INTO head FROM chain c JOIN budget b USING (workspace_id) WHERE b.id = p_budget FOR UPDATE OF c;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no-budget' USING ERRCODE = 'LP404', DETAIL = coalesce(p_budget::text, '');
    END IF;

    PERFORM count_hold(p_kind, p_budget, p_hold, p_amount);
    source := move_balance(p_budget, move.from_kind, -p_amount);
    target := move_balance(p_budget, move.to_kind, p_amount);

    t.id := p_id;
    t.workspace_id := head.workspace_id;
    t.seq := head.seq + 1;
    t.kind := p_kind;
    t.budget_id := p_budget;
    t.from_account := source.id;
    t.to_account := target.id;
    t.currency := source.currency;
    t.amount := p_amount;
    t.hold_id := p_hold;
    t.at := clock_timestamp();
    SELECT max(month) INTO closed FROM closed_month WHERE workspace_id = t.workspace_id;
    IF t.at < (closed + interval '1 month') AT TIME ZONE 'UTC' THEN  -- the clock was set back
        RAISE EXCEPTION 'month-closed' USING ERRCODE = 'LP417', DETAIL = closed;
    END IF;
    t.reference := p_reference;
    t.previous_hash := head.hash;
    t.evidence := (
        SELECT hash FROM evidence WHERE workspace_id = t.workspace_id ORDER BY evidence.seq DESC LIMIT 1
    );
    t.hash := transfer_hash(t);

    INSERT INTO transfer VALUES (t.*);
    INSERT INTO entry VALUES
        (source.id, source.version, t.id, -p_amount, source.balance),
        (target.id, target.version, t.id, p_amount, target.balance);
    UPDATE chain SET seq = t.seq, hash = t.hash WHERE workspace_id = t.workspace_id;
    RETURN t.id;
END
$$;

-- Close a month of a workspace: no entry is made in it any more, and its balances are stated. Returns false if it
-- was closed before. Months are closed one after the other, from that of the first entry, once they are over.
CREATE FUNCTION ledger.close_month(p_workspace uuid, p_month date, p_key text)
RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE
    begins timestamptz := p_month::timestamp AT TIME ZONE 'UTC';
    ends timestamptz := (p_month + interval '1 month') AT TIME ZONE 'UTC';
    due date;
BEGIN
    -- An entry takes its time under this lock: whatever is dated in the month is seen here, or refused later.
    PERFORM FROM chain WHERE workspace_id = p_workspace FOR UPDATE;
    IF EXISTS (SELECT FROM closed_month WHERE (workspace_id = p_workspace) AND (month = p_month)) THEN
        RETURN false;
    END IF;
    IF clock_timestamp() < ends THEN
        RAISE EXCEPTION 'month-not-over' USING ERRCODE = 'LP415', DETAIL = p_month;
    END IF;
    due := coalesce(
        (SELECT max(month) + interval '1 month' FROM closed_month WHERE workspace_id = p_workspace),
        (SELECT date_trunc('month', min(at) AT TIME ZONE 'UTC') FROM transfer WHERE workspace_id = p_workspace));
    IF p_month IS DISTINCT FROM due THEN
        RAISE EXCEPTION 'month-not-next' USING ERRCODE = 'LP416', DETAIL = coalesce(due::text, '');
    END IF;
    INSERT INTO closed_month
    SELECT p_workspace, p_month, seq, p_key, clock_timestamp() FROM chain WHERE workspace_id = p_workspace;
    INSERT INTO month_balance
    SELECT p_workspace, p_month, e.account_id,
        coalesce(sum(e.amount) FILTER (WHERE t.at < begins), 0), sum(e.amount)
    FROM transfer t JOIN entry e ON e.transfer_id = t.id
    WHERE (t.workspace_id = p_workspace) AND (t.at < ends)
    GROUP BY e.account_id;
    RETURN true;
END
$$;

ALTER FUNCTION ledger.close_month OWNER TO loupe_owner;
REVOKE ALL ON FUNCTION ledger.close_month FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.close_month TO loupe_app;

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
SELECT 'decision', proposal_id::text FROM ledger.decision
UNION ALL
SELECT 'closed_month', workspace_id || '/' || month FROM ledger.closed_month
UNION ALL
SELECT 'month_balance', workspace_id || '/' || month || '/' || account_id FROM ledger.month_balance;

CREATE VIEW ledger.violations_of_months (invariant, subject) AS
SELECT 'I33 balances of a closed month are the sums of its entries',
    workspace_id || ' ' || month || ' ' || account_id
FROM (
    SELECT c.workspace_id, c.month, e.account_id, sum(e.amount) AS closing,
        coalesce(sum(e.amount) FILTER (WHERE t.at < c.month::timestamp AT TIME ZONE 'UTC'), 0) AS opening
    FROM ledger.closed_month c
    JOIN ledger.transfer t ON t.workspace_id = c.workspace_id
        AND t.at < (c.month + interval '1 month') AT TIME ZONE 'UTC'
    JOIN ledger.entry e ON e.transfer_id = t.id
    GROUP BY c.workspace_id, c.month, e.account_id
) AS found
FULL JOIN ledger.month_balance b USING (workspace_id, month, account_id)
WHERE (b.opening, b.closing) IS DISTINCT FROM (coalesce(found.opening, 0), coalesce(found.closing, 0))
UNION ALL
SELECT 'I34 months are closed one after the other, once they are over', workspace_id || ' ' || month
FROM (
    SELECT workspace_id, month, at, lag(month) OVER (PARTITION BY workspace_id ORDER BY month) AS previous
    FROM ledger.closed_month
) AS c
WHERE at < (month + interval '1 month') AT TIME ZONE 'UTC' OR month <> previous + interval '1 month'
UNION ALL
SELECT 'I35 no entry is made in a closed month', t.workspace_id || ' ' || t.seq
FROM ledger.closed_month c
JOIN ledger.transfer t ON t.workspace_id = c.workspace_id AND t.seq > c.seq
    AND t.at < (c.month + interval '1 month') AT TIME ZONE 'UTC';

ALTER VIEW ledger.violations_of_months OWNER TO loupe_owner;
GRANT SELECT ON ledger.violations_of_months TO loupe_app;

CREATE OR REPLACE VIEW ledger.violations (invariant, subject) AS
SELECT invariant, subject FROM ledger.violations_of_transfers
UNION ALL
SELECT invariant, subject FROM ledger.violations_of_orders
UNION ALL
SELECT invariant, subject FROM ledger.violations_of_evidence
UNION ALL
SELECT invariant, subject FROM ledger.violations_of_approvals
UNION ALL
SELECT invariant, subject FROM ledger.violations_of_months;
