-- Names of plans and orders may change; no evidence covers them. Run by 2026-11-30-0450_names.py.
GRANT SELECT ON public.plan_naming TO loupe_owner;
GRANT SELECT, INSERT ON public.plan_naming TO loupe_app;
GRANT UPDATE (name, external_id, tags) ON public.plan_naming TO loupe_app;
GRANT UPDATE (name, external_id) ON public."order" TO loupe_app;

ALTER TABLE public.plan_naming ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.plan_naming FORCE ROW LEVEL SECURITY;
CREATE POLICY own_workspace ON public.plan_naming USING (ledger.sees(workspace_id));
CREATE POLICY ledger_functions ON public.plan_naming TO loupe_owner USING (true);
