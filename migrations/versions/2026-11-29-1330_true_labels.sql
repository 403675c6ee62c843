-- True labels are kept as they were given, with evidence. Run by 2026-11-29-1330_true_labels.py.
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON public.true_labels
FOR EACH ROW EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON public.true_labels
FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
REVOKE ALL ON public.true_labels FROM PUBLIC, loupe_app;
GRANT SELECT ON public.true_labels TO loupe_owner, loupe_app;
GRANT INSERT ON public.true_labels TO loupe_app;

CREATE CONSTRAINT TRIGGER evidence AFTER INSERT ON public.true_labels
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger.keep_evidence(
    'true_labels', '1', 'workspace_id', '2', 'order_id', 'version', 'workspace_id', 'labels', 'key_id',
    'created_at');

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
SELECT 'adjustment', order_id || '/' || number FROM ledger.adjustment;
