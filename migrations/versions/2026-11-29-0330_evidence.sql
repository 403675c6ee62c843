-- Evidence of every row that a figure depends on, chained per workspace; each transfer's hash covers it.
-- A change of a budget's period neither resets nor drags what counts. Balances stay below 10^18 minor units.
-- Run by 2026-11-29-0330_evidence.py.

-- Evidence: the digest of every row that a figure depends on, chained as it was written, per workspace.
-- `docs/ledger.md` says how a digest is computed; service/ledger/evidence.py computes it again in Python.
CREATE TABLE ledger.evidence (
    workspace_id uuid NOT NULL REFERENCES ledger.chain ON DELETE RESTRICT,
    seq bigint NOT NULL,
    kind text NOT NULL,
    form integer NOT NULL,
    subject text NOT NULL,
    digest bytea NOT NULL,
    hash bytea NOT NULL,
    CONSTRAINT evidence_once_for_a_row UNIQUE (kind, subject),
    PRIMARY KEY (workspace_id, seq)
);

ALTER TABLE ledger.evidence OWNER TO loupe_owner;
GRANT SELECT ON ledger.evidence TO loupe_app;
GRANT SELECT ON api_key TO loupe_owner;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON ledger.evidence
    FOR EACH ROW EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON ledger.evidence
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

ALTER TABLE ledger.transfer ADD COLUMN evidence bytea;
ALTER TABLE ledger.adjustment ALTER CONSTRAINT adjustment_transfer_id_fkey DEFERRABLE;
ALTER TABLE ledger.account ADD CONSTRAINT account_range CHECK (abs(balance) < 1000000000000000000);
ALTER TABLE ledger.budget_terms DROP CONSTRAINT terms_reason;
ALTER TABLE ledger.budget_terms
    ADD CONSTRAINT terms_reason CHECK (reason IN ('opened', 'changed', 'renewed', 'corrected'));

-- Every field in a fixed order; only the last may hold a bar, so no two transfers read the same. A transfer from
-- before there was evidence has none and keeps its first form.
CREATE OR REPLACE FUNCTION ledger.transfer_hash(t ledger.transfer) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
    SELECT sha256(t.previous_hash || convert_to(
        CASE WHEN t.evidence IS NULL THEN 'loupe-transfer-1|'
            ELSE 'loupe-transfer-2|' || encode(t.evidence, 'hex') || '|' END ||
        t.id || '|' || t.workspace_id || '|' || t.seq || '|' || t.kind || '|' ||
        t.budget_id || '|' || t.from_account || '|' || t.to_account || '|' || t.currency || '|' ||
        t.amount || '|' || coalesce(t.hold_id::text, '-') || '|' ||
        (extract(epoch FROM t.at) * 1000000)::bigint || '|' || t.reference, 'UTF8'))
$$;

-- Only the subject may hold a bar.
CREATE FUNCTION ledger.evidence_hash(p_previous bytea, e ledger.evidence) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
    SELECT sha256(p_previous || convert_to(
        'loupe-evidence-1|' || e.workspace_id || '|' || e.seq || '|' || e.kind || '|' || e.form || '|' ||
        encode(e.digest, 'hex') || '|' || e.subject, 'UTF8'))
$$;

-- The select list that reads the owner, the subject and the document of a row `r`. `p_owner` is the column that
-- leads to its workspace. The first `p_keys` columns are its key. Of a column with # before it, which holds bytes,
-- the SHA-256 counts.
CREATE FUNCTION ledger.evidence_query(p_owner text, p_keys integer, p_columns text[])
RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT format('%s, concat_ws(''/'', %s), jsonb_build_array(%s)::text',
        CASE p_owner
            WHEN 'order_id' THEN '(SELECT o.workspace_id FROM public."order" o WHERE o.id = r.order_id)'
            WHEN 'budget_id' THEN '(SELECT b.workspace_id FROM ledger.budget b WHERE b.id = r.budget_id)'
            ELSE 'r.workspace_id'
        END,
        string_agg(format('r.%I', name), ', ' ORDER BY place) FILTER (WHERE place <= p_keys),
        string_agg(CASE left(name, 1)
            WHEN '#' THEN format('encode(sha256(r.%I), ''hex'')', substr(name, 2))
            ELSE format('r.%I', name)
        END, ', ' ORDER BY place))
    FROM unnest(p_columns) WITH ORDINALITY AS named (name, place)
$$;

-- Chain the digest of a row's document. The workspace's chain is the lock, as it is for transfers.
CREATE FUNCTION ledger.append_evidence(
    p_workspace uuid, p_kind text, p_form integer, p_subject text, p_document text
) RETURNS void LANGUAGE plpgsql SET search_path = ledger, pg_temp AS $$
DECLARE
    last evidence;
    e evidence;
