-- The schema `ledger` as it is now: double entry, append-only, integer minor units.
--
-- This file is for reading. Nothing runs it but a test, which builds one database from it and another from the
-- migrations, and compares their catalogs. A migration that changes the ledger changes this file as well;
-- docs/how-to/add-a-migration.md says how. docs/ledger.md explains the design.
--
-- It expects the tables of the schema public (service/*/tables.py) and the roles loupe_owner and loupe_app,
-- which belong to the whole cluster.
--
-- Contents: 1 tables, 2 append-only, 3 views to read, 4 hashes and days, 5 inner functions, 6 entrances,
-- 7 verification, 8 owner and grants.

CREATE SCHEMA ledger;


-- ---------------------------------------------------------------- 1 tables

-- One hash chain per workspace. Its row is the lock that puts a workspace's transfers in order.
CREATE TABLE ledger.chain (
    workspace_id uuid PRIMARY KEY REFERENCES public.workspace ON DELETE RESTRICT,
    seq bigint NOT NULL DEFAULT 0,
    hash bytea NOT NULL DEFAULT decode(repeat('00', 32), 'hex')
);

CREATE TABLE ledger.budget (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    workspace_id uuid NOT NULL REFERENCES ledger.chain ON DELETE RESTRICT,
    name text NOT NULL,
    currency text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT budget_name_length CHECK (length(name) BETWEEN 1 AND 100),
    CONSTRAINT budget_currency_iso CHECK (currency ~ '^[A-Z]{3}$'),
    CONSTRAINT budget_name_unique UNIQUE (workspace_id, name),
    CONSTRAINT budget_owner UNIQUE (id, workspace_id, currency)
);

-- Limit and terms of a budget: a row for every change and for every period that began; the newest applies.
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

CREATE TABLE ledger.account (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace_id uuid NOT NULL,
    budget_id uuid NOT NULL,
    currency text NOT NULL,
    kind text NOT NULL,
    balance bigint NOT NULL DEFAULT 0,
    version bigint NOT NULL DEFAULT 0,
    CONSTRAINT account_kind CHECK (kind IN ('funding', 'available', 'reserved', 'spent')),
    -- Overspending is refused by the table itself, whatever the code above it does.
    CONSTRAINT account_never_overspent CHECK (kind = 'funding' OR balance >= 0),
    CONSTRAINT account_funding_sign CHECK (kind <> 'funding' OR balance <= 0),
    CONSTRAINT account_one_of_a_kind UNIQUE (budget_id, kind),
    CONSTRAINT account_owner UNIQUE (id, budget_id),
    CONSTRAINT account_of_its_budget FOREIGN KEY (budget_id, workspace_id, currency)
        REFERENCES ledger.budget (id, workspace_id, currency) ON DELETE RESTRICT
);

-- From which account to which each kind of movement goes; service.ledger.book holds the same table.
CREATE TABLE ledger.movement (
    kind text PRIMARY KEY,
    from_kind text NOT NULL,
    to_kind text NOT NULL
);
INSERT INTO ledger.movement VALUES
    ('fund', 'funding', 'available'),
    ('reserve', 'available', 'reserved'),
    ('settle', 'reserved', 'spent'),
    ('release', 'reserved', 'available'),
    ('refund', 'spent', 'available'),
    ('defund', 'available', 'funding'),
    -- What is let through beyond the limit, and taken back when it is not needed.
    ('extend', 'funding', 'available'),
    ('retract', 'available', 'funding'),
    -- What an invoice asks for later.
    ('charge', 'available', 'spent');

-- Money set aside for one order. The counters are a summary; the transfers are the truth.
CREATE TABLE ledger.hold (
    id uuid PRIMARY KEY,
    budget_id uuid NOT NULL REFERENCES ledger.budget ON DELETE RESTRICT,
    amount bigint NOT NULL,
    settled bigint NOT NULL DEFAULT 0,
    released bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT hold_amount_positive CHECK (amount > 0),
    CONSTRAINT hold_counters_positive CHECK (settled >= 0 AND released >= 0),
    CONSTRAINT hold_never_exceeded CHECK (settled + released <= amount),
    CONSTRAINT hold_owner UNIQUE (id, budget_id)
);
CREATE INDEX hold_budget ON ledger.hold (budget_id);

-- Every movement of money, hashed with its predecessor of the same workspace.
CREATE TABLE ledger.transfer (
    id uuid PRIMARY KEY,
    workspace_id uuid NOT NULL,
    seq bigint NOT NULL,
    kind text NOT NULL REFERENCES ledger.movement,
    budget_id uuid NOT NULL,
    from_account bigint NOT NULL,
    to_account bigint NOT NULL,
    currency text NOT NULL,
    amount bigint NOT NULL,
    hold_id uuid,
    at timestamptz NOT NULL,
    reference text NOT NULL,
    previous_hash bytea NOT NULL,
    hash bytea NOT NULL,
    CONSTRAINT transfer_amount_positive CHECK (amount > 0),
    CONSTRAINT transfer_two_accounts CHECK (from_account <> to_account),
    CONSTRAINT transfer_reference_length CHECK (length(reference) BETWEEN 1 AND 200),
    CONSTRAINT transfer_hold_when_held CHECK ((kind IN ('reserve', 'settle', 'release')) = (hold_id IS NOT NULL)),
    CONSTRAINT transfer_seq_unique UNIQUE (workspace_id, seq),
    -- Together these keys make a transfer across budgets, workspaces or currencies impossible.
    CONSTRAINT transfer_of_its_budget FOREIGN KEY (budget_id, workspace_id, currency)
        REFERENCES ledger.budget (id, workspace_id, currency) ON DELETE RESTRICT,
    CONSTRAINT transfer_from_its_budget FOREIGN KEY (from_account, budget_id)
        REFERENCES ledger.account (id, budget_id) ON DELETE RESTRICT,
    CONSTRAINT transfer_to_its_budget FOREIGN KEY (to_account, budget_id)
        REFERENCES ledger.account (id, budget_id) ON DELETE RESTRICT,
    CONSTRAINT transfer_hold_of_its_budget FOREIGN KEY (hold_id, budget_id)
        REFERENCES ledger.hold (id, budget_id) ON DELETE RESTRICT
);
CREATE INDEX transfer_budget ON ledger.transfer (budget_id, seq);
CREATE INDEX transfer_hold ON ledger.transfer (hold_id);
-- An order is held for once, and a delivered patch is paid once.
CREATE UNIQUE INDEX transfer_reserved_once ON ledger.transfer (workspace_id, reference) WHERE kind = 'reserve';
CREATE UNIQUE INDEX transfer_settled_once ON ledger.transfer (workspace_id, reference) WHERE kind = 'settle';

-- Two rows for every transfer. A lost update would be a second row with the same version.
CREATE TABLE ledger.entry (
    account_id bigint NOT NULL REFERENCES ledger.account ON DELETE RESTRICT,
    version bigint NOT NULL,
    transfer_id uuid NOT NULL REFERENCES ledger.transfer ON DELETE RESTRICT,
    amount bigint NOT NULL,
    balance_after bigint NOT NULL,
    CONSTRAINT entry_amount_not_zero CHECK (amount <> 0),
    PRIMARY KEY (account_id, version)
);
CREATE INDEX entry_transfer ON ledger.entry (transfer_id);

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

-- An order names a budget and a hold that exist, and nobody else's hold.
ALTER TABLE public."order"
    ADD CONSTRAINT fk_order_budget FOREIGN KEY (budget_id) REFERENCES ledger.budget ON DELETE RESTRICT,
    ADD CONSTRAINT fk_order_hold FOREIGN KEY (hold_id, budget_id)
        REFERENCES ledger.hold (id, budget_id) ON DELETE RESTRICT;


-- ---------------------------------------------------------------- 2 append-only

-- `account`, `chain` and `hold` are sums of what follows here, and only the functions below change them.
CREATE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'append-only'
        USING ERRCODE = 'restrict_violation', SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME;
END
$$;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'ledger.transfer', 'ledger.entry', 'ledger.movement', 'ledger.budget', 'ledger.budget_terms',
        'ledger.adjustment', 'public.price_list', 'public.plan', 'public.delivery',
        'public.delivered_file', 'public.delivered_part', 'public.order_status_change', 'public.classification'
    ] LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON %s
                        FOR EACH ROW EXECUTE FUNCTION ledger.refuse_change()', name);
        EXECUTE format('CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON %s
                        FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change()', name);
    END LOOP;
END
$$;


-- ---------------------------------------------------------------- 3 views to read

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


-- ---------------------------------------------------------------- 4 hashes and days

-- Every field in a fixed order; only the last may hold a bar, so no two transfers read the same.
CREATE FUNCTION ledger.transfer_hash(t ledger.transfer) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
    SELECT sha256(t.previous_hash || convert_to(
        'loupe-transfer-1|' || t.id || '|' || t.workspace_id || '|' || t.seq || '|' || t.kind || '|' ||
        t.budget_id || '|' || t.from_account || '|' || t.to_account || '|' || t.currency || '|' ||
        t.amount || '|' || coalesce(t.hold_id::text, '-') || '|' ||
        (extract(epoch FROM t.at) * 1000000)::bigint || '|' || t.reference, 'UTF8'))
$$;

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


-- ---------------------------------------------------------------- 5 inner functions
-- They have the rights of their caller: the owner's inside an entrance (section 6), otherwise none.
--
-- Refusals are codes, never sentences: ERRCODE, a word as the message, and the figure or id as DETAIL.
-- service/ledger/refusals.py writes the sentences.
--   LP402 account-exceeded          the account has less          DETAIL its balance
--   LP404 no-budget, no-hold, no-order, no-delivery               DETAIL the id, or tile/patch
--   LP409 hold-exceeded             the hold has less left        DETAIL what is left
--   LP410 budget-not-valid          the budget pays on other days DETAIL first/last, an open end is ..
--   LP411 limit-below-use           more is held and spent        DETAIL held + spent
--   LP412 refund-exceeds-payment    less was paid                 DETAIL what can come back

-- Keep the hold's counters: a reserve opens it or makes it larger, a settle or a release uses it up.
CREATE FUNCTION ledger.count_hold(p_kind text, p_budget uuid, p_hold uuid, p_amount bigint)
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
CREATE FUNCTION ledger.move_balance(p_budget uuid, p_kind text, p_change bigint)
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
CREATE FUNCTION ledger.post(p_kind text, p_budget uuid, p_amount bigint, p_hold uuid, p_reference text)
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

-- Append a version of a budget's terms: the one in force, changed by the members of `p_terms`.
CREATE FUNCTION ledger.add_terms(p_budget uuid, p_reason text, p_terms jsonb, p_key text)
RETURNS integer LANGUAGE plpgsql SET search_path = ledger, pg_temp AS $$
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
RETURNS void LANGUAGE plpgsql SET search_path = ledger, pg_temp AS $$
DECLARE
    missing bigint;
BEGIN
    SELECT room_minor - available_minor INTO missing FROM budget_now WHERE id = p_budget;
    IF missing <> 0 THEN
        PERFORM post(CASE WHEN missing > 0 THEN p_up ELSE p_down END, p_budget, abs(missing), NULL, p_reference);
    END IF;
END
$$;

-- Where the limit only warns, or is off, let through what `p_amount` needs beyond what is available.
CREATE FUNCTION ledger.let_through(p_budget uuid, p_amount bigint, p_reference text)
RETURNS void LANGUAGE plpgsql SET search_path = ledger, pg_temp AS $$
DECLARE
    b budget_now;
BEGIN
    SELECT * INTO STRICT b FROM budget_now WHERE id = p_budget;
    IF b.enforcement <> 'block' AND p_amount > b.available_minor THEN
        PERFORM post('extend', p_budget, p_amount - b.available_minor, NULL, beyond(p_reference));
    END IF;
END
$$;

-- What was paid for an order and has not come back; of one patch of it, no more than that patch's own.
CREATE FUNCTION ledger.refundable(p_order uuid, p_tile integer, p_patch integer)
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


-- ---------------------------------------------------------------- 6 entrances
-- The application calls these and nothing else writes. They run with their owner's rights and a fixed search
-- path, so that an application role needs EXECUTE on them and SELECT on the tables, and nothing else.

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

-- Lock a budget, and begin its new period if there is one: the rest goes back, the limit is granted again.
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
CREATE FUNCTION ledger.use_hold(p_kind text, p_hold uuid, p_amount bigint, p_reference text)
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


-- ---------------------------------------------------------------- 7 verification

-- What must never be. Every row is a defect: the invariant that is broken, and where. I1 to I14 are of
-- transfers; the view after this one adds those of budgets and orders.
CREATE VIEW ledger.violations_of_transfers (invariant, subject) AS
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
SELECT 'I13 a payment has its delivery, of the same amount', t.reference
FROM ledger.transfer t LEFT JOIN public.delivery d
    ON t.reference = 'delivery:' || d.order_id || '/' || d.tile || '/' || d.patch
WHERE t.kind = 'settle' AND d.settled_minor IS DISTINCT FROM t.amount
UNION ALL
SELECT 'I13 a delivery that costs something is paid', d.order_id || '/' || d.tile || '/' || d.patch
FROM public.delivery d LEFT JOIN ledger.transfer t
    ON t.kind = 'settle' AND t.reference = 'delivery:' || d.order_id || '/' || d.tile || '/' || d.patch
WHERE d.settled_minor > 0 AND t.id IS NULL
UNION ALL
SELECT 'I14 a transfer joins the accounts that its kind names', t.id::text
FROM ledger.transfer t
JOIN ledger.movement m USING (kind)
JOIN ledger.account source ON source.id = t.from_account
JOIN ledger.account target ON target.id = t.to_account
WHERE source.kind <> m.from_kind OR target.kind <> m.to_kind;

-- What must never be, of transfers, budgets and orders: the view that every check reads.
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


-- ---------------------------------------------------------------- 8 owner and grants
-- loupe_owner owns the schema, and the entrances run with its rights; nobody logs in as it. A server's login
-- role is a member of loupe_app: it reads, adds rows to the tables of public, and moves money by the
-- entrances. service/database/roles.py refuses or warns of a login role that can do more.

ALTER SCHEMA ledger OWNER TO loupe_owner;
DO $$
DECLARE
    task text;
BEGIN
    FOR task IN
        SELECT format('ALTER TABLE %s OWNER TO loupe_owner', oid::regclass)  -- views too
        FROM pg_class WHERE relnamespace = 'ledger'::regnamespace AND relkind IN ('r', 'v')
        UNION ALL
        SELECT format('ALTER FUNCTION %s OWNER TO loupe_owner', oid::regprocedure)
        FROM pg_proc WHERE pronamespace = 'ledger'::regnamespace
    LOOP
        EXECUTE task;
    END LOOP;
END
$$;

REVOKE CREATE ON SCHEMA public FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA ledger FROM PUBLIC;
GRANT USAGE ON SCHEMA ledger, public TO loupe_app;
GRANT USAGE ON SCHEMA public TO loupe_owner;

GRANT SELECT ON ALL TABLES IN SCHEMA ledger TO loupe_app;
GRANT EXECUTE ON FUNCTION
    ledger.open_budget, ledger.lock_budget, ledger.change_budget, ledger.reserve, ledger.use_hold, ledger.adjust,
    ledger.transfer_hash  -- the view ledger.violations calls it
TO loupe_app;

GRANT SELECT ON
    workspace, api_key, idempotency, idempotency_claim, price_list, scene, plan, "order", delivery,
    delivered_file, delivered_part, order_status_change, classification
TO loupe_owner;
GRANT SELECT, INSERT ON
    workspace, api_key, idempotency, idempotency_claim, price_list, scene, plan, "order", delivery,
    delivered_file, delivered_part, order_status_change, classification
TO loupe_app;
GRANT UPDATE (revoked_at) ON api_key TO loupe_app;
GRANT UPDATE (status, body) ON idempotency TO loupe_app;
GRANT UPDATE (claimed_until) ON idempotency_claim TO loupe_app;
GRANT UPDATE (status, hold_id) ON "order" TO loupe_app;
-- A row that is to be locked must have a column that might change: placing an order locks its plan, although
-- a plan never changes (its trigger says so), and ledger.adjust locks its order.
GRANT UPDATE (id) ON plan TO loupe_app;
GRANT UPDATE (id) ON "order" TO loupe_owner;
