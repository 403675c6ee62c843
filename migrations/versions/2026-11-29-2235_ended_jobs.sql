-- What became of a job stays. Run by 2026-11-29-2235_ended_jobs.py.
CREATE TRIGGER stays_ended BEFORE UPDATE ON public.job
    FOR EACH ROW WHEN (OLD.finished_at IS NOT NULL) EXECUTE FUNCTION ledger.refuse_change();
