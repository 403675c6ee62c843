-- Refusals become codes: ERRCODE, a word as the message, and the figure or id as DETAIL. Nothing else changes.
-- Run by 2026-11-28-1100_refusal_codes.py. service/ledger/schema.sql lists the codes.

CREATE OR REPLACE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'append-only'
        USING ERRCODE = 'restrict_violation', SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME;
END
$$;

-- Keep the hold's counters: a reserve opens it or makes it larger, a settle or a release uses it up.
CREATE OR REPLACE FUNCTION ledger.count_hold(p_kind text, p_budget uuid, p_hold uuid, p_amount bigint)
RETURNS void LANGUAGE plpgsql SET search_path = ledger, pg_temp AS $$
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
            RAISE EXCEPTION 'hold-exceeded' USING ERRCODE = 'LP409',
                DETAIL = (SELECT amount - settled - released FROM hold WHERE id = p_hold);
        END IF;
    END IF;
END
$$;

-- Move one account's balance; an overdraft is refused with what there is.
CREATE OR REPLACE FUNCTION ledger.move_balance(p_budget uuid, p_kind text, p_change bigint)
RETURNS ledger.account LANGUAGE plpgsql SET search_path = ledger, pg_temp AS $$
DECLARE
    moved account;
BEGIN
    UPDATE account SET balance = balance + p_change, version = version + 1
    WHERE budget_id = p_budget AND kind = p_kind AND (kind = 'funding' OR balance + p_change >= 0)
    RETURNING * INTO moved;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'account-exceeded' USING ERRCODE = 'LP402',
            DETAIL = (SELECT balance FROM account WHERE budget_id = p_budget AND kind = p_kind);
    END IF;
    RETURN moved;
END
$$;

-- The one writer. Locks in a fixed order: the workspace's chain, the hold, the accounts.
CREATE OR REPLACE FUNCTION ledger.post(p_kind text, p_budget uuid, p_amount bigint, p_hold uuid, p_reference text)
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

    t.id := gen_random_uuid();
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
    t.hash := transfer_hash(t);

    INSERT INTO transfer VALUES (t.*);
    INSERT INTO entry VALUES
        (source.id, source.version, t.id, -p_amount, source.balance),
        (target.id, target.version, t.id, p_amount, target.balance);
    UPDATE chain SET seq = t.seq, hash = t.hash WHERE workspace_id = t.workspace_id;
    RETURN t.id;
END
$$;

-- Lock a budget, and begin its new period if there is one: the rest goes back, the limit is granted again.
-- What is still held counts against the new limit, as it will be spent in the new period.
CREATE OR REPLACE FUNCTION ledger.lock_budget(p_workspace uuid, p_budget uuid)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE
    b budget_now;
    begins date;
    grant_reference text;
BEGIN
    PERFORM FROM chain c JOIN budget USING (workspace_id)
    WHERE budget.id = p_budget AND workspace_id = p_workspace FOR UPDATE OF c;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no-budget' USING ERRCODE = 'LP404', DETAIL = coalesce(p_budget::text, '');
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

-- Change a budget's limit and terms; a limit is never lowered below what is held and spent.
CREATE OR REPLACE FUNCTION ledger.change_budget(p_workspace uuid, p_budget uuid, p_limit bigint, p_terms jsonb, p_key text)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE
    b budget_now;
    begins date;
    new_version integer;
BEGIN
    PERFORM lock_budget(p_workspace, p_budget);
    SELECT * INTO STRICT b FROM budget_now WHERE id = p_budget;
    IF p_limit < least(b.limit_minor, b.held_minor + b.spent_minor) THEN
        RAISE EXCEPTION 'limit-below-use' USING ERRCODE = 'LP411', DETAIL = b.held_minor + b.spent_minor;
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

-- Hold `p_amount` of a workspace's budget, as a new hold or more of `p_hold`; returns the hold. Nothing is
-- held for nothing: NULL. A budget pays only on the days of its validity.
CREATE OR REPLACE FUNCTION ledger.reserve(
    p_workspace uuid, p_budget uuid, p_amount bigint, p_reference text, p_hold uuid DEFAULT NULL
) RETURNS uuid LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE
    b budget_now;
    held uuid := coalesce(p_hold, gen_random_uuid());
BEGIN
    PERFORM lock_budget(p_workspace, p_budget);
    SELECT * INTO STRICT b FROM budget_now WHERE id = p_budget;
    IF today() < b.starts_on OR today() > b.ends_on THEN
        RAISE EXCEPTION 'budget-not-valid' USING ERRCODE = 'LP410',
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
        RAISE EXCEPTION 'unknown-use' USING ERRCODE = 'invalid_parameter_value', DETAIL = p_kind;
    END IF;
    SELECT b.* INTO owner FROM hold h JOIN budget b ON b.id = h.budget_id WHERE h.id = p_hold;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no-hold' USING ERRCODE = 'LP404', DETAIL = coalesce(p_hold::text, '');
    END IF;
    PERFORM lock_budget(owner.workspace_id, owner.id);
    PERFORM post(p_kind, owner.id, p_amount, p_hold, p_reference);
    PERFORM level(owner.id, 'extend', 'retract', beyond(p_reference));
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
    INSERT INTO adjustment VALUES (
        p_order, next_number, post(p_kind, o.budget_id, p_amount, NULL, posted), p_kind, p_tile, p_patch,
        p_amount, p_reason, p_key, clock_timestamp());
    PERFORM level(o.budget_id, 'extend', 'retract', beyond(posted));
    RETURN next_number;
END
$$;

-- What was paid for an order and has not come back; of one patch of it, no more than that patch's own.
CREATE OR REPLACE FUNCTION ledger.refundable(p_order uuid, p_tile integer, p_patch integer)
RETURNS bigint LANGUAGE plpgsql STABLE SET search_path = ledger, pg_temp AS $$
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
        RAISE EXCEPTION 'no-delivery' USING ERRCODE = 'LP404', DETAIL = format('%s/%s', p_tile, p_patch);
    END IF;
    RETURN least(of_order, of_patch);
END
$$;
