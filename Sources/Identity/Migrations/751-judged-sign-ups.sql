-- Counts a request of a stranger's before anything is done for it. A refused one is not counted, and leaves no row behind: all
-- three are judged before the first is locked, and again under their locks, which are taken in the order network, address, all
-- together.
--
-- Returns 0, or the seconds after which to try again.
CREATE OR REPLACE FUNCTION take_sign_up(
    p_network bytea, p_address bytea, p_all bytea, p_network_limit integer, p_address_limit integer, p_limit integer
) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    refused integer;
    network record;
    address record;
    everybody record;
BEGIN
    SELECT max(greatest(1, ceil(extract(epoch FROM a.started_at - now()) + 86400)))::integer INTO refused
    FROM sign_up_attempts a
    JOIN (VALUES (p_network, p_network_limit), (p_address, p_address_limit), (p_all, p_limit)) AS l (subject, most)
        ON l.subject = a.subject
    WHERE a.attempts >= l.most AND abs(extract(epoch FROM now() - a.started_at)) < 86400;
    IF refused IS NOT NULL THEN
        RETURN refused;
    END IF;
    SELECT * INTO network FROM open_sign_up_day(p_network);
    IF network.attempts >= p_network_limit THEN
        RETURN network.seconds;
    END IF;
    SELECT * INTO address FROM open_sign_up_day(p_address);
    IF address.attempts >= p_address_limit THEN
        RETURN address.seconds;
    END IF;
    SELECT * INTO everybody FROM open_sign_up_day(p_all);
    IF everybody.attempts >= p_limit THEN
        RETURN everybody.seconds;
    END IF;
    UPDATE sign_up_attempts SET attempts = sign_up_attempts.attempts + 1
    WHERE subject IN (p_network, p_address, p_all);
    RETURN 0;
END
$$;
