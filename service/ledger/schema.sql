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
    -- What was spent before this period does not count against its limit. An upgrade corrected the terms of
    -- budgets whose period had been changed.
    period_starts_on date NOT NULL,
    spent_before_minor bigint NOT NULL,
    key_id text REFERENCES public.api_key ON DELETE RESTRICT,
    at timestamptz NOT NULL,
    proposal_id uuid,  -- the approved proposal that these terms come from
    CONSTRAINT terms_reason CHECK (reason IN ('opened', 'changed', 'renewed', 'corrected')),
    CONSTRAINT terms_limit CHECK (limit_minor >= 0),
    CONSTRAINT terms_period CHECK (period IN ('none', 'month', 'quarter', 'year')),
    CONSTRAINT terms_validity CHECK (ends_on >= starts_on),
    CONSTRAINT terms_enforcement CHECK (enforcement IN ('off', 'warn', 'block')),
    CONSTRAINT terms_thresholds CHECK (1 <= ALL (thresholds) AND 200 >= ALL (thresholds)),
    CONSTRAINT terms_tags CHECK (jsonb_typeof(tags) = 'object'),
    CONSTRAINT terms_approval CHECK (approval_above_minor >= 0),
    CONSTRAINT terms_spent_before CHECK (spent_before_minor >= 0),
    CONSTRAINT terms_of_a_proposal UNIQUE (proposal_id),
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
    -- Sums of two such balances fit 64 bits.
    CONSTRAINT account_range CHECK (abs(balance) < 1000000000000000000),
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
    evidence bytea,  -- hash of the workspace's newest evidence at that time; NULL before there was evidence
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
-- What was ordered and charged in a budget lately.
CREATE INDEX transfer_committed ON ledger.transfer (budget_id, at) WHERE kind IN ('reserve', 'charge');
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
    -- Written before its transfer, so that the transfer's evidence covers it.
    transfer_id uuid NOT NULL REFERENCES ledger.transfer ON DELETE RESTRICT DEFERRABLE,
    kind text NOT NULL,
    tile integer,
    patch integer,
    amount bigint NOT NULL,
    reason text NOT NULL,
    key_id text REFERENCES public.api_key ON DELETE RESTRICT,
    at timestamptz NOT NULL,
    proposal_id uuid,  -- the approved proposal that a charge comes from
    CONSTRAINT adjustment_kind CHECK (kind IN ('refund', 'charge')),
    CONSTRAINT adjustment_of_a_patch CHECK ((tile IS NULL) = (patch IS NULL) AND (kind = 'refund' OR tile IS NULL)),
    CONSTRAINT adjustment_reason_length CHECK (length(reason) BETWEEN 1 AND 500),
    CONSTRAINT adjustment_of_its_transfer UNIQUE (transfer_id),
    CONSTRAINT adjustment_of_a_proposal UNIQUE (proposal_id),
    CONSTRAINT adjustment_of_a_delivery FOREIGN KEY (order_id, tile, patch)
        REFERENCES public.delivery (order_id, tile, patch) ON DELETE RESTRICT,
    PRIMARY KEY (order_id, number)
);

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
-- Savings are computed again when this evidence has grown. Scenes and plans are most of the rest.
CREATE INDEX evidence_of_orders ON ledger.evidence (workspace_id, seq) WHERE kind NOT IN ('scene', 'plan');

-- A proposal takes effect once.
ALTER TABLE ledger.budget_terms
    ADD CONSTRAINT terms_proposal FOREIGN KEY (proposal_id) REFERENCES ledger.proposal ON DELETE RESTRICT;
ALTER TABLE ledger.adjustment
    ADD CONSTRAINT adjustment_proposal FOREIGN KEY (proposal_id) REFERENCES ledger.proposal ON DELETE RESTRICT;

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
        'ledger.adjustment', 'ledger.proposal', 'ledger.decision', 'ledger.evidence', 'ledger.closed_month',
        'ledger.month_balance', 'public.price_list',
        'public.plan', 'public.delivery', 'public.order_status_change', 'public.classification', 'public.final_bill', 'public.late_bill',
        'public.invoice', 'public.invoice_line', 'public.true_labels', 'public.audit_event',
        'public.delegation'
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

