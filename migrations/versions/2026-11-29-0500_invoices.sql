-- Invoices and credit notes are kept as they were imported. Run by 2026-11-29-0500_invoices.py.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['public.invoice', 'public.invoice_line'] LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON %s
                        FOR EACH ROW EXECUTE FUNCTION ledger.refuse_change()', name);
        EXECUTE format('CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON %s
                        FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change()', name);
        EXECUTE format('REVOKE ALL ON %s FROM PUBLIC, loupe_app', name);
        EXECUTE format('GRANT SELECT ON %s TO loupe_owner, loupe_app', name);
        EXECUTE format('GRANT INSERT ON %s TO loupe_app', name);
    END LOOP;
END
$$;
CREATE TRIGGER evidence AFTER INSERT ON public.invoice FOR EACH ROW EXECUTE FUNCTION ledger.keep_evidence(
    'invoice', '1', 'workspace_id', '1', 'id', 'workspace_id', 'kind', 'provider', 'number', 'issued_on',
    'currency', 'tax_minor', 'reason', 'key_id', 'created_at');
CREATE TRIGGER evidence AFTER INSERT ON public.invoice_line FOR EACH ROW EXECUTE FUNCTION ledger.keep_evidence(
    'invoice_line', '1', 'workspace_id', '2', 'invoice_id', 'position', 'workspace_id', 'reference',
    'description', 'amount_minor');

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
SELECT 'adjustment', order_id || '/' || number FROM ledger.adjustment;
