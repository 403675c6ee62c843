-- Charges and changes of terms that need another holder wait as proposals. Run by 2026-11-29-1340_proposals.py.

-- A later charge, or a change of terms, that waits for the key of another holder; the first has an order, an
-- amount and a reason, the second the columns of budget_terms that it sets.
CREATE TABLE ledger.proposal (
    id uuid PRIMARY KEY,
    budget_id uuid NOT NULL REFERENCES ledger.budget ON DELETE RESTRICT,
    order_id uuid REFERENCES public."order" ON DELETE RESTRICT,
    amount bigint,
    reason text,
    terms jsonb,
    key_id text NOT NULL REFERENCES public.api_key ON DELETE RESTRICT,
    at timestamptz NOT NULL,
    CONSTRAINT proposal_of_one_kind CHECK (
        num_nonnulls(order_id, amount, reason) = CASE WHEN terms IS NULL THEN 3 ELSE 0 END),
    CONSTRAINT proposal_amount_positive CHECK (amount > 0),
    CONSTRAINT proposal_reason_length CHECK (length(reason) BETWEEN 1 AND 500),
    CONSTRAINT proposal_terms CHECK (jsonb_typeof(terms) = 'object')
);
CREATE INDEX proposal_budget ON ledger.proposal (budget_id, at);

-- The one decision on a proposal.
CREATE TABLE ledger.decision (
    proposal_id uuid PRIMARY KEY REFERENCES ledger.proposal ON DELETE RESTRICT,
    approved boolean NOT NULL,
    note text,
    key_id text NOT NULL REFERENCES public.api_key ON DELETE RESTRICT,
    at timestamptz NOT NULL,
    CONSTRAINT decision_note_length CHECK (length(note) BETWEEN 1 AND 500)
);

ALTER TABLE ledger.budget_terms
    ADD COLUMN proposal_id uuid,
    ADD CONSTRAINT terms_of_a_proposal UNIQUE (proposal_id),
    ADD CONSTRAINT terms_proposal FOREIGN KEY (proposal_id) REFERENCES ledger.proposal ON DELETE RESTRICT;
ALTER TABLE ledger.adjustment
    ADD COLUMN proposal_id uuid,
    ADD CONSTRAINT adjustment_of_a_proposal UNIQUE (proposal_id),
    ADD CONSTRAINT adjustment_proposal FOREIGN KEY (proposal_id) REFERENCES ledger.proposal ON DELETE RESTRICT;

