-- Budgets with terms, holds that grow, refunds and later charges. docs/ledger.md explains them.
-- Run by 2026-11-24-2200_budget_terms.py, after its changes of the schema public.

-- What is let through beyond a limit and taken back when it is not needed; what an invoice asks for later.
INSERT INTO ledger.movement VALUES
    ('extend', 'funding', 'available'),
    ('retract', 'available', 'funding'),
    ('charge', 'available', 'spent');

-- What a budget allows: a row for every change and for every period that began; the newest applies.
CREATE TABLE ledger.budget_terms (
    budget_id uuid NOT NULL REFERENCES ledger.budget ON DELETE RESTRICT,
    version integer NOT NULL,
    reason text NOT NULL,
    limit_minor bigint NOT NULL,
    period text NOT NULL,
    starts_on date,
    ends_on date,
    enforcement text NOT NULL,
    thresholds integer[] NOT NULL,
    tags jsonb NOT NULL,
    approval_above_minor bigint,
    -- What was spent before this period does not count against its limit.
    period_starts_on date NOT NULL,
    spent_before_minor bigint NOT NULL,
    key_id text REFERENCES public.api_key ON DELETE RESTRICT,
    at timestamptz NOT NULL,
    CONSTRAINT terms_reason CHECK (reason IN ('opened', 'changed', 'renewed')),
    CONSTRAINT terms_limit CHECK (limit_minor >= 0),
    CONSTRAINT terms_period CHECK (period IN ('none', 'month', 'quarter', 'year')),
    CONSTRAINT terms_validity CHECK (ends_on >= starts_on),
    CONSTRAINT terms_enforcement CHECK (enforcement IN ('off', 'warn', 'block')),
    CONSTRAINT terms_thresholds CHECK (1 <= ALL (thresholds) AND 200 >= ALL (thresholds)),
    CONSTRAINT terms_tags CHECK (jsonb_typeof(tags) = 'object'),
    CONSTRAINT terms_approval CHECK (approval_above_minor >= 0),
    CONSTRAINT terms_spent_before CHECK (spent_before_minor >= 0),
    PRIMARY KEY (budget_id, version)
);

-- Budgets opened before: their limit is what they were granted.
INSERT INTO ledger.budget_terms
SELECT b.id, 1, 'opened', -a.balance, 'none', NULL, NULL, 'block', '{}', '{}', NULL,
    (b.created_at AT TIME ZONE 'UTC')::date, 0, NULL, b.created_at
FROM ledger.budget b JOIN ledger.account a ON a.budget_id = b.id AND a.kind = 'funding';