BEGIN
    INSERT INTO chain (workspace_id) VALUES (p_workspace) ON CONFLICT DO NOTHING;
    PERFORM FROM chain WHERE workspace_id = p_workspace FOR UPDATE;
    SELECT * INTO last FROM evidence WHERE workspace_id = p_workspace ORDER BY seq DESC LIMIT 1;
    e.workspace_id := p_workspace;
    e.seq := coalesce(last.seq, 0) + 1;
    e.kind := p_kind;
    e.form := p_form;
    e.subject := p_subject;
    e.digest := sha256(convert_to(p_document, 'UTF8'));
    e.hash := evidence_hash(coalesce(last.hash, decode(repeat('00', 32), 'hex')), e);
    INSERT INTO evidence VALUES (e.*);
END
$$;

-- Trigger: keep evidence of a new row. Arguments: kind, form, owner, number of keys, columns.
CREATE FUNCTION ledger.keep_evidence() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = ledger, pg_temp SET timezone = 'UTC' SET extra_float_digits = 1 AS $$
DECLARE
    owner uuid;
    subject text;
    document text;
BEGIN
    EXECUTE format('SELECT %s FROM (SELECT ($1).*) AS r',
        ledger.evidence_query(TG_ARGV[2], TG_ARGV[3]::integer, TG_ARGV[4:]))
        INTO owner, subject, document USING NEW;
    PERFORM ledger.append_evidence(owner, TG_ARGV[0], TG_ARGV[1]::integer, subject, document);
    RETURN NULL;
END
$$;

-- What was paid from a budget before a day of UTC, and did not come back before it.
CREATE FUNCTION ledger.spent_before(p_budget uuid, p_day date)
RETURNS bigint LANGUAGE sql STABLE SET search_path = ledger, pg_temp AS $$
    SELECT coalesce(sum(e.amount), 0)::bigint
    FROM account a JOIN entry e ON e.account_id = a.id JOIN transfer t ON t.id = e.transfer_id
    WHERE (a.budget_id = p_budget) AND (a.kind = 'spent') AND (t.at < (p_day::timestamp AT TIME ZONE 'UTC'))
$$;

DROP FUNCTION ledger.post(text, uuid, bigint, uuid, text);
-- The one writer. Locks in a fixed order: the workspace's chain, the hold, the accounts.
CREATE FUNCTION ledger.post(
    p_kind text, p_budget uuid, p_amount bigint, p_hold uuid, p_reference text, p_id uuid DEFAULT gen_random_uuid()
)
RETURNS uuid LANGUAGE plpgsql SET search_path = ledger, pg_temp AS $$
DECLARE
    move movement;
    head chain;
    source account;
    target account;
    t transfer;
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

-- Change a budget's limit and terms; a limit is never lowered below what is held and spent.
CREATE OR REPLACE FUNCTION ledger.change_budget(
    p_workspace uuid, p_budget uuid, p_limit bigint, p_terms jsonb, p_key text
)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE
    b budget_now;
    begins date;
    counted_before bigint;
    new_version integer;
BEGIN
    PERFORM lock_budget(p_workspace, p_budget);
    SELECT * INTO STRICT b FROM budget_now WHERE id = p_budget;
    IF p_limit < least(b.limit_minor, b.held_minor + b.spent_minor) THEN
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
        'limit_minor', p_limit, 'period_starts_on', begins,
        'spent_before_minor', counted_before), p_key);
    PERFORM level(p_budget, 'fund', 'defund', 'limit:' || p_budget || '#' || new_version);
END
$$;

-- Post a refund (of an order or of one delivered patch) or a later charge of an order; returns its number.
CREATE OR REPLACE FUNCTION ledger.adjust(
    p_workspace uuid, p_order uuid, p_kind text, p_tile integer, p_patch integer, p_amount bigint,
    p_reason text, p_key text
) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE
    o order_money;
    place text := coalesce('/' || p_tile || '/' || p_patch, '');
    posted text;
    posted_id uuid := gen_random_uuid();
    next_number integer;
    paid bigint;