CREATE INDEX transfer_committed ON ledger.transfer (budget_id, at) WHERE kind IN ('reserve', 'charge');

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['ledger.proposal', 'ledger.decision'] LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON %s
                        FOR EACH ROW EXECUTE FUNCTION ledger.refuse_change()', name);
        EXECUTE format('CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON %s
                        FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change()', name);
    END LOOP;
END
$$;

-- A budget with its terms in force and its balances. `spent_minor` is this period's, and less than nothing
-- when more came back than was paid; `room_minor` is what the limit leaves of held and spent.
CREATE OR REPLACE VIEW ledger.budget_now AS
SELECT b.id, b.workspace_id, b.name, b.currency, b.created_at, t.version, t.limit_minor, t.period,
    t.starts_on, t.ends_on, t.enforcement, t.thresholds, t.tags, t.approval_above_minor, t.period_starts_on,
    a.available AS available_minor, a.held AS held_minor, a.spent - t.spent_before_minor AS spent_minor,
    a.spent AS spent_ever_minor,
    greatest(0, t.limit_minor - a.held - (a.spent - t.spent_before_minor)) AS room_minor
FROM ledger.budget b
CROSS JOIN LATERAL (
    SELECT * FROM ledger.budget_terms WHERE budget_id = b.id ORDER BY version DESC LIMIT 1
) AS t
CROSS JOIN LATERAL (
    SELECT max(balance) FILTER (WHERE kind = 'available') AS available,
        max(balance) FILTER (WHERE kind = 'reserved') AS held,
        max(balance) FILTER (WHERE kind = 'spent') AS spent
    FROM ledger.account WHERE budget_id = b.id
) AS a;

-- What each holder has ordered and charged in a budget within 24 hours without the approval of another. Money
-- that an order gave back does not count; refunds count nothing, so that none makes room for a charge.
CREATE VIEW ledger.unapproved (budget_id, holder, minor) AS
SELECT budget_id, holder, sum(minor)
FROM (
    SELECT t.budget_id, k.holder, greatest(0, sum(t.amount) - h.released) AS minor
    FROM ledger.transfer t
    JOIN ledger.hold h ON h.id = t.hold_id
    JOIN public."order" o ON o.hold_id = h.id
    JOIN public.api_key k ON k.id = o.key_id
    WHERE t.kind = 'reserve' AND t.at > clock_timestamp() - interval '24 hours' AND o.status <> 'held'
        AND NOT (t.reference = 'order:' || o.id AND EXISTS (
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

-- Proposals that the key of another holder approved.
CREATE VIEW ledger.approved AS
SELECT p.*
FROM ledger.proposal p
JOIN ledger.decision d ON d.proposal_id = p.id AND d.approved
JOIN public.api_key asking ON asking.id = p.key_id
JOIN public.api_key deciding ON deciding.id = d.key_id
WHERE asking.holder <> deciding.holder;

-- The select list that reads the owner, the subject and the document of a row `r`. `p_owner` is the column that
-- leads to its workspace. The first `p_keys` columns are its key. Of a column with # before it, which holds bytes,
-- the SHA-256 counts.
CREATE OR REPLACE FUNCTION ledger.evidence_query(p_owner text, p_keys integer, p_columns text[])
RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT format('%s, concat_ws(''/'', %s), jsonb_build_array(%s)::text',
        CASE p_owner
            WHEN 'order_id' THEN '(SELECT o.workspace_id FROM public."order" o WHERE o.id = r.order_id)'
            WHEN 'budget_id' THEN '(SELECT b.workspace_id FROM ledger.budget b WHERE b.id = r.budget_id)'
            WHEN 'proposal_id' THEN '(SELECT b.workspace_id FROM ledger.budget b'
                ' JOIN ledger.proposal p ON p.budget_id = b.id WHERE p.id = r.proposal_id)'
            ELSE 'r.workspace_id'
        END,
        string_agg(format('r.%I', name), ', ' ORDER BY place) FILTER (WHERE place <= p_keys),
        string_agg(CASE left(name, 1)
            WHEN '#' THEN format('encode(sha256(r.%I), ''hex'')', substr(name, 2))
            ELSE format('r.%I', name)
        END, ', ' ORDER BY place))
    FROM unnest(p_columns) WITH ORDINALITY AS named (name, place)
$$;

DROP FUNCTION ledger.add_terms(uuid, text, jsonb, text);
-- Append a version of a budget's terms: the one in force, changed by the members of `p_terms`.
CREATE FUNCTION ledger.add_terms(
    p_budget uuid, p_reason text, p_terms jsonb, p_key text, p_proposal uuid DEFAULT NULL
) RETURNS integer LANGUAGE plpgsql SET search_path = ledger, pg_temp AS $$
DECLARE
    t budget_terms;
BEGIN
    SELECT * INTO t FROM budget_terms WHERE budget_id = p_budget ORDER BY version DESC LIMIT 1;
    t := jsonb_populate_record(t, p_terms || jsonb_build_object(
        'budget_id', p_budget, 'version', coalesce(t.version, 0) + 1, 'reason', p_reason, 'key_id', p_key,
        'at', clock_timestamp(), 'proposal_id', p_proposal));
    INSERT INTO budget_terms VALUES (t.*);
    RETURN t.version;
END
$$;

-- The holder of a key: keys that were made with each other have one (decision record 16).
CREATE FUNCTION ledger.holder_of(p_key text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT holder FROM public.api_key WHERE id = p_key
$$;

-- Whether `p_amount` more of a key needs the approval of another holder: what its holder has ordered and charged
-- without one is then above the budget's `approval_above`.
CREATE FUNCTION ledger.needs_approval(p_budget uuid, p_key text, p_amount bigint)
RETURNS boolean LANGUAGE sql STABLE SET search_path = ledger, pg_temp AS $$
    SELECT CASE WHEN b.approval_above_minor IS NULL THEN false ELSE
        p_amount + coalesce((
            SELECT minor FROM unapproved u WHERE (u.budget_id = b.id) AND (u.holder = k.holder)
        ), 0) > b.approval_above_minor
    END
    FROM budget_now b LEFT JOIN public.api_key k ON k.id = p_key
    WHERE b.id = p_budget
$$;

-- Whether a change of terms gives orders more freedom. Without `approval_above` nobody has to approve it.
CREATE FUNCTION ledger.loosens(t_old ledger.budget_terms, t_new ledger.budget_terms)
RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN t_old.approval_above_minor IS NULL THEN false ELSE
        coalesce(t_new.approval_above_minor > t_old.approval_above_minor, true)
        OR t_new.limit_minor > t_old.limit_minor
        OR t_new.period <> t_old.period
        OR array_position('{block,warn,off}', t_new.enforcement) > array_position('{block,warn,off}', t_old.enforcement)
        OR coalesce(t_new.ends_on, 'infinity') > coalesce(t_old.ends_on, 'infinity')
        OR coalesce(t_old.starts_on, '-infinity') > coalesce(t_new.starts_on, '-infinity')
    END
$$;

-- Put changed terms of a locked budget in force; a limit is never lowered below what is held and spent.
CREATE FUNCTION ledger.put_in_force(p_budget uuid, p_terms jsonb, p_key text, p_proposal uuid)
RETURNS void LANGUAGE plpgsql SET search_path = ledger, pg_temp AS $$
DECLARE
    b budget_now;
    begins date;
    counted_before bigint;
    new_version integer;
BEGIN
    SELECT * INTO STRICT b FROM budget_now WHERE id = p_budget;
    IF (p_terms ->> 'limit_minor')::bigint < least(b.limit_minor, b.held_minor + b.spent_minor) THEN
        RAISE EXCEPTION 'limit-below-use' USING ERRCODE = 'LP411', DETAIL = b.held_minor + b.spent_minor;
    END IF;
    begins := b.period_starts_on;
    counted_before := b.spent_ever_minor - b.spent_minor;
    IF p_terms ->> 'period' <> b.period THEN
        -- Without periods everything counts that was ever spent.
        begins := coalesce(period_start(p_terms ->> 'period', today()), (b.created_at AT TIME ZONE 'UTC')::date);
        counted_before := spent_before(p_budget, begins);
    END IF;
    new_version := add_terms(p_budget, 'changed', p_terms || jsonb_build_object(
        'period_starts_on', begins, 'spent_before_minor', counted_before), p_key, p_proposal);
    PERFORM level(p_budget, 'fund', 'defund', 'limit:' || p_budget || '#' || new_version);
END
$$;

-- Post a refund or charge of an order of a locked budget, with its adjustment; returns its number.
CREATE FUNCTION ledger.add_adjustment(
    p_order uuid, p_budget uuid, p_kind text, p_tile integer, p_patch integer, p_amount bigint,
    p_reason text, p_key text, p_proposal uuid
) RETURNS integer LANGUAGE plpgsql SET search_path = ledger, pg_temp AS $$
DECLARE
    place text := coalesce('/' || p_tile || '/' || p_patch, '');
    posted text;
    posted_id uuid := gen_random_uuid();
    next_number integer;
    charged bigint;
    paid bigint;
BEGIN
    SELECT count(*) + 1 INTO next_number FROM adjustment WHERE order_id = p_order;
    posted := p_kind || ':' || p_order || place || '#' || next_number;
    IF p_kind = 'charge' THEN
        charged := (SELECT charged_minor FROM order_money WHERE order_id = p_order);
        IF charged + p_amount > 999999999999999999 THEN
            RAISE EXCEPTION 'sum-too-large' USING ERRCODE = 'LP414', DETAIL = charged;
        END IF;
        PERFORM let_through(p_budget, p_amount, posted);
    ELSE
        paid := refundable(p_order, p_tile, p_patch);
        IF p_amount > paid THEN
            RAISE EXCEPTION 'refund-exceeds-payment' USING ERRCODE = 'LP412', DETAIL = paid;
        END IF;
    END IF;
    SET CONSTRAINTS ledger.adjustment_transfer_id_fkey DEFERRED;
    INSERT INTO adjustment VALUES (
        p_order, next_number, posted_id, p_kind, p_tile, p_patch, p_amount, p_reason, p_key, clock_timestamp(),
        p_proposal);
    PERFORM post(p_kind, p_budget, p_amount, NULL, posted, posted_id);
    SET CONSTRAINTS ledger.adjustment_transfer_id_fkey IMMEDIATE;
    PERFORM level(p_budget, 'extend', 'retract', beyond(posted));
    RETURN next_number;
END
$$;

-- Lock an order, if there is one, and then its budget.
CREATE FUNCTION ledger.lock_payer(p_workspace uuid, p_budget uuid, p_order uuid)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    -- As the foreign key of the new row will: before the chain, which deliveries take after their order.
    PERFORM FROM public."order" WHERE id = p_order FOR KEY SHARE;
    PERFORM ledger.lock_budget(p_workspace, p_budget);
END
$$;

-- Change a budget's limit and terms, or propose it where another holder has to approve.
CREATE OR REPLACE FUNCTION ledger.change_budget(p_workspace uuid, p_budget uuid, p_limit bigint, p_terms jsonb, p_key text)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE
    t budget_terms;
    wanted jsonb := p_terms || jsonb_build_object('limit_minor', p_limit);
BEGIN
    PERFORM lock_budget(p_workspace, p_budget);
    SELECT * INTO t FROM budget_terms WHERE budget_id = p_budget ORDER BY version DESC LIMIT 1;
    IF loosens(t, jsonb_populate_record(t, wanted)) THEN
        INSERT INTO proposal (id, budget_id, terms, key_id, at)
        SELECT gen_random_uuid(), p_budget, jsonb_object_agg(key, value), p_key, clock_timestamp()
        FROM jsonb_each(wanted) WHERE value <> to_jsonb(t) -> key;
    ELSE
        PERFORM put_in_force(p_budget, wanted, p_key, NULL);
    END IF;
END
$$;

-- Post a refund (of an order or of one delivered patch) or a later charge of an order; returns its number. A
-- charge that another holder has to approve is proposed: NULL.
CREATE OR REPLACE FUNCTION ledger.adjust(
    p_workspace uuid, p_order uuid, p_kind text, p_tile integer, p_patch integer, p_amount bigint,
    p_reason text, p_key text
) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE
    o order_money;
    waits boolean;
BEGIN
    SELECT * INTO o FROM order_money WHERE order_id = p_order AND workspace_id = p_workspace;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no-order' USING ERRCODE = 'LP404', DETAIL = coalesce(p_order::text, '');
    END IF;
    PERFORM lock_payer(p_workspace, o.budget_id, p_order);
    waits := needs_approval(o.budget_id, p_key, p_amount);
    IF p_kind = 'charge' AND waits THEN
        INSERT INTO proposal (id, budget_id, order_id, amount, reason, key_id, at)
        VALUES (gen_random_uuid(), o.budget_id, p_order, p_amount, p_reason, p_key, clock_timestamp());
        RETURN NULL;
    END IF;
    RETURN add_adjustment(p_order, o.budget_id, p_kind, p_tile, p_patch, p_amount, p_reason, p_key, NULL);
END
$$;

-- Decide on a proposal; an approved one takes effect. The holder who proposed it may only reject it.
CREATE FUNCTION ledger.decide(p_workspace uuid, p_proposal uuid, p_approved boolean, p_note text, p_key text)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE
    asked proposal;
    alone boolean;
BEGIN
    SELECT p.* INTO asked FROM proposal p JOIN budget b ON b.id = p.budget_id
    WHERE p.id = p_proposal AND b.workspace_id = p_workspace;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no-proposal' USING ERRCODE = 'LP404', DETAIL = coalesce(p_proposal::text, '');
    END IF;
    PERFORM lock_payer(p_workspace, asked.budget_id, asked.order_id);
    alone := holder_of(asked.key_id) = holder_of(p_key);
    IF p_approved AND alone THEN
        RAISE EXCEPTION 'self-approval' USING ERRCODE = 'LP413', DETAIL = asked.key_id;
    END IF;
    INSERT INTO decision VALUES (asked.id, p_approved, p_note, p_key, clock_timestamp());
    IF NOT p_approved THEN
        RETURN;
    END IF;
    IF asked.terms IS NULL THEN
        PERFORM add_adjustment(
            asked.order_id, asked.budget_id, 'charge', NULL, NULL, asked.amount, asked.reason, asked.key_id, asked.id);
    ELSE
        PERFORM put_in_force(asked.budget_id, asked.terms, asked.key_id, asked.id);
    END IF;
END
$$;

CREATE OR REPLACE TRIGGER evidence AFTER INSERT ON ledger.budget_terms FOR EACH ROW EXECUTE FUNCTION ledger.keep_evidence(
    'budget_terms', '2', 'budget_id', '2', 'budget_id', 'version', 'reason', 'limit_minor', 'period',
    'starts_on', 'ends_on', 'enforcement', 'thresholds', 'tags', 'approval_above_minor',
    'period_starts_on', 'spent_before_minor', 'key_id', 'at', 'proposal_id');
CREATE OR REPLACE TRIGGER evidence AFTER INSERT ON ledger.adjustment FOR EACH ROW EXECUTE FUNCTION ledger.keep_evidence(
    'adjustment', '2', 'order_id', '2', 'order_id', 'number', 'transfer_id', 'kind', 'tile', 'patch',
    'amount', 'reason', 'key_id', 'at', 'proposal_id');
CREATE TRIGGER evidence AFTER INSERT ON ledger.proposal FOR EACH ROW EXECUTE FUNCTION ledger.keep_evidence(
    'proposal', '1', 'budget_id', '1', 'id', 'budget_id', 'order_id', 'amount', 'reason', 'terms', 'key_id', 'at');
CREATE TRIGGER evidence AFTER INSERT ON ledger.decision FOR EACH ROW EXECUTE FUNCTION ledger.keep_evidence(
    'decision', '1', 'proposal_id', '1', 'proposal_id', 'approved', 'note', 'key_id', 'at');

-- The rows of which there is evidence.
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

-- What must never be, of approvals. Adjustments and terms from before there were proposals have evidence of form 1.
CREATE VIEW ledger.violations_of_approvals (invariant, subject) AS
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
SELECT 'I30 a charge above `approval_above` was approved by another holder', charge.order_id || '/' || charge.number
FROM (
    SELECT a.order_id, a.number, t.budget_id, t.at, sum(t.amount) OVER (
        PARTITION BY t.budget_id, k.holder ORDER BY t.at RANGE BETWEEN interval '24 hours' PRECEDING AND CURRENT ROW
    ) AS minor
    FROM ledger.adjustment a
    JOIN ledger.transfer t ON t.id = a.transfer_id
    JOIN ledger.evidence e ON e.kind = 'adjustment' AND e.subject = a.order_id || '/' || a.number
    LEFT JOIN public.api_key k ON k.id = a.key_id
    WHERE a.kind = 'charge' AND a.proposal_id IS NULL AND e.form > 1
) AS charge
CROSS JOIN LATERAL (
    SELECT approval_above_minor FROM ledger.budget_terms
    WHERE budget_id = charge.budget_id AND at <= charge.at ORDER BY version DESC LIMIT 1
) AS terms
WHERE charge.minor > terms.approval_above_minor
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
WHERE (p.budget_id, p.key_id) IS DISTINCT FROM (t.budget_id, t.key_id) OR NOT to_jsonb(t) @> p.terms;

-- What must never be: the view that every check reads.
CREATE OR REPLACE VIEW ledger.violations (invariant, subject) AS
SELECT invariant, subject FROM ledger.violations_of_transfers
UNION ALL
SELECT invariant, subject FROM ledger.violations_of_orders
UNION ALL
SELECT invariant, subject FROM ledger.violations_of_evidence
UNION ALL
SELECT invariant, subject FROM ledger.violations_of_approvals;

ALTER TABLE ledger.proposal OWNER TO loupe_owner;
ALTER TABLE ledger.decision OWNER TO loupe_owner;
ALTER VIEW ledger.unapproved OWNER TO loupe_owner;
ALTER VIEW ledger.approved OWNER TO loupe_owner;
ALTER VIEW ledger.violations_of_approvals OWNER TO loupe_owner;
GRANT SELECT ON
    ledger.proposal, ledger.decision, ledger.unapproved, ledger.approved, ledger.violations_of_approvals
TO loupe_app;
DO $$
DECLARE
    task text;
BEGIN
    FOR task IN
        SELECT format('ALTER FUNCTION %1$s OWNER TO loupe_owner; REVOKE ALL ON FUNCTION %1$s FROM PUBLIC',
            oid::regprocedure)
        FROM pg_proc WHERE pronamespace = 'ledger'::regnamespace AND proname IN (
            'add_terms', 'holder_of', 'needs_approval', 'loosens', 'put_in_force', 'add_adjustment', 'lock_payer',
            'decide')
    LOOP
        EXECUTE task;
    END LOOP;
END
$$;
GRANT EXECUTE ON FUNCTION ledger.decide, ledger.needs_approval, ledger.loosens TO loupe_app;
