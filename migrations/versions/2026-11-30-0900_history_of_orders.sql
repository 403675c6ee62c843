-- What the serving role may set stays once it is set, and an order's status and deadline have their history. Run by
-- 2026-11-30-0900_history_of_orders.py.
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
ALTER FUNCTION ledger.check_history() OWNER TO loupe_owner;
REVOKE ALL ON FUNCTION ledger.check_history() FROM PUBLIC;