-- Holds that were made larger: for accepted prices and for late patches. `cost_minor` is what the order paid and
-- held then, and `minor` what the hold added beyond the amount that another holder approved (everything if none).
-- `accepted_by` is the holder who accepted a price for an order of another: nobody else has seen that price.
CREATE VIEW ledger.enlarged_hold (
    budget_id, order_id, holder, reference, at, cost_minor, minor, delivered_by, accepted_by, form
) AS
SELECT t.budget_id, o.id, k.holder, t.reference, t.at, cost.minor,
    least(t.amount, greatest(0, cost.minor - CASE WHEN EXISTS (
        SELECT FROM public.order_status_change c WHERE c.order_id = o.id AND c.reason_code = 'approved'
    ) THEN o.amount_minor ELSE 0 END)),
    d.holder,
    CASE WHEN l.basis IS DISTINCT FROM 'terms' AND d.holder IS DISTINCT FROM k.holder THEN d.holder END,
    e.form
FROM ledger.transfer t
JOIN public."order" o ON o.hold_id = t.hold_id
LEFT JOIN public.api_key k ON k.id = o.key_id
LEFT JOIN public.late_bill l ON l.order_id = o.id AND t.reference = 'late:' || l.order_id || '#' || l.number
LEFT JOIN public.delivered_file f ON f.order_id = o.id AND f.version = 1
    AND t.reference = 'price:' || f.order_id || '/' || f.tile || '/' || f.patch
LEFT JOIN public.api_key d ON d.id = coalesce(l.key_id, f.key_id)
LEFT JOIN ledger.evidence e ON (e.kind, e.subject) IN (
    ('late_bill', l.order_id || '/' || l.number),
    ('delivered_file', f.order_id || '/' || f.tile || '/' || f.patch || '/1'))
CROSS JOIN LATERAL (
    SELECT sum(CASE m.kind WHEN 'reserve' THEN m.amount WHEN 'release' THEN -m.amount ELSE 0 END)::bigint AS minor
    FROM ledger.transfer m
    WHERE m.hold_id = t.hold_id AND m.seq <= t.seq
) AS cost
WHERE t.kind = 'reserve' AND t.reference ~ '^(price|late):';

-- What each holder has ordered and charged in a budget within 24 hours without the approval of another. Money
-- that an order gave back since does not count; refunds count nothing, so that none makes room for a charge. Late
-- patches of an approved order count where the order then costs more than was approved. A price counts for the
-- holder who accepted it too. The day ends with the transaction's start, for which the index can be used.
CREATE VIEW ledger.unapproved (budget_id, holder, minor) AS
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
        AND t.reference !~ '^late:'
        AND NOT (t.reference ~ '^order:' AND EXISTS (
            SELECT FROM public.order_status_change c WHERE c.order_id = o.id AND c.reason_code = 'approved'
        ))
    GROUP BY t.budget_id, h.id, k.holder
    UNION ALL
    SELECT budget_id, holder, minor
    FROM ledger.enlarged_hold
    WHERE at > now() - interval '24 hours' AND reference ~ '^late:'
    UNION ALL
    SELECT budget_id, accepted_by, minor
    FROM ledger.enlarged_hold
    WHERE at > now() - interval '24 hours' AND accepted_by IS NOT NULL
    UNION ALL
    SELECT t.budget_id, k.holder, t.amount
    FROM ledger.transfer t
    JOIN ledger.adjustment a ON a.transfer_id = t.id
    JOIN public.api_key k ON k.id = a.key_id
    WHERE t.kind = 'charge' AND t.at > now() - interval '24 hours' AND a.proposal_id IS NULL
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


-- ---------------------------------------------------------------- 4 hashes and days

-- Every field in a fixed order; only the last may hold a bar, so no two transfers read the same. A transfer from
-- before there was evidence has none and keeps its first form.
CREATE FUNCTION ledger.transfer_hash(t ledger.transfer) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
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
--   LP404 no-budget, no-hold, no-order, no-delivery, no-proposal  DETAIL the id, or tile/patch
--   LP409 hold-exceeded             the hold has less left        DETAIL what is left
--   LP410 budget-not-valid          the budget pays on other days DETAIL first/last, an open end is ..
--   LP411 limit-below-use           more is held and spent        DETAIL held + spent
--   LP412 refund-exceeds-payment    less was paid                 DETAIL what can come back
--   LP413 self-approval             the same holder proposed it   DETAIL the key that proposed
--   LP415 month-not-over            it has not ended              DETAIL the month
--   LP416 month-not-next            another one is due            DETAIL that one
--   LP417 month-closed              the clock shows a closed one  DETAIL the newest closed one
--   LP414 sum-too-large             the order's charges have no room  DETAIL what was charged

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

-- The select list that reads the owner, the subject and the document of a row `r`. `p_owner` is the column that
-- leads to its workspace. The first `p_keys` columns are its key. Of a column with # before it, which holds bytes,
-- the SHA-256 counts.
CREATE FUNCTION ledger.evidence_query(p_owner text, p_keys integer, p_columns text[])
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

