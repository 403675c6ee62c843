-- Pixels can be deleted, and nothing else of a scene or a delivery. Run by 2026-11-29-2310_deleted_pixels.py.
-- What evidence says of a delivered file covers the digest of its pixels, which stays.
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
ALTER FUNCTION ledger.refuse_all_but_deleting_pixels OWNER TO loupe_owner;
REVOKE ALL ON FUNCTION ledger.refuse_all_but_deleting_pixels FROM PUBLIC;

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['public.delivered_file', 'public.delivered_part'] LOOP
        EXECUTE format('DROP TRIGGER append_only ON %s', name);
        EXECUTE format('CREATE TRIGGER append_only BEFORE DELETE ON %s
                        FOR EACH ROW EXECUTE FUNCTION ledger.refuse_change()', name);
        EXECUTE format('CREATE TRIGGER only_without_pixels BEFORE UPDATE ON %s
                        FOR EACH ROW EXECUTE FUNCTION ledger.refuse_all_but_deleting_pixels()', name);
    END LOOP;
END
$$;
CREATE TRIGGER stays_deleted BEFORE UPDATE ON public.scene
    FOR EACH ROW WHEN (OLD.pixels_deleted_at IS NOT NULL) EXECUTE FUNCTION ledger.refuse_change();

GRANT UPDATE (pixels, pixels_sha256) ON delivered_file TO loupe_app;
GRANT UPDATE (pixels, pixels_sha256) ON delivered_part TO loupe_app;
GRANT UPDATE (pixels_deleted_at, pixels_deleted_by) ON scene TO loupe_app;
GRANT UPDATE (pixels_deleted_at, pixels_deleted_by) ON "order" TO loupe_app;
GRANT UPDATE (scene_days, delivery_days) ON workspace TO loupe_app;