BEGIN
    SELECT * INTO o FROM order_money WHERE order_id = p_order AND workspace_id = p_workspace;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no-order' USING ERRCODE = 'LP404', DETAIL = coalesce(p_order::text, '');
    END IF;
    -- As the foreign key of the new row will: before the chain, which deliveries take after their order.
    PERFORM FROM public."order" WHERE id = p_order FOR KEY SHARE;
    PERFORM lock_budget(p_workspace, o.budget_id);
    SELECT count(*) + 1 INTO next_number FROM adjustment WHERE order_id = p_order;
    posted := p_kind || ':' || p_order || place || '#' || next_number;
    IF p_kind = 'charge' THEN
        PERFORM let_through(o.budget_id, p_amount, posted);
    ELSE
        paid := refundable(p_order, p_tile, p_patch);
        IF p_amount > paid THEN
            RAISE EXCEPTION 'refund-exceeds-payment' USING ERRCODE = 'LP412', DETAIL = paid;
        END IF;
    END IF;
    SET CONSTRAINTS ledger.adjustment_transfer_id_fkey DEFERRED;
    INSERT INTO adjustment VALUES (
        p_order, next_number, posted_id, p_kind, p_tile, p_patch, p_amount, p_reason, p_key, clock_timestamp());
    PERFORM post(p_kind, o.budget_id, p_amount, NULL, posted, posted_id);
    SET CONSTRAINTS ledger.adjustment_transfer_id_fkey IMMEDIATE;
    PERFORM level(o.budget_id, 'extend', 'retract', beyond(posted));
    RETURN next_number;
END
$$;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'evidence_hash', 'evidence_query', 'append_evidence', 'keep_evidence', 'spent_before', 'post'
    ] LOOP
        EXECUTE format('ALTER FUNCTION ledger.%s OWNER TO loupe_owner', name);
        EXECUTE format('REVOKE ALL ON FUNCTION ledger.%s FROM PUBLIC', name);
    END LOOP;
END
$$;

-- Evidence of rows that move no money is written last, so that nobody waits for the workspace's chain while
-- their answer is prepared.
CREATE CONSTRAINT TRIGGER evidence AFTER INSERT ON public.scene
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger.keep_evidence(
    'scene', '1', 'workspace_id', '1', 'id', 'workspace_id', 'sha256', 'size', 'reading', 'created_at');
CREATE TRIGGER evidence AFTER INSERT ON public.api_key FOR EACH ROW EXECUTE FUNCTION ledger.keep_evidence(
    'api_key', '1', 'workspace_id', '1', 'id', 'workspace_id', 'name', '#digest', 'holder', 'created_at');
CREATE TRIGGER evidence AFTER INSERT ON public.price_list FOR EACH ROW EXECUTE FUNCTION ledger.keep_evidence(
    'price_list', '1', 'workspace_id', '1', 'id', 'workspace_id', 'name', 'version', 'provider',
    'product', 'mode', 'gsd_m', 'currency', 'price_per_km2', 'price_per_scene', 'tiers', 'minimum_km2',
    'minimum_applies_to', 'minimum_charge', 'areas_summed', 'minimum_width_m', 'convex', 'max_vertices',
    'holes', 'cloud_guarantee_percent', 'licence', 'delivery_bands', 'source', 'captured_at',
    'valid_from', 'valid_to', 'example', 'created_at');
CREATE CONSTRAINT TRIGGER evidence AFTER INSERT ON public.plan
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger.keep_evidence(
    'plan', '1', 'workspace_id', '1', 'id', 'workspace_id', 'scene_id', 'price_list_id', 'supersedes',
    'follows', 'objective', 'provenance', 'tiles', 'task', '#utilities', '#expected', '#first_expected',
    '#readings', '#selected', '#filled', '#valid_share', '#ground', 'reuse', 'patches_bought', 'currency',
    'cost_minor', 'baseline_minor', 'list_saving_minor', 'billable_saving_minor', 'bill', 'created_at',
    'expires_at');
CREATE TRIGGER evidence AFTER INSERT ON public."order" FOR EACH ROW EXECUTE FUNCTION ledger.keep_evidence(
    'order', '1', 'workspace_id', '1', 'id', 'workspace_id', 'plan_id', 'budget_id', 'currency',
    'amount_minor', 'patches', 'key_id', 'created_at');
CREATE TRIGGER evidence AFTER INSERT ON public.order_status_change FOR EACH ROW EXECUTE FUNCTION ledger.keep_evidence(
    'order_status_change', '1', 'order_id', '2', 'order_id', 'seq', 'status', 'reason_code', 'key_id',
    'note', 'at');
CREATE TRIGGER evidence AFTER INSERT ON public.delivery FOR EACH ROW EXECUTE FUNCTION ledger.keep_evidence(
    'delivery', '1', 'order_id', '3', 'order_id', 'tile', 'patch', 'settled_minor', 'created_at');
CREATE TRIGGER evidence AFTER INSERT ON public.delivered_file FOR EACH ROW EXECUTE FUNCTION ledger.keep_evidence(
    'delivered_file', '1', 'order_id', '4', 'order_id', 'tile', 'patch', 'version', 'sha256', 'size',
    '#pixels', 'checks', 'key_id', 'created_at');
CREATE TRIGGER evidence AFTER INSERT ON public.delivered_part FOR EACH ROW EXECUTE FUNCTION ledger.keep_evidence(
    'delivered_part', '1', 'order_id', '4', 'order_id', 'tile', 'patch', 'number', 'sha256', 'size',
    '#pixels', '#weights', '#lacking', 'checks', 'covered', 'remainder', 'key_id', 'created_at');