-- Whether one holder's purchases in a workspace need another holder, because a budget of it has `approval_above`.
CREATE FUNCTION ledger.needs_two(p_workspace uuid)
RETURNS boolean LANGUAGE sql STABLE SET search_path = ledger, pg_temp AS $$
    SELECT EXISTS (SELECT FROM budget_now WHERE (workspace_id = p_workspace) AND (approval_above_minor IS NOT NULL))
$$;

-- Whether a change of terms gives orders more freedom.
CREATE FUNCTION ledger.loosens(t_old ledger.budget_terms, t_new ledger.budget_terms)
RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(t_new.approval_above_minor > t_old.approval_above_minor, t_old.approval_above_minor IS NOT NULL)
        OR t_new.limit_minor > t_old.limit_minor
        OR t_new.period <> t_old.period
        OR array_position('{block,warn,off}', t_new.enforcement) > array_position('{block,warn,off}', t_old.enforcement)
        OR coalesce(t_new.ends_on, 'infinity') > coalesce(t_old.ends_on, 'infinity')
        OR coalesce(t_old.starts_on, '-infinity') > coalesce(t_new.starts_on, '-infinity')
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

-- A trigger keeps evidence of every new row. docs/how-to/add-a-migration.md says what a new column needs.
-- Evidence of rows that move no money is written last, so that nobody waits for the workspace's chain while
-- their answer is prepared.
CREATE CONSTRAINT TRIGGER evidence AFTER INSERT ON public.scene
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger.keep_evidence(
    'scene', '1', 'workspace_id', '1', 'id', 'workspace_id', 'sha256', 'size', 'reading', 'created_at');
CREATE TRIGGER evidence AFTER INSERT ON public.api_key FOR EACH ROW EXECUTE FUNCTION ledger.keep_evidence(
    'api_key', '3', 'workspace_id', '1', 'id', 'workspace_id', 'name', '#digest', 'holder', 'role', 'expires_at',
    'issuer', 'subject', 'claimed_at', 'created_at');
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
    'order', '2', 'workspace_id', '1', 'id', 'workspace_id', 'plan_id', 'budget_id', 'currency',
    'amount_minor', 'patches', 'tags', 'cost_center', 'key_id', 'created_at');
CREATE TRIGGER evidence AFTER INSERT ON public.order_status_change FOR EACH ROW EXECUTE FUNCTION ledger.keep_evidence(
    'order_status_change', '2', 'order_id', '2', 'order_id', 'seq', 'status', 'reason_code', 'key_id',
    'note', 'at', 'expires_at');
CREATE TRIGGER evidence AFTER INSERT ON public.delivery FOR EACH ROW EXECUTE FUNCTION ledger.keep_evidence(
    'delivery', '1', 'order_id', '3', 'order_id', 'tile', 'patch', 'settled_minor', 'created_at');
CREATE TRIGGER evidence AFTER INSERT ON public.delivered_file FOR EACH ROW EXECUTE FUNCTION ledger.keep_evidence(
    'delivered_file', '2', 'order_id', '4', 'order_id', 'tile', 'patch', 'version', 'sha256', 'size',
    '#pixels', 'checks', 'key_id', 'created_at');
CREATE TRIGGER evidence AFTER INSERT ON public.delivered_part FOR EACH ROW EXECUTE FUNCTION ledger.keep_evidence(
    'delivered_part', '1', 'order_id', '4', 'order_id', 'tile', 'patch', 'number', 'sha256', 'size',
    '#pixels', '#weights', '#lacking', 'checks', 'covered', 'remainder', 'key_id', 'created_at');
CREATE TRIGGER evidence AFTER INSERT ON public.final_bill FOR EACH ROW EXECUTE FUNCTION ledger.keep_evidence(
    'final_bill', '1', 'order_id', '1', 'order_id', 'patches', 'billed_minor', 'settled_minor', 'basis',
    'created_at');
CREATE TRIGGER evidence AFTER INSERT ON public.late_bill FOR EACH ROW EXECUTE FUNCTION ledger.keep_evidence(
    'late_bill', '2', 'order_id', '2', 'order_id', 'number', 'patches', 'billed_minor', 'settled_minor',
    'basis', 'key_id', 'created_at');
CREATE TRIGGER evidence AFTER INSERT ON public.invoice FOR EACH ROW EXECUTE FUNCTION ledger.keep_evidence(
    'invoice', '1', 'workspace_id', '1', 'id', 'workspace_id', 'kind', 'provider', 'number', 'issued_on',
    'currency', 'tax_minor', 'reason', 'key_id', 'created_at');
CREATE TRIGGER evidence AFTER INSERT ON public.invoice_line FOR EACH ROW EXECUTE FUNCTION ledger.keep_evidence(
    'invoice_line', '1', 'workspace_id', '2', 'invoice_id', 'position', 'workspace_id', 'reference',
    'description', 'amount_minor');