-- Money that came back or was asked for after a delivery was paid.
CREATE TABLE ledger.adjustment (
    order_id uuid NOT NULL REFERENCES public."order" ON DELETE RESTRICT,
    number integer NOT NULL,
    transfer_id uuid NOT NULL REFERENCES ledger.transfer ON DELETE RESTRICT,
    kind text NOT NULL,
    tile integer,
    patch integer,
    amount bigint NOT NULL,
    reason text NOT NULL,
    key_id text REFERENCES public.api_key ON DELETE RESTRICT,
    at timestamptz NOT NULL,
    CONSTRAINT adjustment_kind CHECK (kind IN ('refund', 'charge')),
    CONSTRAINT adjustment_of_a_patch CHECK ((tile IS NULL) = (patch IS NULL) AND (kind = 'refund' OR tile IS NULL)),
    CONSTRAINT adjustment_reason_length CHECK (length(reason) BETWEEN 1 AND 500),
    CONSTRAINT adjustment_of_its_transfer UNIQUE (transfer_id),
    CONSTRAINT adjustment_of_a_delivery FOREIGN KEY (order_id, tile, patch)
        REFERENCES public.delivery (order_id, tile, patch) ON DELETE RESTRICT,
    PRIMARY KEY (order_id, number)
);

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['ledger.budget_terms', 'ledger.adjustment'] LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON %s
                        FOR EACH ROW EXECUTE FUNCTION ledger.refuse_change()', name);
        EXECUTE format('CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON %s
                        FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change()', name);
    END LOOP;
END
$$;


-- ---------------------------------------------------------------- reading

-- A budget with its terms in force and its balances. `spent_minor` is this period's, and less than nothing
-- when more came back than was paid; `room_minor` is what the limit leaves of held and spent.
CREATE VIEW ledger.budget_now AS
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

-- Where the money of an order is: total = held + settled + released.
CREATE VIEW ledger.order_money AS
SELECT o.id AS order_id, o.workspace_id, o.budget_id, o.currency,
    coalesce(h.amount, 0) AS total_minor, coalesce(h.settled, 0) AS settled_minor,
    coalesce(h.released, 0) AS released_minor, a.refunded_minor, a.charged_minor
FROM public."order" o
LEFT JOIN ledger.hold h ON h.id = o.hold_id
CROSS JOIN LATERAL (
    SELECT coalesce(sum(amount) FILTER (WHERE kind = 'refund'), 0)::bigint AS refunded_minor,
        coalesce(sum(amount) FILTER (WHERE kind = 'charge'), 0)::bigint AS charged_minor
    FROM ledger.adjustment WHERE order_id = o.id
) AS a;


-- ---------------------------------------------------------------- writing
-- Errors beside LP402, LP404 and LP409: LP410 the budget does not pay on this day, LP411 a limit below what
-- is held and spent, LP412 a refund of more than was paid.

CREATE FUNCTION ledger.today() RETURNS date LANGUAGE sql STABLE AS $$
    SELECT (clock_timestamp() AT TIME ZONE 'UTC')::date
$$;

-- The day on which the period of `p_day` began; NULL where there are none.
CREATE FUNCTION ledger.period_start(p_period text, p_day date) RETURNS date LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN p_period <> 'none' THEN date_trunc(p_period, p_day::timestamp)::date END
$$;

-- `order:ORDER` becomes `beyond:ORDER`: for what was let through beyond the limit.
CREATE FUNCTION ledger.beyond(p_reference text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT 'beyond:' || regexp_replace(p_reference, '^[a-z]+:', '')
$$;

-- Append a version of a budget's terms: the one in force, changed by the members of `p_terms`.
CREATE FUNCTION ledger.add_terms(p_budget uuid, p_reason text, p_terms jsonb, p_key text)
RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE
    t budget_terms;
BEGIN
    SELECT * INTO t FROM budget_terms WHERE budget_id = p_budget ORDER BY version DESC LIMIT 1;
    t := jsonb_populate_record(t, p_terms || jsonb_build_object(
        'budget_id', p_budget, 'version', coalesce(t.version, 0) + 1, 'reason', p_reason, 'key_id', p_key,
        'at', clock_timestamp()));
    INSERT INTO budget_terms VALUES (t.*);
    RETURN t.version;
END
$$;

-- Bring what is available to what the limit leaves, by a movement up or down.
CREATE FUNCTION ledger.level(p_budget uuid, p_up text, p_down text, p_reference text)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE
    missing bigint;
BEGIN
    SELECT room_minor - available_minor INTO missing FROM budget_now WHERE id = p_budget;
    IF missing <> 0 THEN
        PERFORM post(CASE WHEN missing > 0 THEN p_up ELSE p_down END, p_budget, abs(missing), NULL, p_reference);
    END IF;
END
$$;

-- Lock a budget, and begin its new period if there is one: the rest goes back, the limit is granted anew.
-- What is still held counts against the new limit, as it will be spent in the new period.
CREATE FUNCTION ledger.lock_budget(p_workspace uuid, p_budget uuid)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE
    b budget_now;
    begins date;
    grant_reference text;
BEGIN
    PERFORM FROM chain c JOIN budget USING (workspace_id)
    WHERE budget.id = p_budget AND workspace_id = p_workspace FOR UPDATE OF c;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no budget %', p_budget USING ERRCODE = 'LP404';
    END IF;
    SELECT * INTO STRICT b FROM budget_now WHERE id = p_budget;
    begins := period_start(b.period, least(today(), b.ends_on));
    IF begins > b.period_starts_on THEN
        grant_reference := 'period:' || p_budget || '/' || begins;
        IF b.available_minor > 0 THEN
            PERFORM post('defund', p_budget, b.available_minor, NULL, grant_reference);
        END IF;
        PERFORM add_terms(p_budget, 'renewed', jsonb_build_object(
            'period_starts_on', begins, 'spent_before_minor', b.spent_ever_minor), NULL);
        PERFORM level(p_budget, 'fund', 'defund', grant_reference);
    END IF;
END
$$;

-- Where the limit only warns, or is off, let through what `p_amount` needs beyond what is available.
CREATE FUNCTION ledger.let_through(p_budget uuid, p_amount bigint, p_reference text)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE
    b budget_now;
BEGIN
    SELECT * INTO STRICT b FROM budget_now WHERE id = p_budget;
    IF b.enforcement <> 'block' AND p_amount > b.available_minor THEN
        PERFORM post('extend', p_budget, p_amount - b.available_minor, NULL, beyond(p_reference));
    END IF;
END
$$;

DROP FUNCTION ledger.open_budget(uuid, text, text, bigint);

-- Open a budget with its four accounts and grant it `p_limit` minor units under `p_terms`.
CREATE FUNCTION ledger.open_budget(
    p_workspace uuid, p_name text, p_currency text, p_limit bigint,
    p_terms jsonb DEFAULT '{}', p_key text DEFAULT NULL
) RETURNS uuid LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE
    opened uuid;
BEGIN
    INSERT INTO chain (workspace_id) VALUES (p_workspace) ON CONFLICT DO NOTHING;
    -- Before the budget's foreign key shares the chain's row: two that share it would wait for each other.
    PERFORM FROM chain WHERE workspace_id = p_workspace FOR UPDATE;
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

-- Change a budget's limit and terms; a limit is never lowered below what is held and spent.
CREATE FUNCTION ledger.change_budget(p_workspace uuid, p_budget uuid, p_limit bigint, p_terms jsonb, p_key text)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE
    b budget_now;
    begins date;
    new_version integer;
BEGIN
    PERFORM lock_budget(p_workspace, p_budget);
    SELECT * INTO STRICT b FROM budget_now WHERE id = p_budget;
    IF p_limit < least(b.limit_minor, b.held_minor + b.spent_minor) THEN
        RAISE EXCEPTION 'budget % has more held and spent than %', p_budget, p_limit USING ERRCODE = 'LP411',
            DETAIL = b.held_minor + b.spent_minor;
    END IF;
    begins := b.period_starts_on;
    IF p_terms ->> 'period' <> b.period THEN
        begins := coalesce(period_start(p_terms ->> 'period', today()), today());
    END IF;
    new_version := add_terms(p_budget, 'changed', (p_terms - 'spent_before_minor') || jsonb_build_object(
        'limit_minor', p_limit, 'period_starts_on', begins), p_key);
    PERFORM level(p_budget, 'fund', 'defund', 'limit:' || p_budget || '#' || new_version);
END
$$;

-- Keep the hold's counters: a reserve opens it or makes it larger, a settle or a release uses it up.
CREATE OR REPLACE FUNCTION ledger.count_hold(p_kind text, p_budget uuid, p_hold uuid, p_amount bigint)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
BEGIN
    IF p_kind = 'reserve' THEN
        INSERT INTO hold (id, budget_id, amount) VALUES (p_hold, p_budget, p_amount)
        ON CONFLICT (id) DO UPDATE SET amount = hold.amount + EXCLUDED.amount;
    ELSIF p_kind IN ('settle', 'release') THEN
        UPDATE hold
        SET settled = settled + CASE p_kind WHEN 'settle' THEN p_amount ELSE 0 END,
            released = released + CASE p_kind WHEN 'release' THEN p_amount ELSE 0 END
        WHERE id = p_hold AND settled + released + p_amount <= amount;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'hold % has less than % left', p_hold, p_amount USING ERRCODE = 'LP409',
                DETAIL = (SELECT amount - settled - released FROM hold WHERE id = p_hold);
        END IF;
    END IF;
END
$$;

DROP FUNCTION ledger.reserve(uuid, uuid, bigint, text);

-- Hold `p_amount` of a workspace's budget, as a new hold or more of `p_hold`; returns the hold. Nothing is
-- held for nothing: NULL. A budget pays on the days of its validity alone.
CREATE FUNCTION ledger.reserve(
    p_workspace uuid, p_budget uuid, p_amount bigint, p_reference text, p_hold uuid DEFAULT NULL
) RETURNS uuid LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE
    b budget_now;
    held uuid := coalesce(p_hold, gen_random_uuid());
BEGIN
    PERFORM lock_budget(p_workspace, p_budget);
    SELECT * INTO STRICT b FROM budget_now WHERE id = p_budget;
    IF today() < b.starts_on OR today() > b.ends_on THEN
        RAISE EXCEPTION 'budget % does not pay on %', p_budget, today() USING ERRCODE = 'LP410',
            DETAIL = coalesce(b.starts_on::text, '..') || '/' || coalesce(b.ends_on::text, '..');
    END IF;
    IF p_amount = 0 THEN
        RETURN p_hold;
    END IF;
    PERFORM let_through(p_budget, p_amount, p_reference);
    PERFORM post('reserve', p_budget, p_amount, held, p_reference);
    RETURN held;
END
$$;

-- Use up part of a hold: p_kind is settle (pay) or release (give back).
CREATE OR REPLACE FUNCTION ledger.use_hold(p_kind text, p_hold uuid, p_amount bigint, p_reference text)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE
    owner budget;
BEGIN
    IF p_kind NOT IN ('settle', 'release') THEN
        RAISE EXCEPTION 'a hold cannot be used by %', p_kind USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT b.* INTO owner FROM hold h JOIN budget b ON b.id = h.budget_id WHERE h.id = p_hold;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no hold %', p_hold USING ERRCODE = 'LP404';
    END IF;
    PERFORM lock_budget(owner.workspace_id, owner.id);
    PERFORM post(p_kind, owner.id, p_amount, p_hold, p_reference);
    PERFORM level(owner.id, 'extend', 'retract', beyond(p_reference));
END
$$;

-- Post a refund (of an order or of one delivered patch) or a later charge of an order; returns its number.
CREATE FUNCTION ledger.adjust(
    p_workspace uuid, p_order uuid, p_kind text, p_tile integer, p_patch integer, p_amount bigint,
    p_reason text, p_key text
) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE
    o order_money;
    place text := coalesce('/' || p_tile || '/' || p_patch, '');
    posted text;
    next_number integer;
    paid bigint;
BEGIN
    SELECT * INTO o FROM order_money WHERE order_id = p_order AND workspace_id = p_workspace;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no order %', p_order USING ERRCODE = 'LP404';
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
            RAISE EXCEPTION 'less than % was paid', p_amount USING ERRCODE = 'LP412', DETAIL = paid;
        END IF;
    END IF;
    INSERT INTO adjustment VALUES (
        p_order, next_number, post(p_kind, o.budget_id, p_amount, NULL, posted), p_kind, p_tile, p_patch,
        p_amount, p_reason, p_key, clock_timestamp());
    PERFORM level(o.budget_id, 'extend', 'retract', beyond(posted));
    RETURN next_number;
END
$$;

-- What was paid for an order and has not come back; of one patch of it, no more than that patch's own.
CREATE FUNCTION ledger.refundable(p_order uuid, p_tile integer, p_patch integer)
RETURNS bigint LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE
    of_order bigint;
    of_patch bigint;
BEGIN
    SELECT settled_minor + charged_minor - refunded_minor INTO of_order FROM order_money WHERE order_id = p_order;
    IF p_tile IS NULL THEN
        RETURN of_order;
    END IF;
    SELECT d.settled_minor - coalesce(sum(a.amount), 0) INTO of_patch
    FROM public.delivery d LEFT JOIN adjustment a USING (order_id, tile, patch)
    WHERE d.order_id = p_order AND d.tile = p_tile AND d.patch = p_patch
    GROUP BY d.settled_minor;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no delivery of patch % of tile %', p_patch, p_tile USING ERRCODE = 'LP404';
    END IF;
    RETURN least(of_order, of_patch);
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA ledger FROM PUBLIC;


-- ---------------------------------------------------------------- verifying

-- What must never be of transfers alone (I1 to I14), and of budgets and orders too.
ALTER VIEW ledger.violations RENAME TO violations_of_transfers;

CREATE VIEW ledger.violations (invariant, subject) AS
SELECT invariant, subject FROM ledger.violations_of_transfers
UNION ALL
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
