"""Forgeries of a superuser with triggers off: changes of the rows that a figure or a decision rests on."""

CANCELLED = """(SELECT id FROM "order" WHERE status = 'user_cancelled')"""

FORGERIES: dict[str, tuple[str, ...]] = {
    "a plan's baseline times ten": (
        "UPDATE plan SET billable_saving_minor = billable_saving_minor + 9 * baseline_minor,"
        " baseline_minor = 10 * baseline_minor",
    ),
    "a plan's baseline times ten, with its areas": (
        """UPDATE plan SET bill = jsonb_set(
               bill, '{everything,lines}', '[{"area_km2": "9", "billable_km2": "9"}]'),
           baseline_minor = baseline_minor + 900""",
    ),
    "a plan's cost": ("UPDATE plan SET cost_minor = cost_minor + 1",),
    "a plan's decisions": (r"UPDATE plan SET selected = set_byte(selected, 5, 1 - get_byte(selected, 5))",),
    "a plan's utilities": ("UPDATE plan SET utilities = set_byte(utilities, 0, 255)",),
    "what a plan owned": (r"UPDATE plan SET ground = coalesce(set_byte(ground, 0, 1), '\x01')",),
    "a plan's objective": ("""UPDATE plan SET objective = '{"kind": "policy", "threshold": 0.1}'""",),
    "the bundle of a plan": (
        """UPDATE plan SET provenance = jsonb_set(provenance, '{bundle,version}', '"9"', true)""",
    ),
    "the reason of a plan": ("""UPDATE plan SET bill = jsonb_set(bill, '{reason}', '"Cheap."', true)""",),
    "the price of a price list": ("UPDATE price_list SET price_per_km2 = price_per_km2 * 2",),
    "a price list that is an example no more": ("UPDATE price_list SET example = NOT example",),
    "the days of a price list": ("UPDATE price_list SET valid_to = '2099-12-31'",),
    "the grid of a scene": (
        "UPDATE scene SET reading = jsonb_set(reading, '{grid,transform,0}', '20.5'::jsonb, true)",
    ),
    "the grid of a scene, with the areas of its plans": (
        "UPDATE scene SET reading = jsonb_set(reading, '{grid,transform,0}', '20.5'::jsonb, true)",
        """UPDATE plan SET bill = jsonb_set(
               bill, '{everything,lines}', '[{"area_km2": "0.0789", "billable_km2": "0.0789"}]', true)""",
    ),
    "the file of a scene": ("UPDATE scene SET sha256 = repeat('0', 64)",),
    "an order's amount": ('UPDATE "order" SET amount_minor = amount_minor + 1',),
    "an order's plan": (
        """UPDATE "order" SET plan_id = (SELECT min(id::text)::uuid FROM plan p
               WHERE NOT EXISTS (SELECT FROM "order" o WHERE o.plan_id = p.id))
           WHERE id = (SELECT id FROM "order" WHERE hold_id IS NOT NULL LIMIT 1)""",
    ),
    "an order's tags": ("""UPDATE "order" SET tags = tags || '{"team": "another"}'""",),
    "an order's cost centre": ("""UPDATE "order" SET cost_center = 'another'""",),
    "an order's number of patches": ('UPDATE "order" SET patches = patches + 1',),
    "the key that ordered": (
        """UPDATE "order" SET key_id = (SELECT max(id) FROM api_key WHERE id <> key_id)""",
    ),
    "an order without its hold": ('UPDATE "order" SET hold_id = NULL WHERE hold_id IS NOT NULL',),
    "a cancelled order made completed": (
        f"""UPDATE order_status_change SET status = 'completed', reason_code = 'all_delivered'
            WHERE status = 'user_cancelled' AND order_id IN {CANCELLED}""",
        """UPDATE "order" SET status = 'completed' WHERE status = 'user_cancelled'""",
    ),
    "a status without its history": (
        """UPDATE "order" SET status = 'completed' WHERE status = 'user_cancelled'""",
    ),
    "the key that approved": (
        """UPDATE order_status_change c SET key_id = o.key_id
           FROM "order" o WHERE o.id = c.order_id AND reason_code = 'approved'""",
    ),
    "an approval that never was": (
        "DELETE FROM order_status_change WHERE reason_code = 'approval_required'",
        "UPDATE order_status_change SET seq = seq - 1 WHERE reason_code = 'approved'",
    ),
    "the time of an ending": ("UPDATE order_status_change SET at = at - interval '1 day'",),
    "the digest of a delivered file": ("UPDATE delivered_file SET sha256 = repeat('0', 64)",),
    "the pixels of a delivered file": ("UPDATE delivered_file SET pixels = pixels || '\\x00'::bytea",),
    "the checks of a delivered file": (
        "UPDATE delivered_file SET checks = jsonb_set(checks, '{likeness}', '1', true)",
    ),
    "a delivery that never came": (
        "INSERT INTO delivery SELECT order_id, 99, 0, 0, created_at FROM delivery LIMIT 1",
    ),
    "the day of a delivery": ("UPDATE delivery SET created_at = created_at - interval '40 days'",),
    "past terms": ("UPDATE ledger.budget_terms SET limit_minor = limit_minor + 5 WHERE version = 1",),
    "a past threshold of approval": (
        "UPDATE ledger.budget_terms SET approval_above_minor = 1000000 WHERE version = 1",
    ),
    "the key that changed terms": ("UPDATE ledger.budget_terms SET key_id = 'nobody'",),
    "what was proposed": (
        """UPDATE ledger.proposal SET terms = terms || '{"limit_minor": 100000}' WHERE id NOT IN (
               SELECT proposal_id FROM ledger.decision)""",
    ),
    "the key that approved a limit": (
        "UPDATE ledger.decision SET key_id = (SELECT min(key_id) FROM ledger.proposal)",
    ),
    "a proposal that never was": (
        "DELETE FROM ledger.proposal WHERE id NOT IN (SELECT proposal_id FROM ledger.decision)",
    ),
    "the reason of a refund": ("UPDATE ledger.adjustment SET reason = 'agreed with the provider'",),
    "the key that refunded": ("UPDATE ledger.adjustment SET key_id = 'nobody'",),
    "a budget's currency": ("UPDATE ledger.budget SET currency = 'EUR'",),
    "the currency of a budget and all that hangs on it": (
        "UPDATE ledger.budget SET currency = 'EUR'",
        "UPDATE ledger.account SET currency = 'EUR'",
        """UPDATE "order" SET currency = 'EUR'""",
    ),
    "a budget's name": ("UPDATE ledger.budget SET name = name || ' 2'",),
    "a deleted chain head": ("DELETE FROM ledger.chain",),
    "the holder of a key": ("UPDATE api_key SET holder = 'somebody'",),
    "the role of a key": ("UPDATE api_key SET role = 'approver'",),
    "the person of a key": ("UPDATE api_key SET issuer = 'https://issuer.example', subject = id",),
    "the expiry of a key": ("UPDATE api_key SET expires_at = now() + interval '1 day'",),
    "a label": ("UPDATE classification SET tiles = '[]'::jsonb, complete = NOT complete",),
    "a true label": (
        """UPDATE true_labels SET labels = '[{"tile": 0, "true_label": "another"}]'""",
    ),
    "the key that gave true labels": (
        "UPDATE true_labels SET key_id = (SELECT max(id) FROM api_key WHERE id <> key_id)",
    ),
    "deleted evidence": ("DELETE FROM ledger.evidence WHERE seq = (SELECT max(seq) FROM ledger.evidence)",),
    "a digest of evidence": ("UPDATE ledger.evidence SET digest = hash WHERE seq = 3",),
    "a transfer without its evidence": ("UPDATE ledger.transfer SET evidence = NULL",),
}  # fmt: skip
"""Statements by what they forge."""
HEALED = ("a deleted chain head", "a digest of evidence")
"""Forgeries that RECHAIN undoes."""