CREATE CONSTRAINT TRIGGER evidence AFTER INSERT ON public.classification
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger.keep_evidence(
    'classification', '1', 'workspace_id', '1', 'id', 'workspace_id', 'order_id', 'complete', 'tiles',
    'provenance', 'objects', 'created_at');
CREATE CONSTRAINT TRIGGER evidence AFTER INSERT ON public.true_labels
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger.keep_evidence(
    'true_labels', '1', 'workspace_id', '2', 'order_id', 'version', 'workspace_id', 'labels', 'key_id',
    'created_at');
CREATE TRIGGER evidence AFTER INSERT ON ledger.budget FOR EACH ROW EXECUTE FUNCTION ledger.keep_evidence(
    'budget', '1', 'workspace_id', '1', 'id', 'workspace_id', 'name', 'currency', 'created_at');
CREATE TRIGGER evidence AFTER INSERT ON ledger.budget_terms FOR EACH ROW EXECUTE FUNCTION ledger.keep_evidence(
    'budget_terms', '3', 'budget_id', '2', 'budget_id', 'version', 'reason', 'limit_minor', 'period',
    'starts_on', 'ends_on', 'enforcement', 'thresholds', 'tags', 'approval_above_minor',
    'period_starts_on', 'spent_before_minor', 'key_id', 'at', 'proposal_id');
CREATE TRIGGER evidence AFTER INSERT ON ledger.adjustment FOR EACH ROW EXECUTE FUNCTION ledger.keep_evidence(
    'adjustment', '2', 'order_id', '2', 'order_id', 'number', 'transfer_id', 'kind', 'tile', 'patch',
    'amount', 'reason', 'key_id', 'at', 'proposal_id');
CREATE TRIGGER evidence AFTER INSERT ON ledger.proposal FOR EACH ROW EXECUTE FUNCTION ledger.keep_evidence(
    'proposal', '1', 'budget_id', '1', 'id', 'budget_id', 'order_id', 'amount', 'reason', 'terms', 'key_id', 'at');
CREATE TRIGGER evidence AFTER INSERT ON ledger.decision FOR EACH ROW EXECUTE FUNCTION ledger.keep_evidence(
    'decision', '1', 'proposal_id', '1', 'proposal_id', 'approved', 'note', 'key_id', 'at');
CREATE TRIGGER evidence AFTER INSERT ON ledger.closed_month FOR EACH ROW EXECUTE FUNCTION ledger.keep_evidence(
    'closed_month', '1', 'workspace_id', '2', 'workspace_id', 'month', 'seq', 'key_id', 'at');
CREATE TRIGGER evidence AFTER INSERT ON ledger.month_balance FOR EACH ROW EXECUTE FUNCTION ledger.keep_evidence(
    'month_balance', '1', 'workspace_id', '3', 'workspace_id', 'month', 'account_id', 'opening', 'closing');


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
    -- Else one holder could go around the `approval_above` of one budget with another budget.
    IF needs_two(p_workspace) AND (p_terms ->> 'approval_above_minor' IS DISTINCT FROM '0') THEN
        RAISE EXCEPTION 'approval-above-needed' USING ERRCODE = 'LP418', DETAIL = p_currency;
    END IF;
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

-- Change a budget's limit and terms, or propose it where another holder has to approve: also of a budget without
-- `approval_above` beside one that has it, or else one holder could buy from the first what the second does not allow.
CREATE FUNCTION ledger.change_budget(p_workspace uuid, p_budget uuid, p_limit bigint, p_terms jsonb, p_key text)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = ledger, pg_temp AS $$
DECLARE
    t budget_terms;
    wanted jsonb := p_terms || jsonb_build_object('limit_minor', p_limit);
BEGIN
    PERFORM lock_budget(p_workspace, p_budget);
    SELECT * INTO t FROM budget_terms WHERE budget_id = p_budget ORDER BY version DESC LIMIT 1;
    IF needs_two(p_workspace) AND loosens(t, jsonb_populate_record(t, wanted)) THEN
        INSERT INTO proposal (id, budget_id, terms, key_id, at)
        SELECT gen_random_uuid(), p_budget, jsonb_object_agg(key, value), p_key, clock_timestamp()
        FROM jsonb_each(wanted) WHERE value <> to_jsonb(t) -> key;
    ELSE
        PERFORM put_in_force(p_budget, wanted, p_key, NULL);
    END IF;
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

-- Post a refund (of an order or of one delivered patch) or a later charge of an order; returns its number. A
-- charge that another holder has to approve is proposed: NULL.
CREATE FUNCTION ledger.adjust(
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

-- What must never be, of budgets and orders.
CREATE VIEW ledger.violations_of_orders (invariant, subject) AS
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
    )
