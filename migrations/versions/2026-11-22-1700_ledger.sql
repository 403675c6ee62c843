-- The ledger: double entry, append-only, integer minor units. docs/ledger.md explains it.
-- Run by 2026-11-22-1700_first_schema.py, after the tables of the schema public.

CREATE SCHEMA ledger;

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
    ('defund', 'available', 'funding');

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

-- An order names a budget and a hold that exist, and nobody else's hold.
ALTER TABLE public."order"
    ADD CONSTRAINT fk_order_budget FOREIGN KEY (budget_id) REFERENCES ledger.budget ON DELETE RESTRICT,
    ADD CONSTRAINT fk_order_hold FOREIGN KEY (hold_id, budget_id)
        REFERENCES ledger.hold (id, budget_id) ON DELETE RESTRICT;


-- ---------------------------------------------------------------- append-only

CREATE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%.% is append-only', TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END
$$;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'ledger.transfer', 'ledger.entry', 'ledger.movement', 'ledger.budget', 'public.price_list', 'public.plan',
        'public.delivery', 'public.order_status_change', 'public.classification'
    ] LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON %s
                        FOR EACH ROW EXECUTE FUNCTION ledger.refuse_change()', name);
        EXECUTE format('CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON %s
                        FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change()', name);
    END LOOP;
END
$$;


-- ---------------------------------------------------------------- writing
-- Only these functions write. They run with their owner's rights and a fixed search path, so that an
-- application role needs EXECUTE on them and SELECT on the tables, and nothing else.
-- Errors of our own class: LP402 the budget has less, LP404 no such budget or hold, LP409 the hold has less.

-- Every field in a fixed order; only the last may hold a bar, so no two transfers read the same.
CREATE FUNCTION ledger.transfer_hash(t ledger.transfer) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
    SELECT sha256(t.previous_hash || convert_to(
        'loupe-transfer-1|' || t.id || '|' || t.workspace_id || '|' || t.seq || '|' || t.kind || '|' ||
        t.budget_id || '|' || t.from_account || '|' || t.to_account || '|' || t.currency || '|' ||
        t.amount || '|' || coalesce(t.hold_id::text, '-') || '|' ||
        (extract(epoch FROM t.at) * 1000000)::bigint || '|' || t.reference, 'UTF8'))
$$;

-- Keep the hold's counters: a reserve opens it, a settle or a release uses it up.
CREATE FUNCTION ledger.count_hold(p_kind text, p_budget uuid, p_hold uuid, p_amount bigint)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
BEGIN
    IF p_kind = 'reserve' THEN
        INSERT INTO hold (id, budget_id, amount) VALUES (p_hold, p_budget, p_amount);
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

-- Move one account's balance; an overdraft is refused with what there is.
CREATE FUNCTION ledger.move_balance(p_budget uuid, p_kind text, p_change bigint)
RETURNS ledger.account LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE
    moved account;
BEGIN
    UPDATE account SET balance = balance + p_change, version = version + 1
    WHERE budget_id = p_budget AND kind = p_kind AND (kind = 'funding' OR balance + p_change >= 0)
    RETURNING * INTO moved;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'account % of budget % has less than %', p_kind, p_budget, -p_change
            USING ERRCODE = 'LP402',
            DETAIL = (SELECT balance FROM account WHERE budget_id = p_budget AND kind = p_kind);
    END IF;
    RETURN moved;
END
$$;

-- The one writer. Locks in a fixed order: the workspace's chain, the hold, the accounts.
CREATE FUNCTION ledger.post(p_kind text, p_budget uuid, p_amount bigint, p_hold uuid, p_reference text)
RETURNS uuid LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
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
        RAISE EXCEPTION 'no budget %', p_budget USING ERRCODE = 'LP404';
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

-- Open a budget with its four accounts and grant it `p_limit` minor units.
CREATE FUNCTION ledger.open_budget(p_workspace uuid, p_name text, p_currency text, p_limit bigint)
RETURNS uuid LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE
    opened uuid;
BEGIN
    INSERT INTO chain (workspace_id) VALUES (p_workspace) ON CONFLICT DO NOTHING;
    INSERT INTO budget (workspace_id, name, currency) VALUES (p_workspace, p_name, p_currency)
    RETURNING id INTO opened;
    INSERT INTO account (workspace_id, budget_id, currency, kind)
    SELECT p_workspace, opened, p_currency, kind
    FROM unnest(ARRAY['funding', 'available', 'reserved', 'spent']) AS kind;
    IF p_limit > 0 THEN
        PERFORM post('fund', opened, p_limit, NULL, 'budget:' || opened);
    END IF;
    RETURN opened;
END
$$;

-- Hold `p_amount` of a workspace's budget; returns the hold.
CREATE FUNCTION ledger.reserve(p_workspace uuid, p_budget uuid, p_amount bigint, p_reference text)
RETURNS uuid LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE
    opened uuid := gen_random_uuid();
BEGIN
    IF NOT EXISTS (SELECT FROM budget WHERE id = p_budget AND workspace_id = p_workspace) THEN
        RAISE EXCEPTION 'no budget %', p_budget USING ERRCODE = 'LP404';
    END IF;
    PERFORM post('reserve', p_budget, p_amount, opened, p_reference);
    RETURN opened;
END
$$;

-- Use up part of a hold: p_kind is settle (pay) or release (give back).
CREATE FUNCTION ledger.use_hold(p_kind text, p_hold uuid, p_amount bigint, p_reference text)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE
    owner uuid;
BEGIN
    IF p_kind NOT IN ('settle', 'release') THEN
        RAISE EXCEPTION 'a hold cannot be used by %', p_kind USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT budget_id INTO owner FROM hold WHERE id = p_hold;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no hold %', p_hold USING ERRCODE = 'LP404';
    END IF;
    PERFORM post(p_kind, owner, p_amount, p_hold, p_reference);
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA ledger FROM PUBLIC;


-- ---------------------------------------------------------------- verifying

-- What must never be. Every row is a defect: the invariant that is broken, and where.
CREATE VIEW ledger.violations (invariant, subject) AS
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