RECHAIN = r"""
    DO $$
    DECLARE
        was record;
        document text;
        t ledger.transfer;
        previous bytea;
    BEGIN
        CREATE TEMPORARY TABLE was ON COMMIT DROP AS SELECT * FROM ledger.evidence;
        DELETE FROM ledger.evidence;
        INSERT INTO ledger.chain (workspace_id) SELECT DISTINCT workspace_id FROM was ON CONFLICT DO NOTHING;
        FOR was IN
            SELECT e.*, g.name, g.args FROM was e
            JOIN (
                SELECT tgrelid::regclass AS name, string_to_array(encode(tgargs, 'escape'), '\000') AS args
                FROM pg_trigger WHERE tgname = 'evidence'
            ) AS g ON g.args[1] = e.kind
            ORDER BY e.workspace_id, e.seq
        LOOP
            EXECUTE format(
                'SELECT document FROM (SELECT %s FROM %s AS r) AS found (owner, subject, document)'
                ' WHERE subject = %L',
                ledger.evidence_query(was.args[3], was.args[4]::integer, trim_array(was.args[5:], 1)),
                was.name, was.subject) INTO document;
            CONTINUE WHEN document IS NULL;
            PERFORM ledger.append_evidence(was.workspace_id, was.kind, was.form, was.subject, document);
        END LOOP;
        FOR t IN SELECT * FROM ledger.transfer ORDER BY workspace_id, seq LOOP
            previous := CASE t.seq WHEN 1 THEN decode(repeat('00', 32), 'hex') ELSE previous END;
            t.previous_hash := previous;
            t.evidence := (
                SELECT e.hash FROM was w JOIN ledger.evidence e ON (e.kind, e.subject) = (w.kind, w.subject)
                WHERE w.hash = t.evidence
            );
            t.hash := ledger.transfer_hash(t);
            UPDATE ledger.transfer SET previous_hash = previous, hash = t.hash, evidence = t.evidence
            WHERE id = t.id;
            UPDATE ledger.chain SET seq = t.seq, hash = t.hash WHERE workspace_id = t.workspace_id;
            previous := t.hash;
        END LOOP;
    END $$
"""
"""A superuser's last step: all evidence is digested again, and both chains are hashed again."""