UNION ALL
SELECT 'I28 an order from before there were labels has none', o.id::text
FROM public."order" o JOIN ledger.evidence e ON (e.kind, e.subject) = ('order', o.id::text)
WHERE e.form = 1 AND (o.tags <> '{}' OR o.cost_center IS NOT NULL)
UNION ALL
SELECT 'I29 an order expires when its history says', o.id::text
FROM public."order" o
CROSS JOIN LATERAL (
    SELECT expires_at FROM public.order_status_change c
    WHERE c.order_id = o.id AND c.expires_at IS NOT NULL ORDER BY seq DESC LIMIT 1
) AS last
WHERE o.expires_at <> last.expires_at
UNION ALL
SELECT 'I29 a step from before deadlines were recorded has none', c.order_id || '/' || c.seq
FROM public.order_status_change c
JOIN ledger.evidence e ON (e.kind, e.subject) = ('order_status_change', c.order_id || '/' || c.seq)
WHERE e.form = 1 AND c.expires_at IS NOT NULL
UNION ALL
SELECT 'I37 a key from before there were roles is an admin key that does not expire', k.id
FROM public.api_key k JOIN ledger.evidence e ON (e.kind, e.subject) = ('api_key', k.id)
WHERE e.form = 1 AND (k.role <> 'admin' OR k.expires_at IS NOT NULL)
UNION ALL
SELECT 'I40 a key from before there were people is no person''s', k.id
FROM public.api_key k JOIN ledger.evidence e ON (e.kind, e.subject) = ('api_key', k.id)
WHERE e.form < 3 AND k.subject IS NOT NULL;

-- What must never be, of approvals. Rows from before there were proposals, and from before prices and other budgets
-- counted, have evidence of earlier forms.
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
SELECT 'I30 what one holder charged, accepted and paid late above `approval_above` was approved by another',
    alone.subject
FROM (
    SELECT subject, budget_id, at, sum(minor) OVER (
        PARTITION BY budget_id, holder ORDER BY at RANGE BETWEEN interval '24 hours' PRECEDING AND CURRENT ROW
    ) AS minor
    FROM (
        SELECT a.order_id || '/' || a.number AS subject, t.budget_id, k.holder, t.at, t.amount AS minor
        FROM ledger.adjustment a
        JOIN ledger.transfer t ON t.id = a.transfer_id
        JOIN ledger.evidence e ON e.kind = 'adjustment' AND e.subject = a.order_id || '/' || a.number
        LEFT JOIN public.api_key k ON k.id = a.key_id
        WHERE a.kind = 'charge' AND a.proposal_id IS NULL AND e.form > 1
        UNION ALL
        SELECT reference, budget_id, delivered_by, at, minor
        FROM ledger.enlarged_hold
        WHERE minor > 0 AND (delivered_by = holder AND reference ~ '^late:' OR accepted_by IS NOT NULL AND form > 1)
    ) AS spending
) AS alone
CROSS JOIN LATERAL (
    SELECT approval_above_minor FROM ledger.budget_terms
    WHERE budget_id = alone.budget_id AND at <= alone.at ORDER BY version DESC LIMIT 1
) AS terms
WHERE alone.minor > terms.approval_above_minor
UNION ALL
SELECT 'I30 a price or late patch that brought an order above `approval_above` was delivered by another holder',
    h.reference
FROM ledger.enlarged_hold h
CROSS JOIN LATERAL (
    SELECT approval_above_minor FROM ledger.budget_terms
    WHERE budget_id = h.budget_id AND at <= h.at ORDER BY version DESC LIMIT 1
) AS terms
WHERE h.delivered_by = h.holder AND h.minor > 0 AND h.cost_minor > terms.approval_above_minor
UNION ALL
SELECT 'I31 terms that give more freedom were approved by another holder', t.budget_id || '/' || t.version
FROM ledger.budget_terms t
JOIN ledger.budget_terms p ON (p.budget_id, p.version) = (t.budget_id, t.version - 1)
JOIN ledger.evidence e ON e.kind = 'budget_terms' AND e.subject = t.budget_id || '/' || t.version
WHERE t.reason = 'changed' AND t.proposal_id IS NULL AND ledger.loosens(p, t)
    -- Form 2 is from when only the terms of the budget itself counted.
    AND (e.form = 2 AND p.approval_above_minor IS NOT NULL OR e.form > 2 AND EXISTS (
        SELECT FROM ledger.budget b JOIN ledger.budget other USING (workspace_id)
        CROSS JOIN LATERAL (
            SELECT approval_above_minor FROM ledger.budget_terms
            WHERE budget_id = other.id AND at < t.at ORDER BY version DESC LIMIT 1
        ) AS before
        WHERE b.id = t.budget_id AND before.approval_above_minor IS NOT NULL
    ))
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
WHERE (p.budget_id, p.key_id) IS DISTINCT FROM (t.budget_id, t.key_id) OR NOT to_jsonb(t) @> p.terms
UNION ALL
SELECT 'I36 an order was accepted before anything of it was delivered', o.id::text
FROM public."order" o
WHERE (o.patches > 0 AND o.status IN ('processing', 'completed')
        OR EXISTS (SELECT FROM public.delivery d WHERE d.order_id = o.id))
    AND NOT EXISTS (SELECT FROM public.order_status_change c WHERE c.order_id = o.id AND c.status = 'accepted');