CREATE CONSTRAINT TRIGGER evidence AFTER INSERT ON public.classification
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger.keep_evidence(
    'classification', '1', 'workspace_id', '1', 'id', 'workspace_id', 'order_id', 'complete', 'tiles',
    'provenance', 'objects', 'created_at');
CREATE TRIGGER evidence AFTER INSERT ON ledger.budget FOR EACH ROW EXECUTE FUNCTION ledger.keep_evidence(
    'budget', '1', 'workspace_id', '1', 'id', 'workspace_id', 'name', 'currency', 'created_at');
CREATE TRIGGER evidence AFTER INSERT ON ledger.budget_terms FOR EACH ROW EXECUTE FUNCTION ledger.keep_evidence(
    'budget_terms', '1', 'budget_id', '2', 'budget_id', 'version', 'reason', 'limit_minor', 'period',
    'starts_on', 'ends_on', 'enforcement', 'thresholds', 'tags', 'approval_above_minor',
    'period_starts_on', 'spent_before_minor', 'key_id', 'at');
CREATE TRIGGER evidence AFTER INSERT ON ledger.adjustment FOR EACH ROW EXECUTE FUNCTION ledger.keep_evidence(
    'adjustment', '1', 'order_id', '2', 'order_id', 'number', 'transfer_id', 'kind', 'tile', 'patch',
    'amount', 'reason', 'key_id', 'at');

-- Evidence of the rows that there are.
DO $$
DECLARE
    guarded record;
    kept record;
    columns text;
    zone text := current_setting('timezone');
BEGIN
    PERFORM set_config('timezone', 'UTC', true), set_config('extra_float_digits', '1', true);
    FOR guarded IN
        SELECT tgrelid::regclass AS name, string_to_array(encode(tgargs, 'escape'), '\000') AS args
        FROM pg_trigger WHERE tgname = 'evidence' ORDER BY tgrelid::regclass::text
    LOOP
        columns := ledger.evidence_query(
            guarded.args[3], guarded.args[4]::integer, trim_array(guarded.args[5:], 1));
        FOR kept IN EXECUTE format(
            'SELECT * FROM (SELECT %s FROM %s AS r) AS found (owner, subject, document) ORDER BY owner, subject',
            columns, guarded.name)
        LOOP
            PERFORM ledger.append_evidence(
                kept.owner, guarded.args[1], guarded.args[2]::integer, kept.subject, kept.document);
        END LOOP;
    END LOOP;
    PERFORM set_config('timezone', zone, true);
END
$$;

-- The rows of which there is evidence.
CREATE VIEW ledger.evidenced (kind, subject) AS
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
SELECT 'budget', id::text FROM ledger.budget
UNION ALL
SELECT 'budget_terms', budget_id || '/' || version FROM ledger.budget_terms
UNION ALL
SELECT 'adjustment', order_id || '/' || number FROM ledger.adjustment;

-- What must never be, of evidence and of what belongs together.
CREATE VIEW ledger.violations_of_evidence (invariant, subject) AS
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
    );

ALTER VIEW ledger.violations RENAME TO violations_of_orders;
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
GROUP BY d.order_id, d.tile, d.patch, d.settled_minor HAVING sum(a.amount) > d.settled_minor;

-- What must never be: the view that every check reads.
CREATE VIEW ledger.violations (invariant, subject) AS
SELECT invariant, subject FROM ledger.violations_of_transfers
UNION ALL
SELECT invariant, subject FROM ledger.violations_of_orders
UNION ALL
SELECT invariant, subject FROM ledger.violations_of_evidence;

ALTER VIEW ledger.evidenced OWNER TO loupe_owner;
ALTER VIEW ledger.violations_of_evidence OWNER TO loupe_owner;
ALTER VIEW ledger.violations OWNER TO loupe_owner;
GRANT SELECT ON ledger.evidenced, ledger.violations_of_evidence, ledger.violations TO loupe_app;

-- Correct the count of budgets whose period had been changed.
DO $$
DECLARE
    wrong record;
    corrected integer;
BEGIN
    FOR wrong IN
        SELECT DISTINCT b.id, b.period_starts_on
        FROM ledger.violations_of_evidence v JOIN ledger.budget_now b ON b.id::text = split_part(v.subject, '/', 1)
        WHERE v.invariant LIKE 'I27 %'
    LOOP
        corrected := ledger.add_terms(wrong.id, 'corrected', jsonb_build_object(
            'spent_before_minor', ledger.spent_before(wrong.id, wrong.period_starts_on)), NULL);
        PERFORM ledger.level(wrong.id, 'fund', 'defund', 'limit:' || wrong.id || '#' || corrected);
    END LOOP;
END
$$;
