-- What was answered stays, and a key does not come back. Run by 2026-11-29-2005_final_answers.py.
CREATE TRIGGER answered_once BEFORE UPDATE ON public.idempotency
    FOR EACH ROW WHEN (OLD.status IS NOT NULL) EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER stays_revoked BEFORE UPDATE ON public.api_key
    FOR EACH ROW WHEN (NEW.revoked_at IS NULL AND OLD.revoked_at IS NOT NULL OR NEW.revoked_at > OLD.revoked_at)
    EXECUTE FUNCTION ledger.refuse_change();