-- What must never be, of closed months.
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

-- What must never be: the view that every check reads.
CREATE VIEW ledger.violations (invariant, subject) AS
SELECT invariant, subject FROM ledger.violations_of_transfers
UNION ALL
SELECT invariant, subject FROM ledger.violations_of_orders
UNION ALL
SELECT invariant, subject FROM ledger.violations_of_evidence
UNION ALL
SELECT invariant, subject FROM ledger.violations_of_approvals
UNION ALL
SELECT invariant, subject FROM ledger.violations_of_months;


-- Pixels can be deleted, and nothing else of a delivered file. What evidence says of it covers the digest of its
-- pixels, which stays.
CREATE FUNCTION ledger.refuse_all_but_deleting_pixels() RETURNS trigger LANGUAGE plpgsql
SET search_path = ledger, pg_temp AS $$
BEGIN
    IF OLD.pixels_sha256 IS NOT NULL OR NEW.pixels <> '' OR NEW.pixels_sha256 IS DISTINCT FROM sha256(OLD.pixels)
        OR to_jsonb(NEW) - 'pixels' - 'pixels_sha256' <> to_jsonb(OLD) - 'pixels' - 'pixels_sha256' THEN
        RAISE EXCEPTION 'append-only'
            USING ERRCODE = 'restrict_violation', SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME;
    END IF;
    RETURN NEW;
