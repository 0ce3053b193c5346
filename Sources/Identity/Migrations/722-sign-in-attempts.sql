-- How often somebody has tried to sign in without success: from a network, for an address, from a network for an address.
-- Subjects are keyed hashes. After a crash all counts are zero, so it costs no write-ahead log.
CREATE UNLOGGED TABLE sign_in_attempts (
    subject bytea PRIMARY KEY CHECK (octet_length(subject) = 32),
    started_at timestamptz NOT NULL DEFAULT now(),
    attempts integer NOT NULL DEFAULT 0
) WITH (fillfactor = 70);
CREATE INDEX sign_in_attempts_age ON sign_in_attempts (started_at);

-- Locks a subject's row to the end of the transaction; a window that is over, or that begins after now because the clock was
-- set back, begins anew.
CREATE FUNCTION open_sign_in_window(p_subject bytea, OUT attempts integer, OUT seconds integer) LANGUAGE sql AS $$
    INSERT INTO sign_in_attempts AS a (subject) VALUES (p_subject)
    ON CONFLICT (subject) DO UPDATE SET (started_at, attempts) = (
        SELECT CASE WHEN o.is_open THEN a.started_at ELSE now() END, CASE WHEN o.is_open THEN a.attempts ELSE 0 END
        FROM (SELECT abs(extract(epoch FROM now() - a.started_at)) < 900 AS is_open) o)
    RETURNING a.attempts, greatest(1, ceil(extract(epoch FROM a.started_at - now()) + 900))::integer
$$;

-- Counts an attempt before it is known how it ends, so that attempts at the same time cannot pass together. A refused one is
-- not counted. Rows are locked in the order network, pair, address, each once.
--
-- Returns 0, or the seconds after which to try again.
CREATE FUNCTION take_sign_in(
    p_network bytea, p_pair bytea, p_address bytea,
    p_network_limit integer, p_pair_limit integer, p_address_limit integer, p_wary_limit integer
) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    network record;
    pair record;
    address record;
BEGIN
    SELECT * INTO network FROM open_sign_in_window(p_network);
    IF network.attempts >= p_network_limit THEN
        RETURN network.seconds;
    END IF;
    SELECT * INTO pair FROM open_sign_in_window(p_pair);
    IF pair.attempts >= p_pair_limit THEN
        RETURN pair.seconds;
    END IF;
    SELECT * INTO address FROM open_sign_in_window(p_address);
    IF address.attempts >= p_address_limit AND pair.attempts >= p_wary_limit THEN
        RETURN pair.seconds;
    END IF;
    UPDATE sign_in_attempts SET attempts = sign_in_attempts.attempts + 1
    WHERE subject IN (p_network, p_pair, p_address);
    RETURN 0;
END
$$;

REVOKE ALL ON sign_in_attempts FROM PUBLIC, sluice_app;
REVOKE ALL ON FUNCTION open_sign_in_window(bytea) FROM PUBLIC;
REVOKE ALL ON FUNCTION take_sign_in(bytea, bytea, bytea, integer, integer, integer, integer) FROM PUBLIC;
GRANT SELECT, INSERT, UPDATE, DELETE ON sign_in_attempts TO sluice_app;
GRANT EXECUTE ON FUNCTION open_sign_in_window(bytea) TO sluice_app;
GRANT EXECUTE ON FUNCTION take_sign_in(bytea, bytea, bytea, integer, integer, integer, integer) TO sluice_app;