END
$$;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['public.delivered_file', 'public.delivered_part'] LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE DELETE ON %s
                        FOR EACH ROW EXECUTE FUNCTION ledger.refuse_change()', name);
        EXECUTE format('CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON %s
                        FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change()', name);
        EXECUTE format('CREATE TRIGGER only_without_pixels BEFORE UPDATE ON %s
                        FOR EACH ROW EXECUTE FUNCTION ledger.refuse_all_but_deleting_pixels()', name);
    END LOOP;
END
$$;

-- The serving role may update these columns, but only once.
CREATE TRIGGER answered_once BEFORE UPDATE ON public.idempotency
    FOR EACH ROW WHEN (OLD.status IS NOT NULL) EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER stays_revoked BEFORE UPDATE ON public.api_key
    FOR EACH ROW WHEN (NEW.revoked_at IS NULL AND OLD.revoked_at IS NOT NULL OR NEW.revoked_at > OLD.revoked_at)
    EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER stays_ended BEFORE UPDATE ON public.job
    FOR EACH ROW WHEN (OLD.finished_at IS NOT NULL) EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER stays_deleted BEFORE UPDATE ON public.scene
    FOR EACH ROW WHEN (OLD.pixels_deleted_at IS NOT NULL) EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER stays_deleted BEFORE UPDATE ON public."order"
    FOR EACH ROW WHEN (OLD.pixels_deleted_at IS NOT NULL AND NEW.pixels_deleted_at IS NULL)
    EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER stays_held BEFORE UPDATE ON public."order"
    FOR EACH ROW WHEN (NEW.hold_id IS DISTINCT FROM OLD.hold_id AND OLD.hold_id IS NOT NULL)
    EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER stays_the_operators BEFORE UPDATE ON public.api_key
    FOR EACH ROW WHEN (OLD.operator AND NOT NEW.operator) EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER stays_signed_out BEFORE UPDATE ON public.dashboard_session
    FOR EACH ROW WHEN (OLD.ended_at IS NOT NULL) EXECUTE FUNCTION ledger.refuse_change();

-- At the commit, an order's status and deadline are those of its history, whose steps are numbered without a gap: so a
-- step is only added at the end. Adding one has locked the workspace's chain for its evidence, so that no two
-- transactions miss each other's steps.
CREATE FUNCTION ledger.check_history() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = ledger, pg_temp AS $$
DECLARE
    o public."order";
    last public.order_status_change;
BEGIN
    SELECT * INTO o FROM public."order" WHERE id = (to_jsonb(NEW) ->> TG_ARGV[0])::uuid;
    SELECT * INTO last FROM public.order_status_change WHERE order_id = o.id ORDER BY seq DESC LIMIT 1;
    IF o.status IS DISTINCT FROM last.status
        OR last.seq <> (SELECT count(*) FROM public.order_status_change WHERE order_id = o.id)
        OR o.expires_at <> (
            SELECT c.expires_at FROM public.order_status_change c
            WHERE (c.order_id = o.id) AND (c.expires_at IS NOT NULL) ORDER BY c.seq DESC LIMIT 1
        )
    THEN
        RAISE EXCEPTION 'order-without-history' USING ERRCODE = 'integrity_constraint_violation', DETAIL = o.id;
    END IF;
    RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER history AFTER INSERT OR UPDATE OF status, expires_at ON public."order"
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger.check_history('id');
CREATE CONSTRAINT TRIGGER history AFTER INSERT ON public.order_status_change
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger.check_history('order_id');


-- ---------------------------------------------------------------- text search of plans

-- Runs of one to three characters of a text, those of `p_least` and longer: a text that holds another has all of
-- the other's runs. The indexes below find plans by them, so that a text that no plan holds is known at once.
CREATE FUNCTION ledger.grams(p_text text, p_least integer) RETURNS text[] LANGUAGE sql
IMMUTABLE STRICT PARALLEL SAFE COST 1000 AS $$
    SELECT coalesce(array_agg(DISTINCT gram), '{}') FROM (
        SELECT unnest((ARRAY[one, one || lead(one) OVER w, one || lead(one) OVER w || lead(one, 2) OVER w])[p_least:])
        FROM string_to_table(p_text, NULL) WITH ORDINALITY AS c (one, place) WINDOW w AS (ORDER BY place)
    ) AS runs (gram) WHERE gram IS NOT NULL
$$;

-- Nearly every digest holds each run of two hexadecimal digits, so shorter runs are of the names only.
CREATE FUNCTION ledger.grams_of_plan(p_id uuid, p_provenance jsonb) RETURNS text[] LANGUAGE sql
IMMUTABLE STRICT PARALLEL SAFE COST 2000 AS $$
    SELECT ledger.grams(lower(concat_ws(E'\n', p_id::text, p_provenance ->> 'input_sha256')), 3)
        || ledger.grams(lower(concat_ws(E'\n', p_provenance -> 'price_list' ->> 'name',
            p_provenance -> 'bundle' ->> 'name')), 1)
$$;

CREATE FUNCTION ledger.grams_of_names(p_name text, p_external_id text, p_tags jsonb) RETURNS text[] LANGUAGE sql
IMMUTABLE PARALLEL SAFE COST 2000 AS $$
    SELECT ledger.grams(lower(concat_ws(E'\n', p_name, p_external_id, p_tags::text)), 1)
$$;

-- Few rows wait outside the index for their place, because a search reads them all.
CREATE INDEX ix_plan_grams ON public.plan USING gin (ledger.grams_of_plan(id, provenance))
    WITH (gin_pending_list_limit = 256);
CREATE INDEX ix_plan_naming_grams ON public.plan_naming USING gin (ledger.grams_of_names(name, external_id, tags))
    WITH (gin_pending_list_limit = 256);

-- Plans that may hold a text, up to a number. Row-level security keeps its readers from these indexes: it
-- lets them use only operators that reveal nothing, and none of GIN does. So the owner of the ledger looks.
CREATE FUNCTION ledger.plans_holding(p_workspace uuid, p_text text, p_most integer) RETURNS SETOF uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = ledger, public, pg_temp SET enable_seqscan = off AS $$
DECLARE
    wanted text[] := grams(lower(p_text), least(3, length(p_text)));
BEGIN
    RETURN QUERY SELECT id FROM plan
        WHERE workspace_id = p_workspace AND grams_of_plan(id, provenance) @> wanted LIMIT p_most;
    RETURN QUERY SELECT plan_id FROM plan_naming
        WHERE workspace_id = p_workspace AND grams_of_names(name, external_id, tags) @> wanted LIMIT p_most;
END
$$;


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
    ledger.decide, ledger.needs_approval, ledger.close_month,
    ledger.grams, ledger.grams_of_plan, ledger.grams_of_names, ledger.plans_holding,
    ledger.transfer_hash, ledger.loosens  -- the view ledger.violations calls them
TO loupe_app;

GRANT SELECT ON
    workspace, api_key, idempotency, idempotency_claim, price_list, scene, plan, "order", delivery,
    delivered_file, delivered_part, order_status_change, classification, final_bill, late_bill,
    invoice, invoice_line, true_labels, audit_event, delegation, dashboard_session, job, plan_naming
TO loupe_owner;
GRANT SELECT, INSERT ON
    workspace, api_key, idempotency, idempotency_claim, price_list, scene, plan, "order", delivery,
    delivered_file, delivered_part, order_status_change, classification, final_bill, late_bill,
    invoice, invoice_line, true_labels, audit_event, delegation, dashboard_session, job, plan_naming
TO loupe_app;
GRANT UPDATE (revoked_at, last_used_at, operator) ON api_key TO loupe_app;
GRANT UPDATE (ended_at) ON dashboard_session TO loupe_app;
GRANT UPDATE (status, body) ON idempotency TO loupe_app;
GRANT UPDATE (claimed_until) ON idempotency_claim TO loupe_app;
GRANT UPDATE (
    status, hold_id, expires_at, name, external_id, pixels_deleted_at, pixels_deleted_by
) ON "order" TO loupe_app;
GRANT UPDATE (name, external_id, tags) ON plan_naming TO loupe_app;
GRANT UPDATE (pixels_deleted_at, pixels_deleted_by) ON scene TO loupe_app;
GRANT UPDATE (pixels, pixels_sha256) ON delivered_file TO loupe_app;
GRANT UPDATE (pixels, pixels_sha256) ON delivered_part TO loupe_app;
GRANT UPDATE (scene_days, delivery_days) ON workspace TO loupe_app;
GRANT UPDATE (
    status, attempts, cancel_requested, tiles_done, tiles, progress_at, result, problem, started_at, finished_at
) ON job TO loupe_app;
-- A row that is to be locked must have a column that might change: placing an order locks its plan, although
-- a plan never changes (its trigger says so), and ledger.adjust locks its order.
GRANT UPDATE (id) ON plan TO loupe_app;
GRANT UPDATE (id) ON "order" TO loupe_owner;


-- ---------------------------------------------------------------- 9 row-level security
-- A transaction says for which workspace it works: SET LOCAL loupe.workspace. Rows of others do not exist for
-- it. Without the setting every access fails; '*' means all workspaces, for work that serves no request.
-- The ledger's functions see every row, since each is told its workspace.

-- It has no search path of its own, so that it is inlined; its names are bound when it is made.
CREATE FUNCTION ledger.sees(workspace uuid) RETURNS boolean LANGUAGE sql STABLE
RETURN current_setting('loupe.workspace') = '*'
    OR workspace = nullif(current_setting('loupe.workspace'), '*')::uuid;
ALTER FUNCTION ledger.sees OWNER TO loupe_owner;
REVOKE ALL ON FUNCTION ledger.sees FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.sees TO loupe_app;

DO $$
DECLARE
    protected text;
    visible text;
BEGIN
    FOR protected, visible IN
        SELECT format('%I.%I', n.nspname, c.relname), 'ledger.sees(workspace_id)'
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname IN ('public', 'ledger') AND c.relkind = 'r'
            AND a.attname = 'workspace_id' AND NOT a.attisdropped
        UNION ALL VALUES ('public.workspace', 'ledger.sees(id)')
        UNION ALL SELECT unnest(ARRAY['delivery', 'delivered_file', 'delivered_part', 'order_status_change',
                'final_bill', 'late_bill', 'ledger.adjustment']),
            'EXISTS (SELECT FROM public."order" o WHERE o.id = order_id)'
        UNION ALL SELECT unnest(ARRAY['ledger.budget_terms', 'ledger.hold', 'ledger.proposal']),
            'EXISTS (SELECT FROM ledger.budget b WHERE b.id = budget_id)'
        UNION ALL VALUES
            ('ledger.decision', 'EXISTS (SELECT FROM ledger.proposal p WHERE p.id = proposal_id)'),
            ('ledger.entry', 'EXISTS (SELECT FROM ledger.account a WHERE a.id = account_id)')
    LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', protected);
        EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', protected);
        EXECUTE format('CREATE POLICY own_workspace ON %s USING (%s)', protected,
            CASE WHEN visible LIKE 'EXISTS%' THEN 'current_setting(''loupe.workspace'') = ''*'' OR ' ELSE '' END
            || visible);
        EXECUTE format('CREATE POLICY ledger_functions ON %s TO loupe_owner USING (true)', protected);
    END LOOP;
    -- A view would show its owner's rows otherwise.
    FOR protected IN
        SELECT oid::regclass FROM pg_class WHERE relnamespace = 'ledger'::regnamespace AND relkind = 'v'
    LOOP
        EXECUTE format('ALTER VIEW %s SET (security_invoker = true)', protected);
    END LOOP;
END
$$;
